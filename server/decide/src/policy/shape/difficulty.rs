//! The grammar of the choice between a strong and a weak model by the difficulty of a prompt.

use super::{FILLED, Field, ID, Kind, Object, SHARE, object, optional, required};

pub(in crate::policy) static STRONG_WEAK: Object = object(
    "strong_weak",
    "Two of the route's models: the weak one where it probably does as well. Needs `difficulty`.",
    &[
        required("strong", "The dear and good model.", ID),
        required("weak", "The cheap one.", ID),
        required(
            "threshold",
            "Difficulty, the share of the labelled prompts that are easier, from which the strong one is used: 0.6 sends \
             the hardest 40 % to it.",
            SHARE,
        ),
    ],
);

pub(in crate::policy) static DIFFICULTY: Object = object(
    "difficulty",
    "How difficult a prompt is, learned when the policy loads.",
    &[required(
        "outcomes",
        "Labelled outcomes, a JSON object a line: `{\"prompt\": TEXT, \"scores\": {MODEL: 0..1, …}}`, other keys are \
         ignored. A relative path is taken from the policy file's folder. A thousand lines are good, a few hundred help.",
        FILLED,
    )],
);

pub(super) const DIFFICULTY_FIELD: Field = optional(
    "difficulty",
    "What `select: {strong, weak, threshold}` learns from.",
    Kind::Object(&DIFFICULTY),
);
