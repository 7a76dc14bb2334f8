//! The grammar of shadow policies.

use super::{FILLED, Object, SHARE, defaults, object, required};

pub(in crate::policy) static SHADOW: Object = object(
    "shadow",
    "A second policy that decides beside this one, off the path of requests, and is only compared: model, route, plan, refused or \
     not. The result is counted by route. It is loaded and reloaded with this one and cannot have a shadow itself.",
    &[
        required(
            "policy",
            "Its file. A relative path is taken from the policy file's folder. In a directory of tenants give it a name that \
             does not end in `.yaml` or `.yml`, or a folder of its own: it would be a tenant's.",
            FILLED,
        ),
        defaults(
            "share",
            "Share of the decisions compared, by a hash of their ids, which are new for every decision.",
            SHARE,
            "1",
        ),
    ],
);
