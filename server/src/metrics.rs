//! What the server counts. `grpc`, `serve` and `watcher` call the functions here; `exporter` shows the result to
//! Prometheus on a listener of its own.
//!
//! Handles are made once, from [`table::METRICS`], so that counting on the hot path is a few atomic additions. Before
//! [`exporter::install`], and where metrics are off, every function does nothing.

pub mod exporter;
mod labels;
pub mod table;

use std::sync::OnceLock;
use std::time::Duration;

use ::metrics::{Counter, Gauge, Histogram};

use table::{Kind, Label, METRICS, Metric};

static SERIES: OnceLock<Series> = OnceLock::new();

/// Counts a decision: the rung that decided, what the cache did, and how long it took.
pub fn decision(source: &'static str, cache: &'static str, seconds: f64) {
    if let Some(series) = SERIES.get() {
        series.decisions.with(&[source, cache], Counter::increment_one);
        series
            .decision_duration
            .with(&[cache], |histogram| histogram.record(seconds));
    }
}

/// Counts something that a decision had to do without.
pub fn degraded(code: &'static str) {
    if let Some(series) = SERIES.get() {
        series.degraded.with(&[code], Counter::increment_one);
    }
}

/// Counts a decision that was refused because too many are in progress: of `all`, or of the `tenant`.
pub fn overloaded(bound: &'static str) {
    if let Some(series) = SERIES.get() {
        series.overloaded.with(&[bound], Counter::increment_one);
    }
}

/// Counts what became of a conversation.
pub fn session(reason: &'static str) {
    if let Some(series) = SERIES.get() {
        series.session.with(&[reason], Counter::increment_one);
    }
}

/// Counts the estimated cost of a decision, and what the policy's default model would have cost, in USD.
pub fn costs(usd: f64, default_usd: f64) {
    if let Some(series) = SERIES.get() {
        series.cost.with(&[], |counter| counter.increment(nano(usd)));
        series
            .default_cost
            .with(&[], |counter| counter.increment(nano(default_usd)));
    }
}

/// Whole billionths of a dollar: a counter has no fractions, and a short prompt costs a few millionths.
fn nano(usd: f64) -> u64 {
    (usd * 1e9).round() as u64
}

/// Counts a reported outcome and what was done with it.
pub fn outcome(ended: &'static str, taken: &'static str) {
    if let Some(series) = SERIES.get() {
        series.outcomes.with(&[ended, taken], Counter::increment_one);
    }
}

/// Counts a call on its way out.
pub fn rpc(method: &'static str, code: &'static str, seconds: f64) {
    if let Some(series) = SERIES.get() {
        series.rpcs.with(&[method, code], Counter::increment_one);
        series
            .rpc_duration
            .with(&[method], |histogram| histogram.record(seconds));
    }
}

/// Counts a panic in a handler.
pub fn panic() {
    if let Some(series) = SERIES.get() {
        series.panics.with(&[], Counter::increment_one);
    }
}

/// Counts a connection by what became of it.
pub fn connection(result: &'static str) {
    if let Some(series) = SERIES.get() {
        series.connection.with(&[result], Counter::increment_one);
    }
}

/// Changes the number of open connections.
pub fn connections(change: f64) {
    if let Some(series) = SERIES.get() {
        series.connections.with(&[], |gauge| gauge.increment(change));
    }
}

/// Counts an attempt to take over a changed `certificate` or `tokens`.
pub fn credentials(what: &'static str, result: &'static str) {
    if let Some(series) = SERIES.get() {
        series.credentials.with(&[what, result], Counter::increment_one);
    }
}

/// Counts lines of the audit log: `written`, `dropped` or `failed`.
pub fn audit(result: &'static str, lines: u64) {
    if let Some(series) = SERIES.get() {
        series.audit.with(&[result], |counter| counter.increment(lines));
    }
}

/// Counts an attempt to load a policy: `applied`, `invalid`, `tests_failed`, `unreadable` or `conflict`.
pub fn reload(result: &'static str) {
    if let Some(series) = SERIES.get() {
        series.reloads.with(&[result], Counter::increment_one);
    }
}

/// Counts a question to the language model by what came of it.
pub fn llm_question(result: &'static str) {
    if let Some(series) = SERIES.get() {
        series.llm_questions.with(&[result], Counter::increment_one);
    }
}

/// Counts an audit of a reused answer: `same` or `different`.
pub fn semantic_audit(result: &'static str) {
    if let Some(series) = SERIES.get() {
        series.semantic_audits.with(&[result], Counter::increment_one);
    }
}

/// Counts a question to the sentence encoder by what came of it.
pub fn encoder_question(result: &'static str) {
    if let Some(series) = SERIES.get() {
        series.encoder_questions.with(&[result], Counter::increment_one);
    }
}

