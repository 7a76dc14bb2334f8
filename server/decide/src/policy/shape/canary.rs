//! The grammar of canaries.

use super::{FILLED, ID, NAME, Object, SHARE, defaults, object, optional, required};

pub(in crate::policy) static CANARY: Object = object(
    "canary",
    "A share of the requests for a new model, which takes the winner's place where it may serve the request. What the \
     request or a rule names stays.",
    &[
        required("name", "Unique name; it seeds the hash.", NAME),
        required("model", "The new model.", ID),
        required("share", "Share of the requests that get it.", SHARE),
        optional("route", "Only for decisions by this route.", NAME),
        defaults(
            "key",
            "What keeps requests together: `request_id`, `caller.session_id`, `caller.tenant` or `caller.labels.NAME`. A \
             request without it is in no canary.",
            FILLED,
            r#""caller.session_id""#,
        ),
    ],
);
