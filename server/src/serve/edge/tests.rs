use std::convert::Infallible;

use tonic::body::Body;
use tonic_types::StatusExt as _;
use tower::{ServiceExt as _, service_fn};

use super::*;
use crate::traces::kept::Kept;

const PATH: &str = "/signalbox.v1.RouterService/Route";

fn request(timeout: Option<&str>) -> Request<Body> {
    let request = Request::builder().uri(PATH);
    let request = timeout
        .into_iter()
        .fold(request, |request, text| request.header("grpc-timeout", text));
    request.body(Body::empty()).unwrap()
}

/// What a caller gets from a handler behind the layer; `None` is success.
async fn through<F>(timeout: Option<&str>, handler: impl Fn() -> F + Send + 'static) -> Option<Status>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + Send + 'static,
{
    let service = EdgeLayer::new(1000).layer(service_fn(move |_: Request<Body>| handler()));
    let response = service.oneshot(request(timeout)).await.unwrap();
    assert_eq!(response.status(), 200);
    let found = Status::from_header_map(response.headers());
    assert!(found.is_none() || response.headers()["content-type"] == "application/grpc");
    found
}

fn ok() -> Result<Response<Body>, Infallible> {
    Ok(Response::new(Body::empty()))
}

#[tokio::test]
async fn a_panic_is_internal_and_says_nothing_of_what_it_was() {
    let in_the_future = through(None, || async {
        let secret = "zebra-77";
        assert!(secret.is_empty(), "the prompt was {secret}");
        ok()
    });
    let in_the_call = through(None, || -> std::future::Ready<_> {
        panic!("the prompt was zebra-77")
    });
    for status in [in_the_future.await.unwrap(), in_the_call.await.unwrap()] {
        assert_eq!(status.code(), Code::Internal);
        assert_eq!(
            status.get_error_details().error_info().unwrap().reason,
            "INTERNAL"
        );
        assert!(!format!("{status:?}").contains("zebra-77"));
    }
}

#[tokio::test]
async fn a_handler_that_takes_longer_than_the_deadline_is_exceeded() {
    let slow = || async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        ok()
    };
    assert_eq!(
        through(Some("10m"), slow).await.unwrap().code(),
        Code::DeadlineExceeded
    );
    assert!(through(Some("30S"), slow).await.is_none());
    assert!(through(None, slow).await.is_none());
}

#[tokio::test]
async fn an_answer_after_the_deadline_is_exceeded_though_no_timer_ran() {
    let status = through(Some("1n"), || async { ok() }).await.unwrap();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(
        status.get_error_details().error_info().unwrap().reason,
        "DEADLINE_PASSED"
    );
}

#[tokio::test]
async fn the_decoders_errors_get_their_place_in_the_table() {
    let large = || async { Ok(Status::out_of_range("too large").into_http()) };
    let status = through(None, large).await.unwrap();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(
        status.get_error_details().error_info().unwrap().metadata["limit_bytes"],
        "1000"
    );

    let bytes =
        || async { Ok(Status::internal("failed to decode Protobuf message: bad varint").into_http()) };
    assert_eq!(through(None, bytes).await.unwrap().code(), Code::InvalidArgument);

    let own = || async { Ok(Status::not_found("x").into_http()) };
    assert_eq!(through(None, own).await.unwrap().message(), "x");
}

#[test]
fn deadlines_are_read_as_grpc_writes_them() {
    let read = |text: &str| timeout(request(Some(text)).headers());
    for (text, wanted) in [
        ("1H", Duration::from_secs(3600)),
        ("2M", Duration::from_secs(120)),
        ("3S", Duration::from_secs(3)),
        ("4m", Duration::from_millis(4)),
        ("5u", Duration::from_micros(5)),
        ("0n", Duration::ZERO),
        ("99999999H", Duration::from_secs(99_999_999 * 3600)),
    ] {
        assert_eq!(read(text), Some(wanted), "{text}");
    }
    for text in ["", "1", "S", "1s", "-1S", "+1S", "1.5S", "123456789S"] {
        assert_eq!(read(text), None, "{text:?}");
    }
    assert_eq!(timeout(request(None).headers()), None);
}

#[test]
fn a_path_that_is_invented_makes_no_series_of_its_own() {
    assert_eq!(method(PATH), "Route");
    assert_eq!(method("/signalbox.v1.RouterService/Zebra"), "other");
    assert_eq!(method("zebra"), "other");
}

#[tokio::test]
async fn what_the_layer_answers_itself_and_what_is_dropped_are_spans_too() {
    let kept = Kept::default();
    let layer = EdgeLayer::new(1000).with_traces(Some(kept.traces()));
    let panics = layer.layer(service_fn(|_: Request<Body>| async {
        let secret = "zebra-77";
        assert!(secret.is_empty(), "the prompt was {secret}");
        ok()
    }));
    panics.oneshot(request(None)).await.unwrap();
    let never = || {
        layer.layer(service_fn(|_: Request<Body>| async {
            std::future::pending::<()>().await;
            ok()
        }))
    };
    never().oneshot(request(Some("10m"))).await.unwrap();
    let hangs_up = never().oneshot(request(None));
    assert!(
        tokio::time::timeout(Duration::from_millis(10), hangs_up)
            .await
            .is_err()
    );
    let health = Request::builder().uri("/grpc.health.v1.Health/Check");
    let other = layer.layer(service_fn(|_: Request<Body>| async { ok() }));
    other.oneshot(health.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(
        kept.all("rpc.response.status_code"),
        ["INTERNAL", "DEADLINE_EXCEEDED", "CANCELLED"]
    );
    assert_eq!(kept.all("error.type"), ["INTERNAL", "DEADLINE_EXCEEDED", ""]);
    assert!(!format!("{kept:?}").contains("zebra-77"));
}
