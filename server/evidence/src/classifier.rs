//! Experimental classifier.
use std::sync::Arc;

use crate::act::Acts;
use crate::background::{self, Kind};
use crate::descriptions::Descriptions;
use crate::encoder::Encoder;
use crate::linear::{Linear, dot};
use crate::regression::{self, Row, softmax};
use crate::text;
use crate::training::TrainingSet;
use crate::vocabulary::{Builder, Features, Vocabulary};
use crate::knob;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    User,
    Assistant,
    System,
}
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    pub role: Role,
    pub text: &'a str,
}
#[derive(Debug, Clone)]
pub struct Scores {
    pub routes: Vec<f32>,
    pub other: f32,
    pub held: Option<usize>,
    pub closing: bool,
    pub z: Vec<f32>,
}
#[derive(Debug)]
pub struct Classifier {
    encoder: Arc<Encoder>,
    vocabulary: Vocabulary,
    descriptions: Descriptions,
    model: Option<Linear>,
    prior: f32,
    acts: Acts,
    n: usize,
    negatives: bool,
    related: Vec<f32>,
}

fn kernel(a: &Features, b: &Features) -> f32 {
    let mut s = dot(&a.dense, &b.dense);
    let (mut i, mut j) = (0, 0);
    while i < a.sparse.len() && j < b.sparse.len() {
        match a.sparse[i].0.cmp(&b.sparse[j].0) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                s += a.sparse[i].1 * b.sparse[j].1;
                i += 1;
                j += 1;
            }
        }
    }
    s
}

impl Classifier {
    pub fn compile(encoder: Arc<Encoder>, set: &TrainingSet) -> Self {
        let mut b = Builder::new();
        for r in &set.routes {
            b.add(&text::whole(&r.headline()));
            b.add(&text::whole(&r.title()));
            for c in r.clauses() {
                b.add(&text::whole(&c));
            }
            for c in &r.examples {
                b.add(&text::whole(c));
            }
        }
        for c in &set.other_examples {
            b.add(&text::whole(c));
        }
        for (_, t) in background::sentences() {
            b.add(&text::whole(t));
        }
        let v = b.finish();
        let n = set.routes.len();
        let descriptions = Descriptions::new(&set.routes, &encoder, &v);
        let acts = Acts::new(set, &encoder, &v);
        let mean = set.routes.iter().map(|r| r.examples.len()).sum::<usize>() as f32 / n as f32;
        let negatives = set.other_examples.len() >= 10;
        let (model, prior) = if mean >= 3.0 || negatives && mean >= 1.0 {
            (Some(Self::train(&encoder, &v, set, mean)), knob("kq", 16.0) / mean.max(1.0))
        } else {
            (None, 0.0)
        };
        let related = Self::relate(&encoder, &v, set);
        Self { encoder, vocabulary: v, descriptions, model, prior, acts, n, negatives, related }
    }

    fn relate(encoder: &Encoder, v: &Vocabulary, set: &TrainingSet) -> Vec<f32> {
        let n = set.routes.len();
        let mut protos: Vec<Features> = Vec::new();
        for r in &set.routes {
            let mut acc = vec![0f32; v.len()];
            let mut dense = vec![0f32; encoder.dims()];
            let mut texts = vec![r.headline()];
            if knob("relx", 0.0) > 0.0 {
                texts.extend(r.examples.iter().cloned());
            }
            for t in &texts {
                let x = v.features(encoder, &text::whole(t));
                for (i, w) in &x.sparse {
                    acc[*i as usize] += w;
                }
                for (a, b) in dense.iter_mut().zip(&x.dense) {
                    *a += b;
                }
            }
            let mut x = Features { dense, ..Features::default() };
            x.sparse = acc.iter().enumerate().filter(|e| *e.1 > 0.0).map(|(i, w)| (i as u32, *w)).collect();
            let norm = kernel(&x, &x).sqrt();
            for d in &mut x.dense {
                *d /= norm;
            }
            for d in &mut x.sparse {
                d.1 /= norm;
            }
            protos.push(x);
        }
        let mut m = vec![0f32; n * n];
        for i in 0..n {
            for j in 0..n {
                if i != j {
                    m[i * n + j] = kernel(&protos[i], &protos[j]);
                }
            }
            let row = &mut m[i * n..][..n];
            if knob("verbose", 0.0) > 0.0 { eprint!(" {:.2}", row.iter().fold(0f32, |a, b| a.max(*b))); }
            let mut sorted = row.to_vec();
            sorted.sort_by(f32::total_cmp);
            let (lo, hi) = (sorted[n / 2], sorted[n - 1]);
            for v in row.iter_mut() {
                *v = ((*v - lo) / (hi - lo).max(1e-6)).clamp(0.0, 1.0);
            }
        }
        if knob("verbose", 0.0) > 0.0 { eprintln!(); }
        m
    }

