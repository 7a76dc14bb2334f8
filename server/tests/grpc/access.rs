//! Who may administer: what is closed on a public listener, and what a setting forbids.

use std::sync::Arc;

use signalbox_api::v1;
use signalbox_api::v1::explain_request::Target;
use signalbox_api::v1::router_service_client::RouterServiceClient;
use signalbox_api::v1::router_service_server::RouterServiceServer;
use signalbox_server::grpc::Grpc;
use signalbox_server::grpc::access::Access;
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
    let access = Access::new("0.0.0.0:50051".parse().unwrap(), true);
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
