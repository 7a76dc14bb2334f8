//! The answer: a probability for each route and for none of them.
//!
//! The temperatures are the ones that made stated probabilities agree with how often they were right, over seven
//! public sets with and without examples; they change no decision.

/// The least probability at which the best route is taken, unless a policy says otherwise. The best route must also
/// be more probable than none.
///
/// It is low on purpose: probabilities are calibrated, so "more probable than none of them" already is the decision
/// with the fewest errors. A higher threshold trades answers for certainty.
pub const DEFAULT_THRESHOLD: f32 = 0.2;

/// Temperature of a single prompt for a trained classifier.
const TRAINED: f32 = 0.6;
/// Temperature of a turn in a conversation for a trained classifier.
const TRAINED_TURN: f32 = 0.8;
/// Temperature of a single prompt when only descriptions are known.
const DESCRIBED: f32 = 0.7;
/// Temperature of a turn in a conversation when only descriptions are known.
const DESCRIBED_TURN: f32 = 1.2;
/// With descriptions alone the lead over *none* says more than the lead over other routes: it counts this much more.
const DESCRIBED_LEAD: f32 = 1.0;
/// With descriptions alone the best of several views is too good: its temperature is multiplied by this much.
const AGREEING_VIEWS: f32 = 1.5;
/// As above, when the views favour different routes.
const DIFFERING_VIEWS: f32 = 2.0;

/// Which part of a long prompt decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// The whole prompt (both ends of a long one).
    #[default]
    Whole,
    /// Its first sentences.
    Head,
    /// Its last sentences.
    Tail,
    /// A paragraph between its ends.
    Middle,
}

impl View {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Whole, Self::Head, Self::Tail, Self::Middle];

    /// The view's name in explanations: `whole`, `head`, `tail` or `middle`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Head => "head",
            Self::Tail => "tail",
            Self::Middle => "middle",
        }
    }
}

/// Probabilities of one conversation's last user turn. All of them and `other` sum to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// One per route, in policy order.
    pub routes: Vec<f32>,
    /// That no route fits, or that the conversation is over.
    pub other: f32,
    /// The route the conversation was on before the last user turn.
    pub held: Option<usize>,
    /// Whether the last user turn ends the conversation ("thanks, bye").
    pub closing: bool,
    /// Which part of the last user turn decided.
    pub view: View,
    /// The share of the turn's words and character n-grams that the classifier never saw, 0 to 1. Near 1 the answer
    /// rests on little.
    pub unknown_share: f32,
    /// Whether the turn was read on its own: nothing was said or held before it that counts.
    pub alone: bool,
}

impl Scores {
    /// The most probable route and its probability; the first of equals.
    #[must_use]
    pub fn best(&self) -> Option<(usize, f32)> {
        let mut best: Option<(usize, f32)> = None;
        for (route, &p) in self.routes.iter().enumerate() {
            if best.is_none_or(|(_, top)| p > top) {
                best = Some((route, p));
            }
        }
        best
    }

    /// The route to take: the best one, if it reaches the threshold and is more probable than none.
    #[must_use]
    pub fn decide(&self, threshold: f32) -> Option<usize> {
        self.best()
            .filter(|&(_, p)| p >= threshold && p > self.other)
            .map(|(route, _)| route)
    }

    /// The probability of the answer that [`Scores::decide`] gives: of the route, or of no route.
    #[must_use]
    pub fn confidence(&self, threshold: f32) -> f32 {
        self.decide(threshold)
            .map_or(self.other, |route| self.routes[route])
    }

    /// The answer where there is nothing to go by: no route.
    pub(crate) fn nothing(routes: usize) -> Self {
        let share = 0.1 / routes.max(1) as f32;
        Self {
            routes: vec![share; routes],
            other: if routes == 0 { 1.0 } else { 0.9 },
            held: None,
            closing: false,
            view: View::Whole,
            unknown_share: 0.0,
            alone: false,
        }
    }
}

/// Adds a share of all routes' mass to the logit of none: a prompt that fits every route a little fits none.
pub(crate) fn add_diffuse(z: &mut [f32], share: f32) {
    let Some((none, routes)) = z.split_last_mut() else {
        return;
    };
    let top = routes.iter().fold(*none, |top, &v| top.max(v));
    let mass: f32 = routes.iter().map(|&v| libm::expf(v - top)).sum();
    *none = top + libm::logf(libm::expf(*none - top) + share * mass);
}

/// How the logits came about, which says how far to believe them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// From a regression on examples, not from descriptions alone.
    pub(crate) trained: bool,
    /// From a conversation of several user turns.
    pub(crate) conversation: bool,
    /// The views of a single prompt: none looked at, or whether they favoured one route.
    pub(crate) views_agree: Option<bool>,
}

/// Divides logits (routes, then *none*) by what fits their origin; order is kept.
pub(crate) fn temper(z: &mut [f32], origin: Origin) {
    let Some((other, routes)) = z.split_last_mut() else {
        return;
    };
    let best = routes.iter().fold(f32::MIN, |top, &v| top.max(v));
    let temperature = match (origin.trained, origin.conversation) {
        (true, false) => TRAINED,
        (true, true) => TRAINED_TURN,
        (false, true) => DESCRIBED_TURN,
        (false, false) => {
            *other += DESCRIBED_LEAD * (*other - best);
            DESCRIBED
                * match origin.views_agree {
                    None => 1.0,
                    Some(true) => AGREEING_VIEWS,
                    Some(false) => DIFFERING_VIEWS,
                }
        }
    };
    for value in z {
        *value /= temperature;
    }
}