/// Counts what a look of the sentence encoder took.
pub fn encoder_time(computed: Duration) {
    if let Some(series) = SERIES.get() {
        let record = |histogram: &Histogram| histogram.record(computed.as_secs_f64());
        series.encoder_compute.with(&[], record);
    }
}

/// Counts what an answer of the language model took.
pub fn llm_times(queued: Option<Duration>, computed: Duration) {
    if let Some(series) = SERIES.get() {
        let record = |family: &Family<Histogram>, time: Duration| {
            family.with(&[], |histogram| histogram.record(time.as_secs_f64()));
        };
        if let Some(queued) = queued {
            record(&series.llm_queue, queued);
        }
        record(&series.llm_compute, computed);
    }
}

/// Counts a look at what replicas share, a `session` or what the `llm` said, by what came of it.
pub fn shared_read(what: &'static str, result: &'static str) {
    if let Some(series) = SERIES.get() {
        series.shared_reads.with(&[what, result], Counter::increment_one);
    }
}

/// Counts what was to be shared by what became of it.
pub fn shared_write(what: &'static str, result: &'static str) {
    if let Some(series) = SERIES.get() {
        series.shared_writes.with(&[what, result], Counter::increment_one);
    }
}

/// Counts how long an answer to such a look took.
pub fn shared_took(time: Duration) {
    if let Some(series) = SERIES.get() {
        series
            .shared_read
            .with(&[], |histogram| histogram.record(time.as_secs_f64()));
    }
}

/// Counts spans of traces: `exported`, `failed` or `dropped`.
pub fn trace_spans(result: &'static str, spans: u64) {
    if let Some(series) = SERIES.get() {
        series
            .trace_spans
            .with(&[result], |counter| counter.increment(spans));
    }
}

/// A counter counts single things here.
trait IncrementOne {
    fn increment_one(&self);
}

impl IncrementOne for Counter {
    fn increment_one(&self) {
        self.increment(1);
    }
}

/// The handles of every metric that is written to, in the recorder that was in force when they were made.
struct Series {
    decisions: Family<Counter>,
    decision_duration: Family<Histogram>,
    degraded: Family<Counter>,
    overloaded: Family<Counter>,
    in_progress: Family<Gauge>,
    session: Family<Counter>,
    cost: Family<Counter>,
    default_cost: Family<Counter>,
    outcomes: Family<Counter>,
    rpcs: Family<Counter>,
    rpc_duration: Family<Histogram>,
    panics: Family<Counter>,
    connections: Family<Gauge>,
    connection: Family<Counter>,
    credentials: Family<Counter>,
    audit: Family<Counter>,
    reloads: Family<Counter>,
    reload_successful: Family<Gauge>,
    policy_version: Family<Gauge>,
    policy_load_timestamp: Family<Gauge>,
    tenant_policies: Family<Gauge>,
    shadow_dropped: Family<Counter>,
    encoder_questions: Family<Counter>,
    encoder_compute: Family<Histogram>,
    llm_ready: Family<Gauge>,
    llm_questions: Family<Counter>,
    llm_queue: Family<Histogram>,
    llm_compute: Family<Histogram>,
    cache_entries: Family<Gauge>,
    cache_bytes: Family<Gauge>,
    semantic_audits: Family<Counter>,
    semantic_wrong: Family<Gauge>,
    semantic_open: Family<Gauge>,
    semantic_entries: Family<Gauge>,
    semantic_bytes: Family<Gauge>,
    sessions: Family<Gauge>,
    shared_up: Family<Gauge>,
    shared_reads: Family<Counter>,
    shared_writes: Family<Counter>,
    shared_read: Family<Histogram>,
    trace_spans: Family<Counter>,
    ring_decisions: Family<Gauge>,
    start_timestamp: Family<Gauge>,
}

