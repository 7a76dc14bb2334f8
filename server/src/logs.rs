//! Logging: everything goes to stderr, as text or as one JSON object a line; stdout belongs to answers. Started once by
//! the command line. No prompt is ever logged: the types that hold text show sizes only.

use std::io;
use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;

use crate::config::LogConfig;

/// Starts logging. The level holds for Signalbox; libraries speak from `warn`. `RUST_LOG`, where set, decides instead.
///
/// # Errors
/// When the process logs already.
pub fn start(config: &LogConfig) -> Result<(), TryInitError> {
    let asked = std::env::var("RUST_LOG")
        .ok()
        .filter(|asked| !asked.trim().is_empty());
    let (filter, refused) = filter(&config.level, asked.as_deref());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let started = if config.json {
        tracing_subscriber::util::SubscriberInitExt::try_init(builder.json().finish())
    } else {
        tracing_subscriber::util::SubscriberInitExt::try_init(builder.with_ansi(false).finish())
    };
    if let Some(reason) = refused {
        tracing::warn!("RUST_LOG: {reason}; using log.level instead");
    }
    std::panic::set_hook(Box::new(|panic| tracing::error!("{}", panicked(panic))));
    started
}

/// Where a thread panicked. What the panic says is left out: it may quote what the thread worked on.
fn panicked(panic: &PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("unnamed").to_owned();
    match panic.location() {
        Some(place) => format!("a defect: thread `{name}` panicked at {place}"),
        None => format!("a defect: thread `{name}` panicked"),
    }
}

/// The filter, and why `RUST_LOG` cannot be used if it cannot.
fn filter(level: &str, asked: Option<&str>) -> (EnvFilter, Option<String>) {
    let own = || match level {
        "off" => EnvFilter::new("off"),
        level => EnvFilter::new(format!("warn,signalbox={level},signalbox_server={level}")),
    };
    match asked.map(EnvFilter::try_new) {
        None => (own(), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (own(), Some(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_for_signalbox_and_libraries_only_warn() {
        let (filter, refused) = filter("debug", None);
        assert_eq!(refused, None);
        for directive in ["signalbox_server=debug", "signalbox=debug", "warn"] {
            assert!(
                filter.to_string().split(',').any(|part| part == directive),
                "{directive} in {filter}"
            );
        }
        assert_eq!(super::filter("off", None).0.to_string(), "off");
    }

    #[test]
    fn a_panic_is_reported_by_its_place_and_never_by_its_words() {
        let (sender, reports) = std::sync::mpsc::channel();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| drop(sender.send(panicked(panic)))));
        let prompt = "my secret prompt";
        let outcome = std::panic::catch_unwind(|| prompt[..100].len());
        std::panic::set_hook(before);
        assert!(outcome.is_err());
        let report = reports.iter().find(|report| report.contains("logs.rs")).unwrap();
        assert!(!report.contains("secret"), "{report}");
    }

    #[test]
    fn rust_log_decides_where_it_is_set_and_is_passed_over_where_it_is_wrong() {
        assert_eq!(filter("debug", Some("h2=trace")).0.to_string(), "h2=trace");
        let (kept, refused) = filter("error", Some("h2=noise"));
        assert!(kept.to_string().contains("signalbox_server=error"));
        assert!(refused.is_some());
    }
}
