//! What came out for one set: accuracy, calibration, and whole conversations.

use std::collections::BTreeMap;

use super::data::Case;

#[derive(Default)]
pub(crate) struct Outcome {
    /// Per case: whether it was in scope, right, and how sure.
    cases: Vec<(bool, bool, f32)>,
    conversations: BTreeMap<String, Vec<(u32, bool, String)>>,
    compile_seconds: f32,
    /// How often the encoder was asked.
    pub(crate) asked: usize,
    /// How often an order to choose a route was followed.
    pub(crate) obeyed: usize,
}

fn percent(right: usize, all: usize) -> f64 {
    100.0 * right as f64 / all.max(1) as f64
}

impl Outcome {
    pub(crate) fn new(compile_seconds: f32) -> Self {
        Self {
            compile_seconds,
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, case: &Case, right: bool, confidence: f32) {
        self.cases
            .push((case.expected_route != "other", right, confidence));
        if let Some(id) = &case.conversation_id {
            let turns = self.conversations.entry(id.clone()).or_default();
            turns.push((case.turn, right, case.expected_route.clone()));
        }
    }

    fn accuracy(&self, scope: Option<bool>) -> f64 {
        let of_scope = self.cases.iter().filter(|case| scope.is_none_or(|s| s == case.0));
        let (all, right) = of_scope.fold((0, 0), |(all, right), case| {
            (all + 1, right + usize::from(case.1))
        });
        percent(right, all)
    }

    pub(crate) fn line(&self) -> String {
        let mut line = format!(
            "accuracy {:5.1} (in scope {:5.1}, other {:5.1})  ECE {:.3}  compile {:.2} s",
            self.accuracy(None),
            self.accuracy(Some(true)),
            self.accuracy(Some(false)),
            self.calibration_error(),
            self.compile_seconds,
        );
        let share = |count| percent(count, self.cases.len());
        if self.asked > 0 {
            line += &format!("  asked {:.0} %", share(self.asked));
        }
        if self.obeyed > 0 {
            line += &format!("  obeyed {:.1} %", share(self.obeyed));
        }
        if !self.conversations.is_empty() {
            let (spans, right, whole) = self.spans();
            line += &format!(
                "  span {:.1}, conversation {:.1}",
                percent(right, spans),
                percent(whole, self.conversations.len())
            );
        }
        line
    }

    /// Ten bins of equal width.
    fn calibration_error(&self) -> f64 {
        let mut bins = [(0f64, 0f64); 10];
        for &(_, right, confidence) in &self.cases {
            let bin = &mut bins[((confidence * 10.0) as usize).min(9)];
            bin.0 += f64::from(confidence);
            bin.1 += f64::from(u8::from(right));
        }
        bins.iter().map(|(sure, right)| (sure - right).abs()).sum::<f64>() / self.cases.len() as f64
    }

    /// Runs of turns on one route: how many, how many all right; and conversations all right.
    fn spans(&self) -> (usize, usize, usize) {
        let (mut spans, mut right, mut whole) = (0, 0, 0);
        for turns in self.conversations.values() {
            let mut turns = turns.clone();
            turns.sort();
            whole += usize::from(turns.iter().all(|turn| turn.1));
            for span in turns.chunk_by(|a, b| a.2 == b.2) {
                spans += 1;
                right += usize::from(span.iter().all(|turn| turn.1));
            }
        }
        (spans, right, whole)
    }
}

/// The mean of several sets, each weighing the same.
pub(crate) fn mean(outcomes: &[Outcome]) -> String {
    let mean = |of: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / outcomes.len() as f64;
    format!(
        "accuracy {:5.1} (in scope {:5.1}, other {:5.1})  ECE {:.3}  asked {:.0} %  obeyed {:.1} %",
        mean(&|o| o.accuracy(None)),
        mean(&|o| o.accuracy(Some(true))),
        mean(&|o| o.accuracy(Some(false))),
        mean(&Outcome::calibration_error),
        mean(&|o| percent(o.asked, o.cases.len())),
        mean(&|o| percent(o.obeyed, o.cases.len())),
    )
}
