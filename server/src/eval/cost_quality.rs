//! The figures of a choice between a strong and a weak model: CPT50, CPT80, APGR and the area under the cost-quality curve.
//!
//! Definitions, as RouteLLM has them. Prompts go to the strong model from the most difficult on; equal scores go together.
//! The curve is read at ten equal shares of strong calls. APGR: the mean part of the gap in quality between the weak and
//! the strong model that is closed; 0.5 is chance. CPTx: the share of strong calls, in %, that closes x % of the gap. The
//! area is that under the best quality reachable at each cost, the mean over the costs from the weak to the strong model.

use anyhow::Context;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Shares of strong calls at which the curve is read.
const BINS: usize = 10;
/// Costs at which the area is summed.
const STEPS: usize = 400;

/// One prompt with what two models made of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Line {
    /// Unique id.
    pub id: String,
    /// Lines of one benchmark are reported together.
    #[serde(default)]
    pub benchmark: String,
    /// The prompt.
    pub prompt: String,
    /// 0..=1 by model.
    pub scores: BTreeMap<String, f64>,
    /// USD by model.
    #[serde(default)]
    pub cost_usd: BTreeMap<String, f64>,
    /// The strong model.
    pub strong: String,
    /// The weak one.
    pub weak: String,
}

/// A line's figures beside the difficulty that was predicted for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// The higher, the more the strong model is needed.
    pub difficulty: f64,
    /// Quality of the weak and of the strong model, 0..=1.
    pub quality: [f64; 2],
    /// Cost of the weak and of the strong model, USD; 0 where the set has none.
    pub cost: [f64; 2],
}

/// A point of the curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Part of the prompts that go to the strong model.
    pub strong: f64,
    /// Mean quality.
    pub quality: f64,
    /// Mean cost, USD.
    pub cost: f64,
}

/// All figures of one benchmark.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Prompts.
    pub n: usize,
    /// From no strong call to strong calls only.
    pub curve: Vec<Point>,
    /// `None` where strong and weak are equally good.
    pub apgr: Option<f64>,
    /// Strong calls for half of the gap, %.
    pub cpt50: Option<f64>,
    /// Strong calls for four fifths of the gap, %.
    pub cpt80: Option<f64>,
    /// Area under the cost-quality curve.
    pub area: f64,
}

/// Whether a set is one of this kind: its lines have `scores`.
pub fn is_cost_quality(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty());
    let value = first.and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    value.is_some_and(|value| value.get("scores").is_some())
}

/// Reads a set.
///
/// # Errors
/// The number of the first line that is not as described, and what is wrong with it.
pub fn read(text: &str) -> anyhow::Result<Vec<Line>> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            let line: Line = serde_json::from_str(line).with_context(|| format!("line {}", number + 1))?;
            for model in [&line.strong, &line.weak] {
                anyhow::ensure!(
                    line.scores.contains_key(model),
                    "line {}: no score of `{model}`",
                    number + 1
                );
            }
            Ok(line)
        })
        .collect()
}

impl Line {
    /// The line with a difficulty.
    pub fn judged(&self, difficulty: f64) -> Judged {
        let of = |values: &BTreeMap<String, f64>| {
            [&self.weak, &self.strong].map(|model| values.get(model).copied().unwrap_or(0.0))
        };
        Judged {
            difficulty,
            quality: of(&self.scores),
            cost: of(&self.cost_usd),
        }
    }
}

impl Figures {
    /// Of at least one prompt.
    pub fn new(judged: &[Judged]) -> Self {
        let curve = curve(judged);
        let (weak, strong) = (curve[0], curve[curve.len() - 1]);
        let gap = strong.quality - weak.quality;
        let shares: Vec<f64> = (0..=BINS).map(|bin| bin as f64 / BINS as f64).collect();
        let (xs, ys): (Vec<f64>, Vec<f64>) = curve.iter().map(|p| (p.strong, p.quality)).unzip();
        let binned: Vec<f64> = shares.iter().map(|&share| interpolate(share, &xs, &ys)).collect();
        let some = gap.abs() > 1e-9;
        let cpt = |part: f64| some.then(|| 100.0 * interpolate(weak.quality + gap * part, &binned, &shares));
        let mut area = 0.0;
        for bin in 0..BINS {
            area += (shares[bin + 1] - shares[bin]) * (binned[bin] + binned[bin + 1]) / 2.0;
        }
        Figures {
            n: judged.len(),
            apgr: some.then(|| (area - weak.quality) / gap),
            cpt50: cpt(0.5),
            cpt80: cpt(0.8),
            area: hull_area(&curve, weak.cost.min(strong.cost), weak.cost.max(strong.cost)),
            curve,
        }
    }
}

/// All thresholds, from the hardest prompt on.
fn curve(judged: &[Judged]) -> Vec<Point> {
    let n = judged.len() as f64;
    let mut sorted: Vec<&Judged> = judged.iter().collect();
    sorted.sort_by(|a, b| b.difficulty.total_cmp(&a.difficulty));
    let mut quality: f64 = judged.iter().map(|j| j.quality[0]).sum();
    let mut cost: f64 = judged.iter().map(|j| j.cost[0]).sum();
    let mut strong = 0;
    let mut points = vec![Point {
        strong: 0.0,
        quality: quality / n,
        cost: cost / n,
    }];
    for same in sorted.chunk_by(|a, b| a.difficulty == b.difficulty) {
        for j in same {
            quality += j.quality[1] - j.quality[0];
            cost += j.cost[1] - j.cost[0];
        }
        strong += same.len();
        points.push(Point {
            strong: strong as f64 / n,
            quality: quality / n,
            cost: cost / n,
        });
    }
    points
}

/// `numpy.interp`, also for `xs` that do not only rise, which it reads by bisection.
fn interpolate(x: f64, xs: &[f64], ys: &[f64]) -> f64 {
    let last = xs.len() - 1;
    if x <= xs[0] {
        return ys[0];
    }
    if x >= xs[last] {
        return ys[last];
    }
    let (mut low, mut high) = (0, last);
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        if xs[middle] <= x {
            low = middle;
        } else {
            high = middle;
        }
    }
    if xs[high] == xs[low] {
        return ys[low];
    }
    ys[low] + (ys[high] - ys[low]) * (x - xs[low]) / (xs[high] - xs[low])
}

/// The mean height of the upper concave, non-decreasing hull of (cost, quality) between two costs.
fn hull_area(points: &[Point], from: f64, to: f64) -> f64 {
    let mut sorted: Vec<(f64, f64)> = points.iter().map(|p| (p.cost, p.quality)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut hull: Vec<(f64, f64)> = Vec::new();
    let mut best = -1.0;
    for p in sorted {
        if p.1 <= best {
            continue;
        }
        best = p.1;
        while let [.., a, b] = hull[..] {
            if (b.1 - a.1) * (p.0 - a.0) > (p.1 - a.1) * (b.0 - a.0) {
                break;
            }
            hull.pop();
        }
        hull.push(p);
    }
    let (xs, ys): (Vec<f64>, Vec<f64>) = hull.into_iter().unzip();
    if to <= from {
        return ys[ys.len() - 1];
    }
    let mut area = 0.0;
    for step in 0..=STEPS {
        let x = from + (to - from) * step as f64 / STEPS as f64;
        let y = if x < xs[0] - 1e-15 {
            0.0
        } else {
            interpolate(x, &xs, &ys)
        };
        area += if step == 0 || step == STEPS { y / 2.0 } else { y };
    }
    area / STEPS as f64
}

#[cfg(test)]
mod tests;
