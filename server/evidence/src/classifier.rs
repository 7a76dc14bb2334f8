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
        Self { encoder, vocabulary: v, descriptions, model, prior, acts, n, negatives }
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
            z = d.iter().map(|d| d / 0.1).collect();
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

    fn viewed(&self, t: &str) -> (Vec<f32>, Features) {
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
            for v in [text::head(&ss), text::tail(&ss)] {
                let (z2, _) = self.logits(&v);
                let m2 = Self::margin(&z2);
                if m2 > m {
                    m = m2;
                    z = z2;
                }
            }
        }
        (z, x)
    }

    pub fn classify(&self, turns: &[Turn<'_>]) -> Scores {
        let users: Vec<&str> = turns.iter().filter(|t| t.role == Role::User).map(|t| t.text).collect();
        let n = self.n;
        let mut held: Option<usize> = None;
        let mut out = Scores { routes: vec![], other: 1.0, held: None, closing: false, z: vec![] };
        let b = knob("b", 3.5);
        let mo = knob("mo", 1.0);
        for (k, u) in users.iter().enumerate() {
            out.held = held;
            out.closing = false;
            let (mut z, x) = if k == 0 {
                self.viewed(u)
            } else {
                let (z, x) = self.logits(&text::whole(u));
                (z, x)
            };
            if k > 0 {
                let a = self.acts.act(&x);
                if a.close > 0.5 {
                    out.closing = true;
                    let mut p = vec![(1.0 - a.close) / n as f32; n + 1];
                    p[n] = a.close;
                    out.z = p.iter().map(|p| libm::logf(*p)).collect();
                    continue;
                }
                if self.model.is_none() {
                    for z in &mut z {
                        *z *= 2.0;
                    }
                    z[n] = 0.27 / 0.05 * 0.7;
                }
                if let Some(h) = held {
                    let g = a.content + a.close / 2.0;
                    for z in &mut z {
                        *z *= g;
                    }
                    z[h] += b;
                }
                z[n] -= mo;
            } else {
                // diffuse mass
                let tau = if self.model.is_none() {
                    knob("tau_d", 0.23)
                } else if self.negatives {
                    knob("tau_n", 0.2)
                } else {
                    knob("tau_x", 0.25)
                };
                let top = z.iter().fold(f32::MIN, |m, v| m.max(*v));
                let s: f32 = z[..n].iter().map(|z| libm::expf(z - top)).sum();
                z[n] = top + libm::logf(libm::expf(z[n] - top) + tau * s);
            }
            let best = (0..n).max_by(|a, b| z[*a].total_cmp(&z[*b]).then(b.cmp(a))).unwrap_or(0);
            if z[best] > z[n] {
                held = Some(best);
            }
            out.z = z;
        }
        let t = if users.len() > 1 { knob("tm", 1.0) } else if self.model.is_none() { knob("td", 0.7) } else { knob("tl", 0.7) };
        let mut p: Vec<f32> = out.z.iter().map(|z| z / t).collect();
        softmax(&mut p);
        out.other = p[n];
        p.truncate(n);
        out.routes = p;
        out
    }
}
