//! Learns difficulty from one file of outcomes and prints a score for each prompt of another, for an independent scorer:
//! `difficulty FIT.jsonl DEV.jsonl [LABELS]`. Lines are `{id, prompt, scores, strong, weak}`.

use std::time::Instant;

use serde_json::Value;
use signalbox_evidence::difficulty::Lesson;

fn read(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("readable");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let mut fit = read(&args[1]);
    let (strong, weak) = (args[3].as_str(), args[4].as_str());
    let keep = |v: &Value| v["scores"][strong].is_number() && v["scores"][weak].is_number();
    fit.retain(keep);
    if let Some(n) = args.get(5).and_then(|n| n.parse::<usize>().ok()) {
        let all = fit.len();
        fit = (0..n).map(|i| fit[i * all / n].clone()).collect();
    }
    let start = Instant::now();
    let lesson = Lesson::new(fit.iter().map(|v| v["prompt"].as_str().expect("text")));
    let gain =
        |v: &Value| v["scores"][strong].as_f64().unwrap_or(0.0) - v["scores"][weak].as_f64().unwrap_or(0.0);
    let gains: Vec<_> = fit.iter().map(gain).enumerate().collect();
    let read_in = start.elapsed();
    let difficulty = lesson.learn(&gains).expect("enough labels");
    eprintln!(
        "{} labels, read in {read_in:?}, learned in {:?}",
        fit.len(),
        start.elapsed() - read_in
    );
    let dev = read(&args[2]);
    let dev: Vec<_> = dev.iter().filter(|v| keep(v)).collect();
    let start = Instant::now();
    let mut shares = [0usize; 10];
    for v in &dev {
        let score = difficulty.score(v["prompt"].as_str().expect("text"));
        shares[((score * 10.0) as usize).min(9)] += 1;
        println!("{}", serde_json::json!({"id": v["id"], "score": score}));
    }
    eprintln!(
        "{} scored in {:?} each; deciles {shares:?}",
        dev.len(),
        start.elapsed() / dev.len() as u32
    );
}