impl Series {
    fn new() -> Self {
        for &Metric { name, kind, help, .. } in METRICS {
            match kind {
                Kind::Counter => ::metrics::describe_counter!(name, help),
                Kind::Gauge => ::metrics::describe_gauge!(name, help),
                Kind::Histogram => ::metrics::describe_histogram!(name, help),
            }
        }
        ::metrics::gauge!("signalbox_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        let counter = |name, labels| ::metrics::counter!(name, labels);
        let gauge = |name, labels| ::metrics::gauge!(name, labels);
        let histogram = |name, labels| ::metrics::histogram!(name, labels);
        Series {
            decisions: Family::new("signalbox_decisions_total", counter),
            decision_duration: Family::new("signalbox_decision_duration_seconds", histogram),
            degraded: Family::new("signalbox_degraded_total", counter),
            overloaded: Family::new("signalbox_overloaded_total", counter),
            in_progress: Family::new("signalbox_decisions_in_progress", gauge),
            session: Family::new("signalbox_session_decisions_total", counter),
            cost: Family::new("signalbox_estimated_cost_nano_usd_total", counter),
            default_cost: Family::new("signalbox_default_cost_nano_usd_total", counter),
            outcomes: Family::new("signalbox_outcomes_total", counter),
            rpcs: Family::new("signalbox_rpcs_total", counter),
            rpc_duration: Family::new("signalbox_rpc_duration_seconds", histogram),
            panics: Family::new("signalbox_panics_total", counter),
            connections: Family::new("signalbox_connections", gauge),
            connection: Family::new("signalbox_connections_total", counter),
            credentials: Family::new("signalbox_credential_reloads_total", counter),
            audit: Family::new("signalbox_audit_lines_total", counter),
            reloads: Family::new("signalbox_policy_reloads_total", counter),
            reload_successful: Family::new("signalbox_policy_reload_successful", gauge),
            policy_version: Family::new("signalbox_policy_version", gauge),
            policy_load_timestamp: Family::new("signalbox_policy_load_timestamp_seconds", gauge),
            tenant_policies: Family::new("signalbox_tenant_policies", gauge),
            shadow_dropped: Family::new("signalbox_shadow_dropped_total", counter),
            encoder_questions: Family::new("signalbox_encoder_questions_total", counter),
            encoder_compute: Family::new("signalbox_encoder_compute_seconds", histogram),
            llm_ready: Family::new("signalbox_llm_ready", gauge),
            llm_questions: Family::new("signalbox_llm_questions_total", counter),
            llm_queue: Family::new("signalbox_llm_queue_seconds", histogram),
            llm_compute: Family::new("signalbox_llm_compute_seconds", histogram),
            cache_entries: Family::new("signalbox_cache_entries", gauge),
            cache_bytes: Family::new("signalbox_cache_bytes", gauge),
            semantic_audits: Family::new("signalbox_semantic_audits_total", counter),
            semantic_wrong: Family::new("signalbox_semantic_wrong_ratio", gauge),
            semantic_open: Family::new("signalbox_semantic_open", gauge),
            semantic_entries: Family::new("signalbox_semantic_entries", gauge),
            semantic_bytes: Family::new("signalbox_semantic_bytes", gauge),
            sessions: Family::new("signalbox_sessions", gauge),
            shared_up: Family::new("signalbox_shared_up", gauge),
            shared_reads: Family::new("signalbox_shared_reads_total", counter),
            shared_writes: Family::new("signalbox_shared_writes_total", counter),
            shared_read: Family::new("signalbox_shared_read_seconds", histogram),
            trace_spans: Family::new("signalbox_trace_spans_total", counter),
            ring_decisions: Family::new("signalbox_ring_decisions", gauge),
            start_timestamp: Family::new("signalbox_start_timestamp_seconds", gauge),
        }
    }
}

/// The handles of one metric: one for each combination of label values, the last label changing fastest.
struct Family<T> {
    labels: &'static [Label],
    handles: Vec<T>,
}

impl<T> Family<T> {
    fn new(name: &'static str, register: impl Fn(&'static str, Vec<::metrics::Label>) -> T) -> Self {
        let labels = METRICS
            .iter()
            .find(|metric| metric.name == name)
            .map_or(&[][..], |metric| metric.labels);
        let mut combinations = vec![Vec::new()];
        for label in labels {
            let extended = combinations.iter().flat_map(|chosen: &Vec<::metrics::Label>| {
                label.values.iter().map(|&value| {
                    let mut chosen = chosen.clone();
                    chosen.push(::metrics::Label::from_static_parts(label.name, value));
                    chosen
                })
            });
            combinations = extended.collect();
        }
        let handles = combinations
            .into_iter()
            .map(|chosen| register(name, chosen))
            .collect();
        Family { labels, handles }
    }

    /// Does something with the handle for these values. A value that is not in the table is a defect: it is not counted.
    fn with(&self, values: &[&str], act: impl FnOnce(&T)) {
        let handle = self.index(values).and_then(|index| self.handles.get(index));
        debug_assert!(handle.is_some(), "no series for {values:?}");
        if let Some(handle) = handle {
            act(handle);
        }
    }

    fn index(&self, values: &[&str]) -> Option<usize> {
        self.labels
            .iter()
            .zip(values)
            .try_fold(0, |index, (label, value)| {
                let place = label.values.iter().position(|known| known == value)?;
                Some(index * label.values.len() + place)
            })
    }
}

impl Family<Gauge> {
    fn set(&self, value: f64) {
        self.with(&[], |gauge| gauge.set(value));
    }
}

#[cfg(test)]
mod tests;
