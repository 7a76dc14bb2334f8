//! What Signalbox reads of other products' files. These objects are open: keys that are not listed belong to the other
//! product and are ignored with a remark.

use super::{FILLED, ID, Kind, NAME, Object, Text, list, object, optional, required};

const fn open(object: Object) -> Object {
    Object { open: true, ..object }
}

pub(in crate::policy) static PLANO: Object = open(object(
    "plano",
    "Plano's configuration.",
    &[
        optional(
            "llm_providers",
            "Models, in the older spelling.",
            list(&PROVIDER_ITEM),
        ),
        optional("model_providers", "Models.", list(&PROVIDER_ITEM)),
        optional(
            "routing_preferences",
            "Routes with a pool of models each.",
            list(&PREFERENCE_ITEM),
        ),
        optional("model_aliases", "Other names for models.", Kind::Map(&ALIAS_ITEM)),
    ],
));

pub(in crate::policy) static PLANO_PROVIDER: Object = open(object(
    "plano_provider",
    "One model of a provider.",
    &[
        required("model", "`provider/model`.", ID),
        optional("default", "Whether everything else goes here.", Kind::Bool),
        optional(
            "routing_preferences",
            "Routes to this model.",
            list(&PREFERENCE_ITEM),
        ),
    ],
));

pub(in crate::policy) static PLANO_PREFERENCE: Object = open(object(
    "plano_preference",
    "A route.",
    &[
        required("name", "Unique name.", NAME),
        optional("description", "What belongs here.", FILLED),
        optional("models", "Models in order of preference.", list(&ID)),
        optional(
            "selection_policy",
            "How to choose among the models.",
            Kind::Object(&PLANO_SELECTION),
        ),
    ],
));

pub(in crate::policy) static PLANO_SELECTION: Object = open(object(
    "plano_selection",
    "How to choose among models.",
    &[optional(
        "prefer",
        "`cheapest`, `fastest`, `none`.",
        Kind::Text(Text::Filled),
    )],
));

pub(in crate::policy) static PLANO_ALIAS: Object = open(object(
    "plano_alias",
    "Another name for a model.",
    &[required("target", "The model, with or without its provider.", ID)],
));

pub(in crate::policy) static OLLM: Object = open(object(
    "ollm",
    "oLLM's configuration.",
    &[required(
        "routing",
        "The routing section.",
        Kind::Object(&OLLM_ROUTING),
    )],
));

pub(in crate::policy) static OLLM_ROUTING: Object = open(object(
    "ollm_routing",
    "A profile, and families of models.",
    &[
        optional("profile", "The profile used for everything.", NAME),
        optional(
            "preferred_families",
            "Families, most wanted first.",
            list(&FILLED),
        ),
    ],
));

static PROVIDER_ITEM: Kind = Kind::Object(&PLANO_PROVIDER);
static PREFERENCE_ITEM: Kind = Kind::Object(&PLANO_PREFERENCE);
static ALIAS_ITEM: Kind = Kind::Object(&PLANO_ALIAS);
