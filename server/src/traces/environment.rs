//! What the environment says of traces, by the variables of OpenTelemetry's specification. Most of them the SDK reads itself; here
//! is what it passes over in silence: a value that says nothing usable, or asks for what this build has not, is a problem, and all
//! of them are told together. Without an endpoint nothing is asked for, and nothing is looked at.

use std::ffi::OsString;
use std::fmt;
use std::str::FromStr as _;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use opentelemetry::KeyValue;
use thiserror::Error;

use crate::traces::environment::values::{Found, Variables};

mod values;

/// What is wrong with the environment, a line each, beginning with the variable.
#[derive(Debug, Error)]
#[error("the environment asks for traces that cannot be sent:\n  {}", .0.join("\n  "))]
pub struct Problems(pub Vec<String>);

/// What is asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) collector: Collector,
    /// For an attempt to send a batch.
    pub(super) timeout: Duration,
    /// For a batch with all attempts.
    pub(super) export_limit: Duration,
    /// Most spans that wait.
    pub(super) queue: usize,
    /// What the server is named by, beside what the SDK reads.
    pub(super) resource: Vec<KeyValue>,
    /// Whether callers' traces go on here.
    pub(super) parents: bool,
    /// What is passed over.
    pub(super) warnings: Vec<String>,
}

/// Where spans go.
#[derive(Debug)]
pub(super) enum Collector {
    /// Protobuf over HTTP/1.1, to the address that the SDK reads.
    Http(Uri),
    /// gRPC.
    Grpc {
        /// The address.
        url: Uri,
        /// For `https://`.
        tls: Option<Tls>,
    },
}

/// Certificates, as PEM.
#[derive(Default)]
pub(super) struct Tls {
    /// The authority that the collector's comes from; those of the system without it.
    pub(super) ca: Option<String>,
    /// The server's own, with its key.
    pub(super) identity: Option<(String, String)>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// Without what an address may hold beside host and port: a password.
impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (url, protocol) = match self {
            Collector::Http(url) => (url, "http/protobuf"),
            Collector::Grpc { url, .. } => (url, "grpc"),
        };
        let port = url.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        write!(f, "{}{port} ({protocol})", url.host().unwrap_or_default())
    }
}

/// What `variable` asks for; none where that is no traces.
pub(super) fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Wanted>, Problems> {
    let mut variables = Variables::new(&variable);
    let (endpoint, exporter) = (variables.otlp("ENDPOINT"), variables.text("OTEL_TRACES_EXPORTER"));
    let Some(endpoint) = endpoint else {
        if exporter.is_some_and(|exporter| exporter.value == "otlp") {
            tracing::warn!(
                "traces: OTEL_TRACES_EXPORTER is set, but OTEL_EXPORTER_OTLP_ENDPOINT is not: they are off"
            );
        }
        return variables.unless_problems(None);
    };
    let disabled = variables.text("OTEL_SDK_DISABLED");
    if variables.switch(disabled) || variables.one_of(exporter, &["otlp", "none"]) == Some("none") {
        return variables.unless_problems(None);
    }
    let collector = collector(&mut variables, endpoint);
    headers(&mut variables);
    if let Some(compression) = variables.otlp("COMPRESSION")
        && !compression.value.eq_ignore_ascii_case("none")
    {
        variables.problem(&compression, "is not in this build; leave it out");
    }
    sampler(&mut variables);
    for limit in ["ATTRIBUTE", "EVENT", "LINK"] {
        let limit = variables.text(&format!("OTEL_SPAN_{limit}_COUNT_LIMIT"));
        variables.number(limit, 0..=u64::from(u32::MAX));
    }
    let timeout = variables.otlp("TIMEOUT");
    let timeout = variables.milliseconds(timeout);
    let delay = variables.text("OTEL_BSP_SCHEDULE_DELAY");
    variables.milliseconds(delay);
    let export_limit = variables.text("OTEL_BSP_EXPORT_TIMEOUT");
    let export_limit = variables.milliseconds(export_limit);
    let queue = queue(&mut variables);
    let parents = parents(&mut variables);
    let resource = resource(&mut variables);
    let unread = UNREAD.into_iter().filter_map(|name| variables.text(name));
    let unread: Vec<String> = unread
        .map(|found| format!("{} is not read", found.name))
        .collect();
    variables.warnings.extend(unread);
    let warnings = std::mem::take(&mut variables.warnings);
    let wanted = collector.map(|collector| Wanted {
        collector,
        timeout: timeout.unwrap_or(Duration::from_secs(10)),
        export_limit: export_limit.unwrap_or(Duration::from_secs(30)),
        queue,
        resource,
        parents,
        warnings,
    });
    variables.unless_problems(wanted)
}

