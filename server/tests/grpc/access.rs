//! Who may administer: what is closed on a public listener, and what a setting forbids.

use std::sync::Arc;

use signalbox_api::v1;
use signalbox_api::v1::explain_request::Target;
use signalbox_api::v1::router_service_client::RouterServiceClient;
use signalbox_api::v1::router_service_server::RouterServiceServer;
use signalbox_client::{Client, Options};
use signalbox_server::grpc::Grpc;
use signalbox_server::grpc::access::{Access, Admin, Tokens};
use signalbox_server::serve::Settings;
use signalbox_server::store::ReloadOptions;
use tonic::Code;
use tonic::transport::server::TcpIncoming;

use crate::errors::check;
use crate::support::{self, Server, ask};

#[tokio::test]
async fn pushing_a_policy_can_be_forbidden() {
    let settings = Settings {
        allow_push: false,
        ..Settings::default()
    };
    let server = Server::with(settings, Some(support::POLICY)).await;
    let mut raw = server.raw().await;
    let push = v1::ReloadPolicyRequest {
        policy_yaml: Some(support::version(8)),
        ..Default::default()
    };
    check(
        &raw.reload_policy(push).await.unwrap_err(),
        Code::PermissionDenied,
        "PUSH_FORBIDDEN",
    );
    raw.reload_policy(v1::ReloadPolicyRequest::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn administrative_calls_on_a_public_listener_need_credentials() {
    let engine = support::engine();
    engine
        .store()
        .reload(support::POLICY.as_bytes(), "test", &ReloadOptions::default())
        .unwrap();
    // The rules of a public address, on a listener of loopback: a test opens no port to others.
    let access = Access::new("0.0.0.0:50051".parse().unwrap(), Admin::default(), true);
    let grpc = Grpc::new(
        Arc::clone(&engine),
        support::source("policy.yaml".as_ref()),
        access,
    );
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let server = tonic::transport::Server::builder().add_service(RouterServiceServer::new(grpc));
    tokio::spawn(server.serve_with_incoming(incoming));
    let mut raw = RouterServiceClient::new(support::channel(address).await);

    let reload = v1::ReloadPolicyRequest::default;
    let status = raw.reload_policy(reload()).await.unwrap_err();
    check(&status, Code::Unauthenticated, "CREDENTIALS_MISSING");
    let mut request = tonic::Request::new(reload());
    request
        .metadata_mut()
        .insert("authorization", "Bearer wrong".parse().unwrap());
    let status = raw.reload_policy(request).await.unwrap_err();
    check(&status, Code::PermissionDenied, "CREDENTIALS_WRONG");

    let plain = v1::ExplainRequest {
        target: Some(Target::Request(ask("hello"))),
        ..Default::default()
    };
    for request in [
        v1::ExplainRequest {
            include_prompt: true,
            ..plain.clone()
        },
        v1::ExplainRequest {
            policy_yaml: Some(support::version(8)),
            ..plain.clone()
        },
        v1::ExplainRequest {
            target: Some(Target::DecisionId("nonsense".into())),
            ..Default::default()
        },
    ] {
        let status = raw.explain(request).await.unwrap_err();
        check(&status, Code::Unauthenticated, "CREDENTIALS_MISSING");
    }
    raw.explain(plain).await.unwrap();
    raw.get_policy(v1::GetPolicyRequest::default()).await.unwrap();
    let tenants = v1::GetPolicyRequest {
        tenant: "acme".into(),
    };
    let status = raw.get_policy(tenants).await.unwrap_err();
    check(&status, Code::Unauthenticated, "CREDENTIALS_MISSING");
}

#[tokio::test]
async fn each_token_set_up_opens_administrative_calls_and_no_other_does() {
    let tokens = Tokens::load(None, Some("the-token-of-old the-token-of-new")).unwrap();
    let settings = Settings {
        admin: Admin {
            tokens: Some(Arc::new(tokens)),
            ..Admin::default()
        },
        ..Settings::default()
    };
    let server = Server::with(settings, Some(support::POLICY)).await;
    let reload = async |token: Option<&str>| {
        let options = Options {
            bearer_token: token.map(str::to_owned),
            ..Options::default()
        };
        let client = Client::connect_with(format!("http://{}", server.address), options).unwrap();
        let answer = client.reload_policy(v1::ReloadPolicyRequest::default()).await;
        answer.map_err(|error| (error.code(), error.reason().unwrap_or_default().to_owned()))
    };
    for token in ["the-token-of-old", "the-token-of-new"] {
        reload(Some(token)).await.unwrap();
    }
    let missing = (Code::Unauthenticated, "CREDENTIALS_MISSING".to_owned());
    assert_eq!(reload(None).await.unwrap_err(), missing);
    let wrong = (Code::PermissionDenied, "CREDENTIALS_WRONG".to_owned());
    assert_eq!(reload(Some("the-token-of-nobody")).await.unwrap_err(), wrong);
    // Deciding needs none.
    server.client().route(ask("hello")).await.unwrap();
}