    fn train(encoder: &Encoder, v: &Vocabulary, set: &TrainingSet, mean: f32) -> Linear {
        let f = |t: &str| {
            let mut x = v.features(encoder, &text::whole(t));
            x.sparse.sort_unstable_by_key(|e| e.0);
            x
        };
        let n = set.routes.len();
        let mut rows: Vec<(Features, usize, f32)> = Vec::new();
        for (i, r) in set.routes.iter().enumerate() {
            rows.push((f(&r.headline()), i, 1.0));
            rows.push((f(&r.title()), i, 1.0));
            for c in r.clauses() {
                rows.push((f(&c), i, 1.0));
            }
            for c in &r.examples {
                rows.push((f(c), i, 1.0));
            }
        }
        let inscope = rows.len();
        for c in &set.other_examples {
            rows.push((f(c), n, 1.0));
        }
        if set.other_examples.len() < 10 {
            let mut bg: Vec<(Features, f32)> = Vec::new();
            for (k, t) in background::sentences() {
                if matches!(k, Kind::Topic | Kind::Chat | Kind::Close) {
                    let x = f(t);
                    let m = rows[..inscope].iter().map(|r| kernel(&r.0, &x)).fold(f32::MIN, f32::max);
                    bg.push((x, m));
                }
            }
            let mut s: Vec<f32> = bg.iter().map(|b| b.1).collect();
            s.sort_by(f32::total_cmp);
            let cut = s[((s.len() as f32 - 1.0) * (1.0 - knob("drop", 0.45))) as usize];
            rows.extend(bg.into_iter().filter(|b| b.1 <= cut).map(|b| (b.0, n, 1.0)));
        }
        let mut tot = vec![0f32; n + 1];
        for r in &rows {
            tot[r.1] += r.2;
        }
        let classes = n + 1;
        let m = tot.iter().sum::<f32>() / tot.iter().filter(|t| **t > 0.0).count() as f32;
        let ow = if set.other_examples.len() >= 10 {
            ((mean / 20.0) * (mean / 20.0).sqrt()).clamp(0.1, 1.0)
        } else {
            knob("bgw", 0.3)
        };
        let c = knob("c", 60.0);
        let rows: Vec<Row<'_>> = rows
            .iter()
            .map(|(x, k, w)| Row { x, class: *k, cost: c * w * m / tot[*k] * if *k == n { ow } else { 1.0 } })
            .collect();
        regression::fit(&rows, classes, encoder.dims(), v.len(), knob("steps", 60.0) as usize)
    }

    fn logits(&self, t: &str) -> (Vec<f32>, Features) {
        let x = self.vocabulary.features(&self.encoder, t);
        let d = self.descriptions.score(&x);
        let n = self.n;
        let mut z;
        if let Some(m) = &self.model {
            z = vec![0.0; m.width()];
            m.apply(&x, &mut z);
            z.truncate(n + 1);
            for r in 0..n {
                z[r] += self.prior * d[r];
            }
            z[n] += self.prior * 0.27;
        } else {
            z = d.iter().map(|d| d / knob("t1", 0.1)).collect();
            z.push(f32::MIN);
        }
        (z, x)
    }

    fn margin(z: &[f32]) -> f32 {
        let mut p = z.to_vec();
        softmax(&mut p);
        let n = z.len() - 1;
        p[..n].iter().fold(0f32, |a, b| a.max(*b)) - p[n]
    }

    fn viewed(&self, t: &str) -> (Vec<f32>, Features, usize) {
        let t = text::bounded(t);
        let mut ss = text::sentences(&t);
        let mut t2 = t.clone();
        if ss.len() >= 2 {
            let k = ss.len();
            let drop: Vec<bool> = ss
                .iter()
                .enumerate()
                .map(|(i, s)| {
                    (i < 4 || i + 4 >= k) && {
                        let s: String = s.chars().take(200).collect();
                        self.acts.is_meta(&self.vocabulary.features(&self.encoder, &text::lower(&s)))
                    }
                })
                .collect();
            if drop.iter().any(|d| *d) {
                let keep: Vec<&str> = ss.iter().zip(&drop).filter(|(_, d)| !**d).map(|(s, _)| *s).collect();
                if keep.iter().map(|s| s.len()).sum::<usize>() >= 8 {
                    t2 = keep.join("\n");
                    ss = text::sentences(&t2);
                }
            }
        }
        let (mut z, x) = self.logits(&text::whole(&t2));
        if text::has_views(&t2, &ss) && !ss.is_empty() {
            let mut m = Self::margin(&z);
            let top = |z: &[f32]| (0..z.len() - 1).max_by(|a, b| z[*a].total_cmp(&z[*b])).unwrap_or(0);
            let mut tops = vec![top(&z)];
            for v in [text::head(&ss), text::tail(&ss)] {
                let (z2, _) = self.logits(&v);
                tops.push(top(&z2));
                let m2 = Self::margin(&z2);
                if m2 > m {
                    m = m2;
                    z = z2;
                }
            }
            let t = top(&z);
            return (z, x, 1 + tops.iter().filter(|x| **x != t).count());
        }
        (z, x, 0)
    }

