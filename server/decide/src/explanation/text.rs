//! An explanation for a terminal, 80 columns at most where names allow. Golden snapshots keep it readable.

mod rules;

use std::fmt::{self, Write};

use super::wrap::wrap;
use super::{CanarySeen, Explanation, RungSeen};
use crate::candidates::{Candidate, Score, Term};
use crate::decision::{Decision, Source};
use crate::evidence::RouteScores;
use crate::plan::{Combine, Plan, Prefer};
use crate::policy::{Policy, PreferSize};
use crate::query::Objective;

/// Routes shown; the rest are counted.
const SHOWN: usize = 8;

impl Explanation {
    /// The whole explanation as plain text. `policy` must be the one that decided.
    pub fn text(&self, policy: &Policy) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(policy, &mut out);
        wrap(&out)
    }

    fn write(&self, policy: &Policy, out: &mut String) -> fmt::Result {
        match &self.outcome {
            Ok(decision) => self.headline(policy, decision, out)?,
            Err(refused) => writeln!(out, "refused ({}): {refused}", refused.reason())?,
        }
        rules::write(policy, &self.rules, out)?;
        self.routes(policy, out)?;
        for rung in &self.rungs {
            write_rung(policy, rung, out)?;
        }
        self.counterfactual(policy, out)
    }

    fn headline(&self, policy: &Policy, decision: &Decision, out: &mut String) -> fmt::Result {
        writeln!(out, "{}", policy.models[decision.model].id)?;
        writeln!(out, "  because {}", decision.reason)?;
        if decision.plan != Plan::Single {
            writeln!(out, "  plan: {}", plan(policy, decision))?;
        }
        if let Some(stay) = decision.session.filter(|_| decision.source != Source::Session) {
            writeln!(out, "  session: {stay}")?;
        }
        for lost in &decision.degraded {
            writeln!(out, "  degraded: {}: {}", lost.code, lost.detail)?;
        }
        Ok(())
    }

    fn routes(&self, policy: &Policy, out: &mut String) -> fmt::Result {
        let threshold = self.threshold.unwrap_or_default();
        if let Some(scores) = &self.scores {
            writeln!(out, "\nroutes (a route decides from {threshold:.2})")?;
            write_scores(policy, scores, out)?;
        }
        if let Some(scores) = &self.encoder {
            writeln!(
                out,
                "\nroutes by the encoder (a route decides from {threshold:.2})"
            )?;
            write_scores(policy, scores, out)?;
        }
        if let Some(llm) = &self.llm {
            writeln!(
                out,
                "\nroutes by the language model (a route decides from {threshold:.2})"
            )?;
            if !llm.measured {
                writeln!(out, "  it gave a name without probabilities")?;
            }
            writeln!(out, "  {llm}")?;
            write_scores(policy, &llm.scores, out)?;
        }
        Ok(())
    }

    fn counterfactual(&self, policy: &Policy, out: &mut String) -> fmt::Result {
        match &self.without_winner {
            None => Ok(()),
            Some(Ok(next)) => {
                let (id, source) = (&policy.models[next.model].id, next.source.as_str());
                writeln!(out, "\nwithout the winner: {id} ({source})")
            }
            Some(Err(refused)) => writeln!(out, "\nwithout the winner: refused ({})", refused.reason()),
        }
    }
}

fn write_scores(policy: &Policy, scores: &RouteScores, out: &mut String) -> fmt::Result {
    let mut rows: Vec<(&str, f32)> = Vec::with_capacity(scores.routes.len() + 1);
    rows.extend(
        policy
            .scored()
            .iter()
            .map(|r| r.name.as_str())
            .zip(scores.routes.iter().copied()),
    );
    rows.push(("(no route)", scores.other));
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (name, p) in rows.iter().take(SHOWN) {
        let bar = "#".repeat((p * 20.0).round() as usize);
        writeln!(out, "  {name:<28} {p:>6.3}  {bar}")?;
    }
    if let Some(more) = rows.len().checked_sub(SHOWN).filter(|&n| n > 0) {
        writeln!(out, "  … and {more} more")?;
    }
    if scores.closing {
        writeln!(out, "  the last message only closes the conversation")?;
    }
    if let Some(held) = scores.held {
        writeln!(
            out,
            "  the conversation was on `{}` before",
            policy.scored()[held].name
        )?;
    }
    Ok(())
}