/// Room for them is taken at the start.
const MAX_QUEUE: u64 = 1_000_000;

/// What the specification has and the SDK has not.
const UNREAD: [&str; 4] = [
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_CONFIG_FILE",
];

/// What an address may hold is not shown: a password.
fn collector(variables: &mut Variables<'_>, endpoint: Found) -> Option<Collector> {
    let (protocol, insecure) = (variables.otlp("PROTOCOL"), variables.otlp("INSECURE"));
    let grpc = variables.one_of(protocol, &["grpc", "http/protobuf"]) == Some("grpc");
    let insecure = variables.switch(insecure);
    let tls = tls(variables);
    let url = match endpoint.value.contains("://") {
        // Only gRPC's may be without.
        false if grpc && insecure => format!("http://{}", endpoint.value),
        false if grpc => format!("https://{}", endpoint.value),
        _ => endpoint.value.clone(),
    };
    let url = url.parse::<Uri>().ok();
    let scheme = url.as_ref().and_then(|url| url.scheme_str().map(str::to_owned));
    let password = url
        .as_ref()
        .and_then(Uri::authority)
        .is_some_and(|a| a.as_str().contains('@'));
    let wrong = match scheme.as_deref() {
        Some("https") if !grpc => {
            "is `https://`, which needs OTEL_EXPORTER_OTLP_PROTOCOL=grpc; or send to a collector beside the server by `http://`"
        }
        Some("http") if tls.is_some() => {
            "is `http://`, and OTEL_EXPORTER_OTLP_CERTIFICATE and the like are for `https://`"
        }
        Some("http" | "https") if grpc && password => {
            "holds a password, which gRPC does not send; use OTEL_EXPORTER_OTLP_HEADERS"
        }
        Some("https") => {
            let tls = Some(tls.unwrap_or_default());
            return url.map(|url| Collector::Grpc { url, tls });
        }
        Some("http") if grpc => return url.map(|url| Collector::Grpc { url, tls: None }),
        Some("http") => return url.map(Collector::Http),
        _ => "is no address such as http://127.0.0.1:4318, or http://127.0.0.1:4317 for gRPC",
    };
    variables.problem(&endpoint, wrong);
    None
}

/// The certificates, where any is named.
fn tls(variables: &mut Variables<'_>) -> Option<Tls> {
    let ca = variables.otlp("CERTIFICATE");
    let (certificate, key) = (variables.otlp("CLIENT_CERTIFICATE"), variables.otlp("CLIENT_KEY"));
    let named = ca.is_some() || certificate.is_some() || key.is_some();
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let (certificate, key) = (variables.certificates(&certificate), variables.key(&key));
            certificate.zip(key)
        }
        (None, None) => None,
        (Some(alone), None) => {
            variables.problem(&alone, "needs its key: OTEL_EXPORTER_OTLP_CLIENT_KEY");
            None
        }
        (None, Some(alone)) => {
            variables.problem(
                &alone,
                "needs its certificate: OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            );
            None
        }
    };
    let ca = ca.and_then(|ca| variables.certificates(&ca));
    named.then_some(Tls { ca, identity })
}

