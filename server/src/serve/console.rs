//! The console for policy authors: one page with its script and style, all of it in this binary, on the listener for JSON.
//! `json` adds it where `http.console` is on. The page calls the API as any page of its origin could and has no rights of its
//! own: what is administrative asks for the same credentials.
//!
//! A browser is told to run, load and call nothing that does not come from here. Where the listener is bound to loopback the
//! console answers to addresses and `localhost` only; see [`is_by_name`].

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{MethodRouter, get};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::watcher::BUILTIN;

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// Path, type and content. `vendor/provenance.json` says where the file that is not ours comes from.
const FILES: [(&str, &str, &str); 13] = [
    ("/console", HTML, include_str!("console/index.html")),
    ("/console/style.css", STYLE, include_str!("console/style.css")),
    ("/console/result.css", STYLE, include_str!("console/result.css")),
    ("/console/app.js", SCRIPT, include_str!("console/app.js")),
    ("/console/api.js", SCRIPT, include_str!("console/api.js")),
    ("/console/copy.js", SCRIPT, include_str!("console/copy.js")),
    ("/console/form.js", SCRIPT, include_str!("console/form.js")),
    ("/console/policy.js", SCRIPT, include_str!("console/policy.js")),
    ("/console/result.js", SCRIPT, include_str!("console/result.js")),
    ("/console/tables.js", SCRIPT, include_str!("console/tables.js")),
    (
        "/console/lit-html.js",
        SCRIPT,
        include_str!("console/vendor/lit-html.js"),
    ),
    (
        "/console/lit-html.LICENSE",
        TEXT,
        include_str!("console/vendor/lit-html.LICENSE"),
    ),
    ("/console/example.yaml", TEXT, BUILTIN),
];

/// Said with every answer. Pages of another binary's version never mix: nothing is used without asking.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html",
        ),
    ),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// The console's pages for the listener at `listener`; `check` is the call that looks at a policy.
pub(super) fn pages<S: Clone + Send + Sync + 'static>(
    listener: SocketAddr,
    check: MethodRouter<S>,
) -> Router<S> {
    let mut router = Router::new()
        .route("/console/", get(Redirect::temporary("../console")))
        .route("/console/check", check);
    for (path, kind, content) in FILES {
        router = router.route(path, get(([(CONTENT_TYPE, kind)], content)));
    }
    let local = listener.ip().to_canonical().is_loopback();
    router.layer(from_fn(move |request, next| guarded(local, request, next)))
}

/// The answer with the headers; to a name, where only this host can ask, a refusal.
async fn guarded(local: bool, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let mut response = if local && is_by_name(&head) {
        let advice =
            "this listener is bound to loopback: open the console at its IP address or at localhost\n";
        (StatusCode::MISDIRECTED_REQUEST, advice).into_response()
    } else {
        next.run(Request::from_parts(head, body)).await
    };
    response.headers_mut().extend(HEADERS);
    response
}

/// Whether the request was made to a name that is not `localhost`. Whoever owns a name can point it at this host, and then
/// their page is of the same origin as this server: DNS rebinding. Nobody owns an address.
pub(super) fn is_by_name(head: &Parts) -> bool {
    let host = head.headers.get(HOST).map(HeaderValue::as_bytes);
    let authority = match (head.uri.authority(), host) {
        (Some(authority), _) => Some(authority.clone()),
        (None, Some(host)) => Authority::try_from(host).ok(),
        // Browsers always say where they ask.
        (None, None) => return false,
    };
    let Some(authority) = authority else {
        return true;
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_local = host == "localhost" || host.ends_with(".localhost");
    !is_local && host.parse::<std::net::IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use http::Request;
    use serde_json::Value;
    use signalbox_decide::policy::checksum;

    use super::*;

    fn by_name(host: &str) -> bool {
        let request = Request::get("/console").header(HOST, host);
        is_by_name(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn addresses_and_localhost_are_nobody_elses_name() {
        for own in [
            "127.0.0.1:8080",
            "127.0.0.1",
            "[::1]:8080",
            "10.1.2.3:80",
            "localhost",
            "LocalHost:8080",
            "localhost.",
            "console.localhost:8080",
        ] {
            assert!(!by_name(own), "{own}");
        }
        for name in [
            "evil.example",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1@evil.example",
            "2130706433",
            "",
            "a b",
        ] {
            assert!(by_name(name), "{name}");
        }
    }

    #[test]
    fn what_http_2_asks_for_counts_before_the_header() {
        let request = Request::get("http://evil.example/console").header(HOST, "localhost");
        assert!(is_by_name(&request.body(()).unwrap().into_parts().0));
    }

    #[test]
    fn the_library_is_the_one_that_its_provenance_names() {
        let provenance: Value = serde_json::from_str(include_str!("console/vendor/provenance.json")).unwrap();
        for library in provenance.as_array().unwrap() {
            let text = |key: &str| library[key].as_str().unwrap();
            let served = |name: &str| {
                let path = format!("/console/{name}");
                FILES.iter().find(|(at, ..)| *at == path).unwrap().2
            };
            assert_eq!(checksum(served(text("file")).as_bytes()), text("sha256"));
            assert!(served(text("file")).contains(text("licence")));
            assert!(served(text("licence_file")).contains("Redistribution"));
        }
    }

    #[test]
    fn no_file_needs_what_the_headers_forbid() {
        for (path, _, content) in FILES {
            for forbidden in [
                " style=\"",
                " onclick=",
                "<script>",
                "eval(",
                "innerHTML =",
                "localStorage",
            ] {
                assert!(!content.contains(forbidden), "{path} has `{forbidden}`");
            }
        }
    }
}
