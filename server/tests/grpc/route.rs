//! `Route` over the network: what comes back, and what is read of the request.

use prost::Message as _;
use signalbox_api::v1;
use signalbox_api::v1::{CacheStatus, DecisionSource};
use tonic::codec::{DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Status};

use crate::support::{POLICY, Server, ask, name, version};

/// Sends a request made of length-delimited fields, as a newer or a broken client would.
pub(crate) async fn send_bytes(
    server: &Server,
    fields: Vec<(u32, Vec<u8>)>,
) -> Result<v1::RouteResponse, Status> {
    let mut bytes = Vec::new();
    for (number, value) in fields {
        prost::encoding::bytes::encode(number, &value, &mut bytes);
    }
    let mut client = tonic::client::Grpc::new(server.channel().await);
    client.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static("/signalbox.v1.RouterService/Route");
    Ok(client
        .unary(Request::new(bytes), path, BytesCodec)
        .await?
        .into_inner())
}

#[derive(Default)]
struct BytesCodec;

impl tonic::codec::Codec for BytesCodec {
    type Encode = Vec<u8>;
    type Decode = v1::RouteResponse;
    type Encoder = BytesCodec;
    type Decoder = BytesCodec;

    fn encoder(&mut self) -> BytesCodec {
        BytesCodec
    }

    fn decoder(&mut self) -> BytesCodec {
        BytesCodec
    }
}

impl Encoder for BytesCodec {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        prost::bytes::BufMut::put_slice(buffer, &item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = v1::RouteResponse;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<v1::RouteResponse>, Status> {
        v1::RouteResponse::decode(buffer)
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

#[tokio::test]
async fn a_decision_carries_everything_needed_to_act_on_it() {
    let server = Server::start().await;
    let request = v1::RouteRequest {
        request_id: "mine".into(),
        expected_output_tokens: Some(100),
        ..name("best")
    };
    let decision = server.client().route(request).await.unwrap();
    assert_eq!(decision.model_id, "acme/large");
    assert_eq!(decision.fallback_model_ids, ["acme/small"]);
    assert_eq!(decision.request_id, "mine");
    assert_eq!(decision.source(), DecisionSource::Alias);
    assert_eq!(decision.cache_status(), CacheStatus::Bypass);
    assert_eq!(decision.model_labels["endpoint"], "two");
    assert_eq!((decision.confidence, decision.margin), (None, None));
    assert!(decision.processing_duration.is_some() && !decision.reason.is_empty());
    assert_eq!(
        uuid::Uuid::parse_str(&decision.decision_id)
            .unwrap()
            .get_version_num(),
        7
    );
    let policy = decision.policy.unwrap();
    let loaded = server.engine.store().current().unwrap();
    assert_eq!((policy.version, &policy.checksum), (7, &loaded.policy.checksum));
    let single = v1::SinglePlan {
        model_id: "acme/large".into(),
    };
    assert_eq!(decision.plan.unwrap().kind, Some(v1::plan::Kind::Single(single)));
    let estimate = decision.estimate.unwrap();
    assert_eq!(
        (estimate.input_tokens, estimate.output_tokens),
        (Some(0), Some(100))
    );
    assert_eq!(estimate.cost_usd, Some(0.0015));
    let whole_time = prost_types::Duration {
        seconds: 1,
        nanos: 850_000_000,
    };
    assert_eq!(estimate.latency_duration, Some(whole_time));
}

#[tokio::test]
async fn a_route_is_found_and_an_equal_request_hits_the_cache_under_an_id_of_its_own() {
    let server = Server::start().await;
    let prompt = "write a python function that reverses a list";
    let first = server.client().route(ask(prompt)).await.unwrap();
    assert_eq!(
        (first.route.as_str(), first.source()),
        ("code_generation", DecisionSource::Embedding)
    );
    assert!((0.5..=1.0).contains(&first.confidence.unwrap()) && first.margin.unwrap() > 0.0);
    assert_eq!(first.cache_status(), CacheStatus::Miss);

    let second = server.client().route(ask(prompt)).await.unwrap();
    assert_eq!(second.cache_status(), CacheStatus::ExactHit);
    assert_eq!(
        (second.source(), &second.model_id),
        (first.source(), &first.model_id)
    );
    assert_ne!(second.decision_id, first.decision_id);
}

#[tokio::test]
async fn a_probability_has_six_decimals_at_most() {
    let server = Server::start().await;
    let decision = server
        .client()
        .route(ask("implement a parser in rust"))
        .await
        .unwrap();
    let p = decision.confidence.unwrap();
    assert_eq!((p * 1e6).round() / 1e6, p);
}

#[tokio::test]
async fn fields_of_a_newer_client_are_ignored() {
    let server = Server::start().await;
    let message = v1::Message {
        role: 2,
        content: "hello".into(),
        ..Default::default()
    }
    .encode_to_vec();
    let fields = vec![
        (1, b"mine".to_vec()),
        (2, message),
        (999, b"something new".to_vec()),
    ];
    assert_eq!(send_bytes(&server, fields).await.unwrap().request_id, "mine");
}

#[tokio::test]
async fn a_request_may_be_pinned_to_a_version_or_a_checksum() {
    let server = Server::start().await;
    let client = server.client();
    let at_least = |min_policy_version| v1::RouteRequest {
        min_policy_version,
        ..name("best")
    };
    client.route(at_least(7)).await.unwrap();
    client.route(at_least(8)).await.unwrap_err();

    let request = v1::ReloadPolicyRequest {
        policy_yaml: Some(version(8)),
        ..Default::default()
    };
    let before = client.get_policy().await.unwrap().checksum;
    let after = client
        .reload_policy(request)
        .await
        .unwrap()
        .current
        .unwrap()
        .checksum;
    assert_eq!(
        client.route(at_least(8)).await.unwrap().policy.unwrap().version,
        8
    );
    let pinned = |checksum: &str| v1::RouteRequest {
        policy_checksum: checksum.into(),
        ..name("best")
    };
    assert_eq!(
        client
            .route(pinned(&after))
            .await
            .unwrap()
            .policy
            .unwrap()
            .checksum,
        after
    );
    client.route(pinned(&after.to_uppercase())).await.unwrap();
    client.route(pinned(&before)).await.unwrap_err();
}

#[tokio::test]
async fn requests_in_parallel_on_one_connection_all_get_their_own_answer() {
    let server = Server::with(Default::default(), Some(POLICY)).await;
    let client = server.client();
    let calls = (0..200).map(|n| {
        let (client, id) = (client.clone(), format!("request {n}"));
        tokio::spawn(async move {
            let request = v1::RouteRequest {
                request_id: id.clone(),
                ..ask(&format!("question number {n}"))
            };
            (client.route(request).await.unwrap().request_id, id)
        })
    });
    for call in calls.collect::<Vec<_>>() {
        let (answered, sent) = call.await.unwrap();
        assert_eq!(answered, sent);
    }
}
