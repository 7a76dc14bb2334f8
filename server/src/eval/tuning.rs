//! The words for what tuning found: what moved, what it brings, and the lines of YAML to write.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Share;
use super::report::percent;
use super::tune::{AskPoint, Tuning};

impl Tuning {
    /// For a terminal, 80 columns.
    pub fn text(&self) -> String {
        let mut out = String::from("\ntuning\n");
        let threshold = &self.threshold;
        let now = threshold
            .now
            .map_or("the usual".to_owned(), |now| format!("{now}"));
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "  evidence.threshold      {now}: {} right; {}: {} by cross-validation",
            percent(threshold.right_now).trim(),
            threshold.best,
            percent(threshold.expected).trim(),
        );
        match &self.encoder {
            None => out += "  evidence.encoder        off; set it to `builtin` to see what it brings\n",
            Some(encoder) => {
                out += "  evidence.encoder_below   asked     right\n";
                for (value, asked, right) in encoder.points.iter().step_by(2) {
                    let _ = writeln!(
                        out,
                        "      {value:.2}               {}   {}",
                        percent(*asked),
                        percent(*right)
                    );
                }
            }
        }
        out += "  llm.ask_below            asked     right of the others   right of those asked\n";
        for AskPoint {
            below,
            asked,
            kept,
            unsure,
        } in self.llm.points.iter().step_by(2)
        {
            let [asked, kept, unsure] = [asked, kept, unsure].map(|share| percent(*share));
            let _ = writeln!(
                out,
                "      {below:.2}               {asked}   {kept}               {unsure}"
            );
        }
        out += "  suggested\n";
        for line in self.advice() {
            let _ = writeln!(out, "    {line}");
        }
        out
    }

    /// What to write into the policy, as YAML with the reason behind each setting; where nothing is better, that.
    pub fn advice(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut evidence = Vec::new();
        if self.threshold.advised {
            evidence.push(format!("threshold: {}", self.threshold.best));
        }
        match self.encoder.as_ref().map(|encoder| encoder.advised) {
            Some(Some(below)) => evidence.push(format!("encoder_below: {below}")),
            Some(None) => evidence.push("encoder: off".to_owned()),
            None => {}
        }
        if !evidence.is_empty() {
            lines.push(format!("evidence: {{{}}}", evidence.join(", ")));
        }
        if !self.threshold.advised {
            lines.push("# the threshold stays: no other is better by more than chance".to_owned());
        }
        if let Some(Some(below)) = self.encoder.as_ref().map(|encoder| encoder.advised) {
            lines.push(format!(
                "# asking the encoder below {below} brings three quarters of what it can"
            ));
        }
        if self
            .encoder
            .as_ref()
            .is_some_and(|encoder| encoder.advised.is_none())
        {
            lines.push("# the encoder brings no more than chance".to_owned());
        }
        let aim = self.llm.aim * 100.0;
        lines.push(match self.llm.advised {
            Some(below) => {
                format!("llm: {{ask_below: {below}}}   # {aim} % of what it is not asked about is right")
            }
            None => format!(
                "# no `llm.ask_below` leaves a part of which {aim} % is right without a language model"
            ),
        });
        lines
    }

    /// For programs; shares are 0..=1, `null` of nothing.
    pub fn json(&self) -> Value {
        let value = |share: &Share| share.value();
        let threshold = &self.threshold;
        json!({
            "threshold": {
                "now": threshold.now,
                "accuracy_now": threshold.right_now.value(),
                "best": threshold.best,
                "accuracy_cross_validated": threshold.expected.value(),
                "advised": threshold.advised.then_some(threshold.best),
                "points": threshold.points.iter().map(|(at, right)| json!([at, value(right)])).collect::<Vec<_>>(),
            },
            "encoder_below": self.encoder.as_ref().map(|encoder| json!({
                "now": encoder.now,
                "advised": encoder.advised,
                "points": encoder.points.iter()
                    .map(|(at, asked, right)| json!([at, value(asked), value(right)])).collect::<Vec<_>>(),
            })),
            "ask_below": {
                "now": self.llm.now,
                "aim": self.llm.aim,
                "advised": self.llm.advised,
                "points": self.llm.points.iter()
                    .map(|p| json!([p.below, value(&p.asked), value(&p.kept), value(&p.unsure)])).collect::<Vec<_>>(),
            },
        })
    }
}
