//! Every metric of the server: its name, kind, labels with all their values, and meaning. The series are made from this
//! table, README's table is held equal to it, and nothing that a caller sends becomes a label.

use super::labels::{
    ASKED, AUDITED, BOUND, CACHE, CHECKSUM, CODE, COMPARED, CONNECTION, LOADED, LOOKED, METHOD, MODEL,
    OUTCOME, READ, RELOADED, RESULT, ROUTE, SENT, SHARED, SOURCE, STATE, STATUS, STAY, TAKEN, VERSION, WHAT,
    WHOSE, WRITTEN,
};

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The full name.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// Its labels; there is a series for each combination of their values from the start.
    pub labels: &'static [Label],
    /// What it says, for people.
    pub help: &'static str,
}

/// A label and the values it takes.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// The name.
    pub name: &'static str,
    /// All values; empty where they come from policies: the one of an `_info` series, and the first 100 names of routes.
    pub values: &'static [&'static str],
}

/// The kinds of Prometheus that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

impl Kind {
    /// The word that Prometheus uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// Upper bounds of the histograms, in seconds: a cache hit takes a few microseconds, a decision about 50.
pub const BUCKETS: [f64; 18] = [
    5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5,
    1.0, 5.0,
];

/// All metrics, in the order of the manual.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "signalbox_decisions_total",
        kind: Kind::Counter,
        labels: &[SOURCE, CACHE],
        help: "Decisions, by the rung of the ladder that decided and what the cache did. The share of `default` is the first \
               figure to watch: when it rises, routing has stopped while errors stay at zero.",
    },
    Metric {
        name: "signalbox_decision_duration_seconds",
        kind: Kind::Histogram,
        labels: &[CACHE],
        help: "Time from the decoded request to the decision.",
    },
    Metric {
        name: "signalbox_degraded_total",
        kind: Kind::Counter,
        labels: &[CODE],
        help: "Decisions that had to do without something, by what it was.",
    },
    Metric {
        name: "signalbox_overloaded_total",
        kind: Kind::Counter,
        labels: &[WHOSE],
        help: "Decisions refused (RESOURCE_EXHAUSTED) because too many are in progress: `limits.decisions` of `all`, or half of \
               it of one `tenant`. Cache hits are never refused.",
    },
    Metric {
        name: "signalbox_decisions_in_progress",
        kind: Kind::Gauge,
        labels: &[],
        help: "Decisions in progress that the cache did not have, those that wait for a language model among them.",
    },
    Metric {
        name: "signalbox_session_decisions_total",
        kind: Kind::Counter,
        labels: &[STAY],
        help: "Decisions of conversations that the policy holds: `started`; kept, because of a `tool_loop`, as the `same_model`, \
               with `no_route` or as another was `not_worth` it; moved, being `forced` or because that was `worth` it.",
    },
    Metric {
        name: "signalbox_estimated_cost_nano_usd_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Estimated cost of the chosen models, in billionths of a dollar; of a plan its first model. Decisions whose model \
               or whose policy's default states no price are left out.",
    },
    Metric {
        name: "signalbox_default_cost_nano_usd_total",
        kind: Kind::Counter,
        labels: &[],
        help: "What the first model of the policy's `default` would have cost for the same requests. The difference is what \
               routing saves.",
    },
    Metric {
        name: "signalbox_outcomes_total",
        kind: Kind::Counter,
        labels: &[OUTCOME, TAKEN],
        help: "Outcomes reported, by what became of the call and what was done with the report.",
    },
    Metric {
        name: "signalbox_model_left_alone",
        kind: Kind::Gauge,
        labels: &[MODEL, STATE],
        help: "Whether a model of the policy in force is left alone by reported outcomes: 1 or 0, because it cools down after a \
               rate limit or because its circuit is open. Always 0 where the policy has `health` off.",
    },
    Metric {
        name: "signalbox_model_quality",
        kind: Kind::Gauge,
        labels: &[MODEL],
        help: "Mean quality of a model's answers as reported, 0 to 1, old ones counting less. NaN where none was judged.",
    },
    Metric {
        name: "signalbox_rpcs_total",
        kind: Kind::Counter,
        labels: &[METHOD, STATUS],
        help: "Calls answered, by method and gRPC status.",
    },
    Metric {
        name: "signalbox_rpc_duration_seconds",
        kind: Kind::Histogram,
        labels: &[METHOD],
        help: "Time from a call's headers to its answer.",
    },
    Metric {
        name: "signalbox_panics_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Handlers that panicked. Each is a defect; the caller got INTERNAL.",
    },
    Metric {
        name: "signalbox_connections",
        kind: Kind::Gauge,
        labels: &[],
        help: "Connections open now.",
    },
    Metric {
        name: "signalbox_connections_total",
        kind: Kind::Counter,
        labels: &[CONNECTION],
        help: "Connections by what became of them: `accepted`; `over_limit`, closed at once; `timeout`, silent or slow in its \
               handshake; `handshake_failed`; `failed`, which the system could not open, for want of file descriptors for example.",
    },
    Metric {
        name: "signalbox_credential_reloads_total",
        kind: Kind::Counter,
        labels: &[WHAT, RELOADED],
        help: "Certificates and tokens read again because their files changed. `invalid` leaves what was in force.",
    },
    Metric {
        name: "signalbox_policy_reloads_total",
        kind: Kind::Counter,
        labels: &[RESULT],
        help: "Attempts to load a policy, by what came of them. All but `applied` leave the last good policy in force.",
    },
    Metric {
        name: "signalbox_policy_reload_successful",
        kind: Kind::Gauge,
        labels: &[],
        help: "Whether the last attempt to load a policy worked, everyone's and each tenant's: 1 or 0.",
    },
    Metric {
        name: "signalbox_policy_version",
        kind: Kind::Gauge,
        labels: &[],
        help: "The author's revision of everyone's policy in force.",
    },
    Metric {
        name: "signalbox_policy_load_timestamp_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "When everyone's policy in force was loaded, in Unix time. 0 when none is.",
    },
    Metric {
        name: "signalbox_policy_info",
        kind: Kind::Gauge,
        labels: &[VERSION, CHECKSUM],
        help: "Everyone's policy in force: always exactly one series, with the value 1.",
    },
    Metric {
        name: "signalbox_tenant_policies",
        kind: Kind::Gauge,
        labels: &[LOADED],
        help: "Tenants with a policy of their own: `good`; `stale`, whose last good one stays because the next is bad; `unusable`, \
               which are answered with UNAVAILABLE. The log and `GetPolicy` name them.",
    },
    Metric {
        name: "signalbox_audit_lines_total",
        kind: Kind::Counter,
        labels: &[WRITTEN],
        help: "Lines of the audit log: `written`; `dropped`, because the queue was full; `failed`, because the file could not be \
               written.",
    },
    Metric {
        name: "signalbox_shadow_decisions_total",
        kind: Kind::Counter,
        labels: &[ROUTE, COMPARED],
        help: "Decisions compared with a shadow policy's, by the real route (`other`: none; `(more)`: past the first 100) and what \
               differs first: `same`, `route`, `model`, `plan`, `refused` by one of the two, or the shadow `failed`.",
    },
    Metric {
        name: "signalbox_shadow_dropped_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Decisions that were to be compared with a shadow policy's and found its queue full.",
    },
    Metric {
        name: "signalbox_encoder_questions_total",
        kind: Kind::Counter,
        labels: &[READ],
        help: "Decisions that wanted the sentence encoder's second look, by what came of it.",
    },
    Metric {
        name: "signalbox_encoder_compute_seconds",
        kind: Kind::Histogram,
        labels: &[],
        help: "Time of one core that a second look took.",
    },
    Metric {
        name: "signalbox_llm_ready",
        kind: Kind::Gauge,
        labels: &[],
        help: "Whether the language model is asked: 1 or 0, which is also what a server without one has.",
    },
    Metric {
        name: "signalbox_llm_questions_total",
        kind: Kind::Counter,
        labels: &[ASKED],
        help: "Decisions that wanted the language model's opinion, by what came of it. `reused` was said to a request that asks for the \
               same, `shared` to the same question at another replica or earlier. `deadline` counts those too for which it was \
               not asked because answers take too long lately.",
    },
    Metric {
        name: "signalbox_llm_queue_seconds",
        kind: Kind::Histogram,
        labels: &[],
        help: "Time that questions waited for their turn; of a model in this process only.",
    },
    Metric {
        name: "signalbox_llm_compute_seconds",
        kind: Kind::Histogram,
        labels: &[],
        help: "Time from a question's turn to its answer; of a remote model the whole call.",
    },
    Metric {
        name: "signalbox_cache_entries",
        kind: Kind::Gauge,
        labels: &[],
        help: "Decisions in the cache.",
    },
    Metric {
        name: "signalbox_cache_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "Memory that the decisions in the cache take.",
    },
    Metric {
        name: "signalbox_semantic_audits_total",
        kind: Kind::Counter,
        labels: &[AUDITED],
        help: "Reused answers of the language model that were asked for again, by whether its best route was the same.",
    },
    Metric {
        name: "signalbox_semantic_wrong_ratio",
        kind: Kind::Gauge,
        labels: &[BOUND],
        help: "Share of wrong ones among the last 1,000 of these audits, with the bounds of its 95 % interval (Wilson). The estimate is NaN without audits.",
    },
    Metric {
        name: "signalbox_semantic_open",
        kind: Kind::Gauge,
        labels: &[],
        help: "Whether answers of the language model are reused where a policy wants that: 1, or 0 once too many were wrong.",
    },
    Metric {
        name: "signalbox_semantic_entries",
        kind: Kind::Gauge,
        labels: &[],
        help: "Answers of the language model kept to be reused.",
    },
    Metric {
        name: "signalbox_semantic_bytes",
        kind: Kind::Gauge,
        labels: &[],
        help: "Memory that they take.",
    },
    Metric {
        name: "signalbox_sessions",
        kind: Kind::Gauge,
        labels: &[],
        help: "Conversations held, forgotten ones that still take their place among them.",
    },
    Metric {
        name: "signalbox_shared_up",
        kind: Kind::Gauge,
        labels: &[],
        help: "Whether the Redis that replicas share answers: 1 or 0, which is also what a server without one has.",
    },
    Metric {
        name: "signalbox_shared_reads_total",
        kind: Kind::Counter,
        labels: &[SHARED, LOOKED],
        help: "Looks at what replicas share, where conversations are (`session`) or what the language model said (`llm`). `late`: no \
               answer in time; `failed`: an error; `unusable`: not what a replica with this secret wrote, or too old; `skipped`: not \
               asked, as nobody answers or the caller has no time. The decision is made without what is not a `hit`.",
    },
    Metric {
        name: "signalbox_shared_writes_total",
        kind: Kind::Counter,
        labels: &[SHARED, WRITTEN],
        help: "Values that were to be shared: `written`; `dropped`, because the queue was full; `failed`, because they were refused.",
    },
    Metric {
        name: "signalbox_shared_read_seconds",
        kind: Kind::Histogram,
        labels: &[],
        help: "Time to the answers to these looks.",
    },
    Metric {
        name: "signalbox_trace_spans_total",
        kind: Kind::Counter,
        labels: &[SENT],
        help: "Spans of traces, where they are on: `exported` to the collector; `failed`, because it did not take them; `dropped`, because \
               the queue was full.",
    },
    Metric {
        name: "signalbox_ring_decisions",
        kind: Kind::Gauge,
        labels: &[],
        help: "Recent decisions that can be explained by id.",
    },
    Metric {
        name: "signalbox_start_timestamp_seconds",
        kind: Kind::Gauge,
        labels: &[],
        help: "When the process started, in Unix time.",
    },
    Metric {
        name: "signalbox_build_info",
        kind: Kind::Gauge,
        labels: &[VERSION],
        help: "The version of the server, with the value 1.",
    },
];

/// The metrics as a Markdown table, as README has it.
pub fn markdown() -> String {
    let mut table = "| metric | kind | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for metric in METRICS {
        let labels: Vec<String> = metric
            .labels
            .iter()
            .map(|label| format!("`{}`", label.name))
            .collect();
        let (name, kind, labels) = (metric.name, metric.kind.as_str(), labels.join(", "));
        table += &format!("| `{name}` | {kind} | {labels} | {} |\n", metric.help);
    }
    table
}