fn write_rung(policy: &Policy, seen: &RungSeen, out: &mut String) -> fmt::Result {
    let end = if seen.won {
        ""
    } else {
        ", none of its models may serve this request"
    };
    writeln!(out, "\n{}: {}{end}", seen.rung.as_str(), seen.what)?;
    if let Some(judged) = seen.judged {
        writeln!(out, "  chosen by {judged}")?;
    }
    for canary in &seen.canaries {
        write_canary(policy, canary, out)?;
    }
    if let Some(size) = seen.size {
        let size = match size {
            PreferSize::Smallest => "smallest",
            PreferSize::Largest => "largest",
        };
        writeln!(out, "  {size} first among equals")?;
    }
    if seen.objective != Objective::Order {
        writeln!(out, "  chosen by {}", objective(seen.objective))?;
    }
    for (place, &model) in seen.order.iter().enumerate() {
        if let Some(candidate) = seen.candidates.iter().find(|c| c.model == model) {
            write!(out, "  {}. {:<34}", place + 1, policy.models[model].id)?;
            if candidate.family_rank < seen.families {
                let place = candidate.family_rank + 1;
                write!(out, " preferred family {place} of {},", seen.families)?;
            }
            write_facts(candidate, out)?;
        }
    }
    for candidate in seen.candidates.iter().filter(|c| !c.refusals.is_empty()) {
        let why: Vec<String> = candidate.refusals.iter().map(ToString::to_string).collect();
        writeln!(
            out,
            "  -  {:<34} {}",
            policy.models[candidate.model].id,
            why.join(" and ")
        )?;
    }
    Ok(())
}

fn write_canary(policy: &Policy, seen: &CanarySeen, out: &mut String) -> fmt::Result {
    let canary = &policy.canaries[seen.canary];
    write!(out, "  canary `{}`: ", canary.name)?;
    let Some(point) = seen.point else {
        return writeln!(out, "out, the request has no {}", canary.key);
    };
    let point = point as f64 / 2f64.powi(64);
    let model = &policy.models[canary.model].id;
    match (seen.inside, seen.won) {
        (false, _) => writeln!(out, "out, {point:.4} is not below {}", canary.share),
        (true, true) => writeln!(
            out,
            "in, {point:.4} is below {}: {model} goes first",
            canary.share
        ),
        (true, false) => writeln!(out, "in, but {model} may not serve this request"),
    }
}

fn write_facts(candidate: &Candidate, out: &mut String) -> fmt::Result {
    if let Some(score) = &candidate.score {
        write!(out, " score {:.4} = {}", score.total, terms(score))?;
    }
    match candidate.estimate.cost_usd {
        Some(cost) => write!(out, " {cost:.6} USD")?,
        None => write!(out, " cost unknown")?,
    }
    match candidate.estimate.latency_ms {
        Some(ms) => write!(out, ", {ms:.0} ms")?,
        None => write!(out, ", time unknown")?,
    }
    match &candidate.health {
        Some(health) => writeln!(out, " ({health})"),
        None => writeln!(out),
    }
}

fn terms(score: &Score) -> String {
    let mut text = String::new();
    let named = [
        ("quality", score.quality),
        ("latency", score.latency),
        ("cost", score.cost),
    ];
    for (
        name,
        Term {
            value,
            weight,
            unknown,
            ..
        },
    ) in named.into_iter().filter(|(_, t)| t.weight > 0.0)
    {
        let sign = if name == "quality" { "+" } else { "-" };
        let mark = if unknown { " (unknown)" } else { "" };
        let _ = write!(text, "{sign} {weight:.2} × {name} {value:.3}{mark} ");
    }
    format!("{}|", text.trim_start_matches("+ "))
}

/// What to do, in words.
fn plan(policy: &Policy, decision: &Decision) -> String {
    let id = |model: &usize| policy.models[*model].id.as_str();
    let ids = |models: &[usize]| models.iter().map(id).collect::<Vec<_>>();
    let model = id(&decision.model);
    match &decision.plan {
        Plan::Single => format!("ask {model}"),
        Plan::Cascade { models, accept_at } => {
            let models = ids(models).join(", then ");
            format!("ask {models}; accept an answer from confidence {accept_at}")
        }
        Plan::Ensemble {
            models,
            combine,
            judge,
        } => {
            let judge = judge.as_ref().map_or(model, id);
            let how = match combine {
                Combine::Majority => "what most say counts".to_owned(),
                Combine::BestOf => format!("{judge} picks the best answer"),
                Combine::Merge => format!("{judge} writes one answer from theirs"),
            };
            format!("ask {} at once; {how}", ids(models).join(", "))
        }
        Plan::Speculative {
            fast,
            slow,
            prefer: Prefer::Fast,
            wait_ms,
        } => format!(
            "ask {}; after {wait_ms} ms {}, too, and the first answer counts",
            id(fast),
            id(slow)
        ),
        Plan::Speculative {
            fast, slow, wait_ms, ..
        } => format!(
            "ask {} and {} at once; the latter's answer counts if it comes within {wait_ms} ms",
            id(fast),
            id(slow)
        ),
        Plan::ToolThenModel { tool } => format!("call tool {tool}, then ask {model} with its result"),
    }
}

fn objective(objective: Objective) -> String {
    match objective {
        Objective::Order => "the order of the policy".to_owned(),
        Objective::Cheapest => "lowest cost".to_owned(),
        Objective::Fastest => "lowest latency".to_owned(),
        Objective::Best => "highest quality".to_owned(),
        Objective::Weights(w) => format!(
            "weights: quality {}, latency {}, cost {}",
            w.quality, w.latency, w.cost
        ),
    }
}