/// The SDK leaves out the headers that it cannot send. They are not shown: one is a token, as a rule.
fn headers(variables: &mut Variables<'_>) {
    let Some(found) = variables.otlp("HEADERS") else {
        return;
    };
    let good = |entry: &str| {
        let (name, value) = entry.split_once('=')?;
        let value = values::decoded(value.trim())?;
        HeaderName::from_str(name.trim()).ok()?;
        HeaderValue::from_str(&value)
            .ok()
            .filter(|value| !value.is_empty())
    };
    let entries = found.value.split_terminator(',');
    for (index, _) in entries.enumerate().filter(|(_, entry)| good(entry).is_none()) {
        let advice = format!(
            "entry {} is no `name=value` with the value percent-encoded",
            index + 1
        );
        variables.problem(&found, &advice);
    }
}

fn sampler(variables: &mut Variables<'_>) {
    const SAMPLERS: [&str; 6] = [
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ];
    let sampler = variables.text("OTEL_TRACES_SAMPLER");
    let unset = sampler.is_none();
    let sampler = variables.one_of(sampler, &SAMPLERS);
    let Some(share) = variables.text("OTEL_TRACES_SAMPLER_ARG") else {
        return;
    };
    match sampler {
        Some("traceidratio" | "parentbased_traceidratio") => {
            let number = share.value.parse::<f64>().ok();
            if !number.is_some_and(|share| (0.0..=1.0).contains(&share)) {
                variables.problem(&share, "is no number from 0 to 1");
            }
        }
        None if !unset => {}
        _ => {
            let advice = "says nothing to this sampler; set OTEL_TRACES_SAMPLER=parentbased_traceidratio, or leave it out";
            variables.problem(&share, advice);
        }
    }
}

/// Most spans that wait.
fn queue(variables: &mut Variables<'_>) -> usize {
    let queue = variables.text("OTEL_BSP_MAX_QUEUE_SIZE");
    let queue = variables.number(queue, 1..=MAX_QUEUE).unwrap_or(2048);
    let batch = variables.text("OTEL_BSP_MAX_EXPORT_BATCH_SIZE");
    variables.number(batch, 1..=queue);
    usize::try_from(queue).unwrap_or(usize::MAX)
}

/// Whether callers' traces go on here, in the one form that is read.
fn parents(variables: &mut Variables<'_>) -> bool {
    let Some(found) = variables.text("OTEL_PROPAGATORS") else {
        return true;
    };
    let mut names = found.value.split(',').map(str::trim);
    let reads = names.clone().any(|name| name == "tracecontext");
    let other = names.find(|name| !["tracecontext", "baggage", "none"].contains(name));
    match other {
        Some(other) if reads => {
            let warning = format!("{}: `{other}` is not read, `tracecontext` is", found.name);
            variables.warnings.push(warning);
        }
        Some(_) => variables.problem(&found, "has none that is read: add `tracecontext`, or set `none`"),
        None => {}
    }
    reads
}

/// What the SDK does not read of the resource: percent-encoding, and a name of ours where none is given.
fn resource(variables: &mut Variables<'_>) -> Vec<KeyValue> {
    let named = variables.text("OTEL_SERVICE_NAME").is_some();
    let mut attributes = Vec::new();
    if let Some(found) = variables.text("OTEL_RESOURCE_ATTRIBUTES") {
        for (index, entry) in found.value.split_terminator(',').enumerate() {
            let pair = entry
                .split_once('=')
                .map(|(key, value)| (key.trim(), value.trim()));
            let pair = pair.and_then(|(key, value)| Some((key, values::decoded(value)?)));
            match pair.filter(|(key, _)| !key.is_empty()) {
                Some((key, value)) => attributes.push(KeyValue::new(key.to_owned(), value)),
                None => {
                    let advice = format!(
                        "entry {} is no `name=value` with the value percent-encoded",
                        index + 1
                    );
                    variables.problem(&found, &advice);
                }
            }
        }
    }
    let is_name = |attribute: &KeyValue| attribute.key.as_str() == "service.name";
    if named {
        attributes.retain(|attribute| !is_name(attribute));
    } else if !attributes.iter().any(is_name) {
        attributes.push(KeyValue::new("service.name", "signalbox"));
    }
    attributes
}

#[cfg(test)]
mod tests;
