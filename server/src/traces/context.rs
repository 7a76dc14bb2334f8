//! The trace that a call belongs to, as its caller says in the headers of W3C Trace Context. Whatever is not exactly of that form
//! is as if it were not there, and `tracestate` counts only beside a good `traceparent`.

use std::str::FromStr as _;

use http::HeaderMap;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The caller's span.
pub(super) fn parent(headers: &HeaderMap) -> Option<SpanContext> {
    let mut all = headers.get_all("traceparent").iter();
    let (Some(text), None) = (all.next(), all.next()) else {
        return None;
    };
    let text = text.to_str().ok()?;
    let fields: Vec<&str> = text.splitn(5, '-').collect();
    let (&[version, trace, span, flags], rest) = fields.split_first_chunk()?;
    let well_formed = hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
    // A later version may add fields; of those before it the meaning stays.
    if !well_formed || version == "ff" || (version == "00" && !rest.is_empty()) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, flags, true, state(headers));
    context.is_valid().then_some(context)
}

/// The list of all headers of the name, in their order.
fn state(headers: &HeaderMap) -> TraceState {
    let all = headers.get_all("tracestate").iter();
    let all: Result<Vec<&str>, _> = all.map(|value| value.to_str()).collect();
    let joined = all.map(|parts| parts.join(",")).unwrap_or_default();
    TraceState::from_str(&joined).unwrap_or_default()
}

fn hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn headers(parents: &[&str], states: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for parent in parents {
            headers.append("traceparent", parent.parse().unwrap());
        }
        for state in states {
            headers.append("tracestate", state.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_callers_span_is_read() {
        for (flags, sampled) in [("00", false), ("01", true), ("03", true), ("fe", false)] {
            let text = format!("00-{TRACE}-{SPAN}-{flags}");
            let read = parent(&headers(&[&text], &["a=1,b=2", "c=3"])).unwrap();
            assert_eq!(read.trace_id().to_string(), TRACE);
            assert_eq!(read.span_id().to_string(), SPAN);
            assert_eq!((read.is_sampled(), read.is_remote()), (sampled, true));
            assert_eq!(read.trace_state().header(), "a=1,b=2,c=3");
        }
        for later in [
            format!("01-{TRACE}-{SPAN}-01"),
            format!("cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like"),
        ] {
            assert!(parent(&headers(&[&later], &[])).is_some(), "{later}");
        }
    }

    #[test]
    fn what_is_malformed_is_ignored() {
        let good = format!("00-{TRACE}-{SPAN}-01");
        for bad in [
            "",
            "00",
            &good[..54],
            &format!("{good}-"),
            &format!("{good}-more"),
            &format!("{good}0"),
            &format!(" {good}0"),
            &good.to_uppercase(),
            &good.replace("00-", "ff-"),
            &good.replace("00-", "0-"),
            &good.replace("00-", "+0-"),
            &format!("00-{}-{SPAN}-01", "0".repeat(32)),
            &format!("00-{TRACE}-{}-01", "0".repeat(16)),
            &format!("00-{TRACE}-{SPAN}-0x"),
            &format!("cc-{TRACE}-{SPAN}-01.what"),
            &format!("00-{SPAN}-{TRACE}-01"),
        ] {
            assert_eq!(parent(&headers(&[bad], &["a=1"])), None, "{bad:?}");
        }
        assert_eq!(parent(&headers(&[&good, &good], &[])), None, "two of them");
        assert_eq!(parent(&headers(&[], &["a=1"])), None);
        let state = parent(&headers(&[&good], &["no list"])).unwrap();
        assert_eq!(
            state.trace_state().header(),
            "",
            "a bad state alone loses no parent"
        );
    }
}
