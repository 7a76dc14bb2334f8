//! `signalbox eval` of a cost-quality set: how well a policy's difficulty tells which prompts need the strong model.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};
use signalbox_evidence::difficulty::Lesson;

use crate::cli::eval::EvalArgs;
use crate::cli::print;
use crate::cli::route::load;
use crate::eval::cost_quality::{Figures, Judged, Line, read};
use crate::eval::curve::svg;
use crate::store::Snapshot;
use crate::store::difficulty::{self, gains};

/// Lines by benchmark, each with its difficulty.
type Groups = BTreeMap<String, Vec<Judged>>;
/// A number of labels, and the APGR by benchmark that they give.
type Learned = (usize, BTreeMap<String, Option<f64>>);

/// Judges every line and prints the figures.
pub(super) fn run(args: &EvalArgs, text: &str) -> anyhow::Result<ExitCode> {
    let lines = read(text).with_context(|| args.set.display().to_string())?;
    let Some(file) = &args.policy else {
        anyhow::bail!("a cost-quality set is judged in process: give `--policy` instead of `--endpoint`");
    };
    let snapshot = load(Some(file), "")?;
    let known = |line: &Line| {
        snapshot
            .difficulty_of(&line.strong, &line.weak)
            .map(|(found, _)| found.score(&line.prompt))
    };
    let scores: Vec<Option<f64>> = lines.iter().map(known).collect();
    let left_out = scores.iter().filter(|score| score.is_none()).count();
    anyhow::ensure!(
        left_out < lines.len(),
        "{}: no route chooses between the strong and the weak model of any line",
        file.display()
    );
    let groups = grouped(&lines, &scores);
    let figures: BTreeMap<&str, Figures> = groups
        .iter()
        .map(|(name, judged)| (name.as_str(), Figures::new(judged)))
        .collect();
    if let Some(picture) = &args.curve {
        let curves: Vec<(&str, &Figures)> = figures.iter().map(|(name, figures)| (*name, figures)).collect();
        std::fs::write(picture, svg(&curves)).with_context(|| picture.display().to_string())?;
    }
    if let Some(file) = &args.predictions {
        let rows = lines.iter().zip(&scores).filter_map(|(line, score)| {
            let score = (*score)?;
            Some(json!({"id": line.id, "score": score}).to_string() + "\n")
        });
        std::fs::write(file, rows.collect::<String>()).with_context(|| file.display().to_string())?;
    }
    let curve = learning_curve(&snapshot, file, &lines, &args.labels)?;
    let threshold = lines
        .iter()
        .find_map(|line| Some(snapshot.difficulty_of(&line.strong, &line.weak)?.1))
        .unwrap_or(1.0);
    if args.json {
        let learned: Vec<Value> = curve
            .iter()
            .map(|(n, f)| json!({"labels": n, "apgr": f}))
            .collect();
        let all: serde_json::Map<_, _> = figures
            .iter()
            .map(|(name, f)| ((*name).to_owned(), as_json(f)))
            .collect();
        print(&format!(
            "{:#}\n",
            json!({"benchmarks": all, "left_out": left_out, "learning_curve": learned})
        ))?;
    } else {
        print(&report(&figures, &groups, threshold, left_out, &curve))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn grouped(lines: &[Line], scores: &[Option<f64>]) -> Groups {
    let mut groups = Groups::new();
    for (line, score) in lines.iter().zip(scores) {
        if let Some(score) = score {
            groups
                .entry(line.benchmark.clone())
                .or_default()
                .push(line.judged(*score));
        }
    }
    groups
}

/// APGR by benchmark for every number of labels, evenly taken from the policy's outcomes.
fn learning_curve(
    snapshot: &Snapshot,
    policy: &Path,
    lines: &[Line],
    counts: &[usize],
) -> anyhow::Result<Vec<Learned>> {
    let (Some(named), false) = (&snapshot.policy.difficulty, counts.is_empty()) else {
        return Ok(Vec::new());
    };
    let file = policy.parent().unwrap_or(Path::new("")).join(named);
    let bytes = difficulty::read(&file).map_err(anyhow::Error::msg)?;
    let outcomes = difficulty::parse(&bytes, named).map_err(|found| anyhow::anyhow!("{}", found[0]))?;
    let first = lines
        .iter()
        .find(|line| snapshot.difficulty_of(&line.strong, &line.weak).is_some());
    let first = first.context("no line with a pair of the policy")?;
    let (strong, weak) = (&first.strong, &first.weak);
    let all = gains(&outcomes, strong, weak);
    let mut curve = Vec::new();
    for &count in counts {
        let count = count.min(all.len());
        let kept: Vec<(usize, f64)> = (0..count).map(|at| all[at * all.len() / count]).collect();
        let lesson = Lesson::new(kept.iter().map(|(at, _)| outcomes[*at].prompt.as_str()));
        let gains: Vec<(usize, f64)> = kept.iter().map(|(_, gain)| *gain).enumerate().collect();
        let learned = lesson
            .learn(&gains)
            .with_context(|| format!("{count} labels are too few"))?;
        let score =
            |line: &Line| (&line.strong == strong && &line.weak == weak).then(|| learned.score(&line.prompt));
        let scores: Vec<Option<f64>> = lines.iter().map(score).collect();
        let groups = grouped(lines, &scores);
        let apgr = groups
            .iter()
            .map(|(name, judged)| (name.clone(), Figures::new(judged).apgr));
        curve.push((count, apgr.collect()));
    }
    Ok(curve)
}

fn report(
    figures: &BTreeMap<&str, Figures>,
    groups: &Groups,
    threshold: f64,
    left_out: usize,
    curve: &[Learned],
) -> String {
    let mut out = String::new();
    let shown = |value: Option<f64>, digits: usize| value.map_or("–".into(), |v| format!("{v:.digits$}"));
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{:<28} {:>6} {:>6} {:>6} {:>6} {:>7} {:>7} {:>6}",
        "benchmark", "n", "weak", "strong", "APGR", "CPT50", "CPT80", "area"
    );
    for (name, f) in figures {
        let (weak, strong) = (f.curve[0], f.curve[f.curve.len() - 1]);
        let _ = writeln!(
            out,
            "{name:<28} {:>6} {:>6.3} {:>6.3} {:>6} {:>5} % {:>5} % {:>6.3}",
            f.n,
            weak.quality,
            strong.quality,
            shown(f.apgr, 3),
            shown(f.cpt50, 1),
            shown(f.cpt80, 1),
            f.area
        );
    }
    let _ = writeln!(out, "\nat the policy's threshold {threshold}");
    for (name, judged) in groups {
        let n = judged.len() as f64;
        let side = |j: &Judged| usize::from(j.difficulty >= threshold);
        let mean = |of: &dyn Fn(&Judged) -> f64| judged.iter().map(of).sum::<f64>() / n;
        let _ = writeln!(
            out,
            "{name:<28} {:>5.1} % strong, quality {:.3}, {:.6} USD a request ({:.6} if all were strong)",
            mean(&|j| side(j) as f64) * 100.0,
            mean(&|j| j.quality[side(j)]),
            mean(&|j| j.cost[side(j)]),
            mean(&|j| j.cost[1])
        );
    }
    if left_out > 0 {
        let _ = writeln!(
            out,
            "\n{left_out} lines left out: no route chooses between their models"
        );
    }
    if !curve.is_empty() {
        let _ = writeln!(out, "\nAPGR by number of labels");
    }
    for (count, by_benchmark) in curve {
        let row: Vec<String> = by_benchmark
            .iter()
            .map(|(name, apgr)| format!("{name} {}", shown(*apgr, 3)))
            .collect();
        let _ = writeln!(out, "{count:>6}  {}", row.join(", "));
    }
    out
}

fn as_json(figures: &Figures) -> Value {
    let (weak, strong) = (figures.curve[0], figures.curve[figures.curve.len() - 1]);
    json!({
        "n": figures.n,
        "weak_quality": weak.quality,
        "strong_quality": strong.quality,
        "apgr": figures.apgr,
        "cpt50": figures.cpt50,
        "cpt80": figures.cpt80,
        "cost_quality_auc": figures.area,
    })
}
