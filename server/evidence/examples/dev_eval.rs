//! Experimental evaluation.
use serde_json::Value;
use signalbox_evidence::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

fn load(p: &Path) -> Vec<Value> {
    std::fs::read_to_string(p).unwrap().lines().filter(|l| !l.trim().is_empty()).map(|l| serde_json::from_str(l).unwrap()).collect()
}
fn s<'a>(v: &'a Value, k: &str) -> &'a str {
    v[k].as_str().unwrap_or("")
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let dir = Path::new(&args[1]);
    let modes: &str = args.get(2).map_or("nxd", |s| s.as_str());
    let enc = Encoder::builtin().unwrap();
    for mode in modes.chars() {
        let mut line = String::new();
        let sets = std::env::var("SETS").unwrap_or_default();
        for set in ["clinc_domain", "clinc_fine", "tasks", "multilingual", "sgd_turns", "sgd_fine"] {
            if !sets.is_empty() && !sets.split(',').any(|p| set.starts_with(p)) { continue; }
            let dev = load(&dir.join(format!("dev/{set}.jsonl")));
            let pols: BTreeSet<&str> = dev.iter().map(|x| s(x, "policy")).collect();
            let mut clf = BTreeMap::new();
            for p in pols {
                let src = if p == "tasks" { "tasks" } else { set };
                let fit = load(&dir.join(format!("fit/{src}.jsonl")));
                let pol: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(dir.join(format!("policies/{p}.json"))).unwrap()).unwrap();
                let cap = knob("cap", 20.0) as usize;
                let pick = |r: &str, cap: usize| -> Vec<String> {
                    let v: Vec<String> = fit.iter().filter(|x| s(x, "policy") == p && s(x, "route") == r).map(|x| s(x, "text").to_owned()).collect();
                    if v.len() <= cap { v } else { (0..cap).map(|i| v[i * v.len() / cap].clone()).collect() }
                };
                let t = TrainingSet {
                    routes: pol.iter().map(|r| RouteText { name: s(r, "name").into(), description: s(r, "description").into(), examples: if mode == 'd' { vec![] } else { pick(s(r, "name"), cap) } }).collect(),
                    other_examples: if mode == 'n' { pick("other", usize::MAX) } else { vec![] },
                };
                let names: Vec<String> = t.routes.iter().map(|r| r.name.clone()).collect();
                let t0 = Instant::now();
                let c = Classifier::compile(enc.clone(), &t);
                let el = t0.elapsed().as_secs_f32();
                if knob("verbose", 0.0) > 0.0 { eprintln!("{set} {p} compiled in {el:.2}s"); }
                clf.insert(p.to_owned(), (c, names));
            }
            let (mut ok, mut inn, mut nin, mut oos, mut noos) = (0, 0, 0, 0, 0);
            let mut bins = vec![(0f64, 0f64, 0usize); 10];
            let mut conv: BTreeMap<String, Vec<(i64, bool, String)>> = BTreeMap::new();
            let mut tags: BTreeMap<String, (usize, usize)> = BTreeMap::new();
            let half = knob("half", -1.0);
            let mut count = 0;
            for (ix, x) in dev.iter().enumerate() {
                if half >= 0.0 {
                    let key = if x["conversation_id"].is_string() { s(x, "conversation_id").bytes().map(|b| b as usize).sum::<usize>() } else { ix };
                    if key % 2 != half as usize { continue; }
                }
                count += 1;
                let (c, names) = &clf[s(x, "policy")];
                let turns: Vec<Turn> = x["conversation"].as_array().unwrap().iter().map(|m| Turn { role: match s(m, "role") { "user" => Role::User, "assistant" => Role::Assistant, _ => Role::System }, text: s(m, "content") }).collect();
                let r = c.classify(&turns);
                let best = (0..names.len()).max_by(|a, b| r.routes[*a].total_cmp(&r.routes[*b])).unwrap();
                let (pred, conf) = if r.routes[best] > r.other && r.routes[best] >= knob("th", 0.0) { (names[best].as_str(), r.routes[best]) } else { ("other", if knob("co", 2.0) > 1.0 {r.other} else if knob("co", 2.0) > 0.0 {1.0 - r.routes[best]} else {r.other.max(1.0 - r.routes[best])}) };
                let e = s(x, "expected_route");
                let good = e == pred;
                ok += usize::from(good);
                if e == "other" { noos += 1; oos += usize::from(good); } else { nin += 1; inn += usize::from(good); }
                let b = &mut bins[((conf * 10.0) as usize).min(9)];
                b.0 += conf as f64; b.1 += f64::from(u8::from(good)); b.2 += 1;
                if x["conversation_id"].is_string() { conv.entry(s(x, "conversation_id").into()).or_default().push((x["turn"].as_i64().unwrap(), good, e.into())); }
                for t in x["tags"].as_array().unwrap() { let t = t.as_str().unwrap(); let q = tags.entry(t.to_owned()).or_default(); q.0 += usize::from(good); q.1 += 1; }
                if knob("dump", 0.0) > 0.0 && (!good || knob("dump",0.0) > 1.0) {
                    println!("{} {set} {mode} exp {e} got {pred} {conf:.2} held {:?} closing {} | {:?}", if good {"ok"} else {"BAD"}, r.held.map(|h| &names[h]), r.closing, turns.iter().rev().take(3).rev().map(|t| t.text.chars().take(200).collect::<String>()).collect::<Vec<_>>());
                }
            }
            let ece: f64 = bins.iter().filter(|b| b.2 > 0).map(|b| (b.0 - b.1).abs()).sum::<f64>() / count as f64;
            if knob("bins", 0.0) > 0.0 { println!("{set} {mode} {:?}", bins.iter().map(|b| format!("{}:{:.2}/{:.2}", b.2, b.0 / b.2 as f64, b.1 / b.2 as f64)).collect::<Vec<_>>()); }
            let gap: f64 = bins.iter().map(|b| b.0 - b.1).sum::<f64>() / count as f64;
            line += &format!(" {:5.1}({:3.0}/{:3.0} e{:2.0}{:+.0})", 100.0 * ok as f64 / count as f64, 100.0 * inn as f64 / nin as f64, 100.0 * oos as f64 / noos as f64, 100.0 * ece, 100.0 * gap);
            if !conv.is_empty() {
                let (mut sp, mut sg, mut cg) = (0, 0, 0);
                for v in conv.values_mut() {
                    v.sort();
                    cg += usize::from(v.iter().all(|t| t.1));
                    let mut i = 0;
                    while i < v.len() { let mut j = i; while j < v.len() && v[j].2 == v[i].2 { j += 1; } sp += 1; sg += usize::from(v[i..j].iter().all(|t| t.1)); i = j; }
                }
                let tg = |k: &str| tags.get(k).map_or(0.0, |q| 100.0 * q.0 as f64 / q.1 as f64);
                line += &format!("[{:.0}/{:.0} sh{:.0} fo{:.0} cl{:.0} fi{:.0}]", 100.0 * sg as f64 / sp as f64, 100.0 * cg as f64 / conv.len() as f64, tg("shift"), tg("followup"), tg("closing"), tg("first"));
            }
            if knob("tags", 0.0) > 0.0 { println!("{set} {mode} {:?}", tags.iter().filter(|t| !t.0.starts_with("intent")).map(|(k, v)| format!("{k} {}/{}", v.0, v.1)).collect::<Vec<_>>()); }
        }
        println!("{mode} {line}");
    }
}