    pub fn classify(&self, turns: &[Turn<'_>]) -> Scores {
        let mut users: Vec<(&str, &str)> = Vec::new();
        let mut said = "";
        for t in turns {
            match t.role {
                Role::User => {
                    users.push((t.text, said));
                    said = "";
                }
                Role::Assistant => said = t.text,
                Role::System => {}
            }
        }
        let n = self.n;
        let mut held: Option<usize> = None;
        let mut out = Scores { routes: vec![], other: 1.0, held: None, closing: false, z: vec![] };
        let desc = self.model.is_none();
        let b = knob("b", 3.5);
        let mo = knob("mo", 1.0);
        let (wa, wg) = (knob("wa", 0.2), knob("wg", 0.1));
        let mut disagree = 0;
        let b2 = knob("b2", 0.7);
        for (k, (u, said)) in users.iter().enumerate() {
            out.held = held;
            out.closing = false;
            let (mut z, x) = if k == 0 {
                let (z, x, d) = self.viewed(u);
                disagree = d;
                (z, x)
            } else {
                let (z, x) = self.logits(&text::whole(u));
                (z, x)
            };
            if k > 0 {
                let mut a = self.acts.act(&x);
                let last: String = said.chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect::<String>().to_lowercase();
                let more = ["anything else", "something else", "anything more", "any other", "further assist", "what else", "else i can", "help you with", "more help", "assist you"].iter().any(|c| last.contains(c));
                let asks = last.trim_end().ends_with('?') || last.contains("confirm");
                let shift = if more { knob("cmore", 0.0) } else if asks { knob("cask", -2.0) } else { 0.0 };
                if shift != 0.0 {
                    a.close *= libm::expf(shift);
                    let s = a.close + a.reply + a.content;
                    a.close /= s;
                    a.reply /= s;
                    a.content /= s;
                }
                if a.close > 0.5 {
                    out.closing = true;
                    let mut p = vec![(1.0 - a.close) / n as f32; n + 1];
                    p[n] = a.close;
                    out.z = p.iter().map(|p| libm::logf(*p)).collect();
                    continue;
                }
                if desc {
                    for z in &mut z {
                        *z *= knob("z2", 2.0);
                    }
                    z[n] = 0.27 / 0.05 * 0.7;
                }
                let g = if held.is_some() { a.content + a.close / 2.0 } else { 1.0 };
                for z in &mut z {
                    *z *= g;
                }
                if let Some(h) = held {
                    z[h] += b;
                    if b2 > 0.0 {
                        for r in 0..n {
                            if r != h {
                                z[r] += b2 * self.related[h * n + r];
                            }
                        }
                    }
                }
                if !said.is_empty() && (wa > 0.0 || wg > 0.0) {
                    let (mut za, _) = self.logits(&text::whole(said));
                    if desc {
                        for z in &mut za {
                            *z *= knob("z2", 2.0);
                        }
                        za[n] = 0.27 / 0.05 * 0.7;
                    }
                    let w = wa + wg * (1.0 - g);
                    let m = za[..n].iter().sum::<f32>() / n as f32;
                    for r in 0..n {
                        z[r] += w * (za[r] - m);
                    }
                }
                z[n] -= mo;
            } else {
                // diffuse mass
                let tau = if desc {
                    knob("tau_d", 0.3)
                } else if self.negatives {
                    knob("tau_n", 0.2)
                } else {
                    knob("tau_x", 0.25)
                };
                let top = z.iter().fold(f32::MIN, |m, v| m.max(*v));
                let lead = (0..n).max_by(|a, b| z[*a].total_cmp(&z[*b])).unwrap_or(0);
                let rho = if desc { knob("rhod", 0.0) } else { knob("rhox", 0.0) };
                let s: f32 = (0..n).map(|r| libm::expf(z[r] - top) * (1.0 - rho * self.related[lead * n + r])).sum();
                z[n] = top + libm::logf(libm::expf(z[n] - top) + tau * s);
            }
            let best = (0..n).max_by(|a, b| z[*a].total_cmp(&z[*b]).then(b.cmp(a))).unwrap_or(0);
            if z[best] > z[n] {
                held = Some(best);
            }
            out.z = z;
        }
        let t = if users.len() > 1 { if desc { knob("tmd", 1.1) } else { knob("tm", 0.8) } } else if self.model.is_none() { knob("td", 0.7) } else { knob("tl", 0.6) };
        let t = if users.len() > 1 || disagree == 0 || !desc { t } else { t * [1.5, 2.0, 2.0][disagree - 1] };
        let lam = if users.len() > 1 { 0.0 } else if desc { 1.0 } else { knob("laml", 0.0) };
        let zb = out.z[..n].iter().fold(f32::MIN, |a, b| a.max(*b));
        out.z[n] += lam * (out.z[n] - zb);
        let mut p: Vec<f32> = out.z.iter().map(|z| z / t).collect();
        softmax(&mut p);
        out.other = p[n];
        p.truncate(n);
        out.routes = p;
        out
    }
}
