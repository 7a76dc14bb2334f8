//! A bare tonic service that answers every `Route` with the same words: the floor for throughput and CPU.
//!
//! usage: signalbox-echo [ADDRESS]

use tonic::{Request, Response, Status};

mod api {
    tonic::include_proto!("signalbox.v1");
}

use api::router_service_server::{RouterService, RouterServiceServer};
use api::{RouteRequest, RouteResponse};

struct Echo;

#[tonic::async_trait]
impl RouterService for Echo {
    async fn route(&self, request: Request<RouteRequest>) -> Result<Response<RouteResponse>, Status> {
        let request = request.into_inner();
        Ok(Response::new(RouteResponse {
            decision_id: request.request_id,
            model_id: "anthropic/claude-sonnet-4-5".into(),
            fallback_model_ids: vec!["openai/gpt-5".into(), "openai/gpt-5-mini".into()],
            route: "code_generation".into(),
            confidence: request.messages.len() as f64,
            policy_checksum: "0".repeat(64),
        }))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:50999".into()).parse()?;
    tonic::transport::Server::builder().add_service(RouterServiceServer::new(Echo)).serve(address).await?;
    Ok(())
}
