//! A server of its own for each test, and short ways to ask it and to read its errors.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use signalbox_api::v1;
use signalbox_api::v1::router_service_client::RouterServiceClient;
use signalbox_client::{Client, Options};
use signalbox_server::engine::Engine;
use signalbox_server::engine::admission::Admission;
use signalbox_server::engine::cache::{Bounds, DecisionCache};
use signalbox_server::engine::ring::Ring;
use signalbox_server::health::Clock;
use signalbox_server::llm::Llm;
use signalbox_server::serve::{self, Settings};
use signalbox_server::shared::Shared;
use signalbox_server::store::{Compiler, Policies, ReloadOptions};
use signalbox_server::watcher::{PolicySource, load_tenants};
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::Channel;

/// Three models, one of them for paying callers in one region, and two routes.
pub(crate) const POLICY: &str = r#"schema: 1
version: 7
default: acme/small
models:
  - id: acme/small
    family: acme
    parameters_b: 3
    context_window: 8000
    max_output_tokens: 2000
    capabilities: [json]
    price: {input: 0.1, output: 0.2}
    latency: {first_token_ms: 100, tokens_per_second: 100}
    quality: {default: 0.5}
    regions: [eu, us]
    labels: {endpoint: one}
  - id: acme/large
    family: acme
    parameters_b: 70
    context_window: 200000
    max_output_tokens: 64000
    capabilities: [json, tools, code]
    modalities: [text, image]
    price: {input: 3.0, output: 15.0}
    latency: {first_token_ms: 600, tokens_per_second: 80}
    quality: {default: 0.9, code_generation: 0.95}
    regions: [eu, us]
    labels: {endpoint: two}
  - id: other/gold
    family: other
    parameters_b: 30
    tiers: [gold]
    regions: [eu]
aliases: {best: [acme/large, acme/small], mine: other/gold}
routes:
  - name: code_generation
    description: writing new source code, functions and programs
    examples: ["write a python function that reverses a list", "implement a parser in rust", "generate code for a web server"]
    models: [acme/large, acme/small]
  - name: translation
    description: translating text from one human language to another
    examples: ["translate this sentence into french", "how do you say good morning in spanish"]
    models: [acme/small, acme/large]
"#;

/// A running server. Dropping it stops it at once.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) http: Option<SocketAddr>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) file: PathBuf,
    pub(crate) ready: watch::Receiver<bool>,
    stop: Option<oneshot::Sender<()>>,
    run: JoinHandle<Result<(), serve::ServeError>>,
    _folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run.abort();
    }
}

impl Server {
    /// With [`POLICY`] in force, ready.
    pub(crate) async fn start() -> Server {
        Server::with(Settings::default(), Some(POLICY)).await
    }

    /// With these settings, on a free port of loopback, and this policy in its file and in force.
    pub(crate) async fn with(settings: Settings, policy: Option<&str>) -> Server {
        Server::with_clock(settings, policy, Arc::new(SystemTime::now)).await
    }

    /// The same with a clock for what outcomes say.
    pub(crate) async fn with_clock(settings: Settings, policy: Option<&str>, clock: Clock) -> Server {
        Server::of(settings, policy, unshared_engine().with_clock(clock)).await
    }

    async fn of(settings: Settings, policy: Option<&str>, engine: Engine) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.yaml");
        let engine = Arc::new(engine);
        if let Some(policy) = policy {
            std::fs::write(&file, policy).unwrap();
            let name = file.display().to_string();
            engine
                .store()
                .reload(policy.as_bytes(), &name, &ReloadOptions::default())
                .unwrap();
        }
        let source = source(&file);
        Server::on(settings, engine, source, file, folder).await
    }

    /// With this policy in force and a language model that it may ask.
    pub(crate) async fn with_llm(policy: &str, llm: Llm) -> Server {
        let engine = unshared_engine().with_llm(llm);
        Server::of(Settings::default(), Some(policy), engine).await
    }

    /// The same as one of the replicas that share this.
    pub(crate) async fn with_shared(policy: &str, shared: Shared, llm: Option<Llm>) -> Server {
        let engine = unshared_engine().with_shared(shared);
        let engine = match llm {
            Some(llm) => engine.with_llm(llm),
            None => engine,
        };
        Server::of(Settings::default(), Some(policy), engine).await
    }

    /// With [`POLICY`] in force and this bound on decisions in progress.
    pub(crate) async fn with_admission(settings: Settings, admission: Admission) -> Server {
        let engine = unshared_engine().with_admission(admission);
        Server::of(settings, Some(POLICY), engine).await
    }

    /// With these files, the first of them everyone's policy, in a directory, and all of them loaded as `serve` does.
    pub(crate) async fn directory(files: &[(&str, &str)]) -> Server {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let (engine, source) = (engine(), source(folder.path()));
        let (bytes, name) = source.read().unwrap();
        engine
            .store()
            .reload(&bytes, &name, &ReloadOptions::default())
            .unwrap();
        load_tenants(engine.policies(), &source).unwrap();
        let file = folder.path().join(files[0].0);
        Server::on(Settings::default(), engine, source, file, folder).await
    }

    async fn on(
        settings: Settings,
        engine: Arc<Engine>,
        source: Arc<PolicySource>,
        file: PathBuf,
        folder: TempDir,
    ) -> Server {
        let settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ..settings
        };
        let bound = serve::bind(settings, engine.clone(), source).await.unwrap();
        let (address, http, mut ready) = (bound.grpc_addr, bound.http_addr, bound.ready());
        let (stop, stopped) = oneshot::channel::<()>();
        let run = tokio::spawn(bound.run(async {
            let _ = stopped.await;
        }));
        if engine.store().current().is_some() {
            ready.wait_for(|ready| *ready).await.unwrap();
        }
        Server {
            address,
            http,
            engine,
            file,
            ready,
            stop: Some(stop),
            run,
            _folder: folder,
        }
    }

    /// The real client, which repeats nothing.
    pub(crate) fn client(&self) -> Client {
        let options = Options {
            retries: 0,
            ..Options::default()
        };
        Client::connect_with(format!("http://{}", self.address), options).unwrap()
    }

    /// The generated client, whose errors are the bare status.
    pub(crate) async fn raw(&self) -> RouterServiceClient<Channel> {
        RouterServiceClient::new(self.channel().await)
    }

    pub(crate) async fn channel(&self) -> Channel {
        channel(self.address).await
    }

    /// Asks for a decision and expects none.
    pub(crate) async fn refusal(&self, request: v1::RouteRequest) -> Status {
        self.raw()
            .await
            .route(request)
            .await
            .expect_err("the request should be refused")
    }

    /// Gives the signal to stop.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits for the end of the server.
    pub(crate) async fn ended(&mut self) -> Result<(), serve::ServeError> {
        tokio::time::timeout(Duration::from_secs(20), &mut self.run)
            .await
            .expect("the server ends")
            .unwrap()
    }
}

pub(crate) async fn channel(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}"))
        .unwrap()
        .connect()
        .await
        .unwrap()
}

/// An engine without a policy.
pub(crate) fn engine() -> Arc<Engine> {
    Arc::new(unshared_engine())
}

fn unshared_engine() -> Engine {
    let ring = Arc::new(Ring::new(100));
    let policies = Arc::new(Policies::new(Compiler::new().unwrap(), ring.clone()));
    let bounds = Bounds {
        max_entries: 100,
        max_bytes: 1 << 20,
    };
    Engine::new(policies, DecisionCache::new(bounds, [7; 32]), ring)
}

pub(crate) fn source(file: &std::path::Path) -> Arc<PolicySource> {
    Arc::new(PolicySource::path(file, 1 << 20))
}

/// A request with one user message.
pub(crate) fn ask(prompt: &str) -> v1::RouteRequest {
    let message = v1::Message {
        role: v1::Role::User.into(),
        content: prompt.into(),
        ..Default::default()
    };
    v1::RouteRequest {
        messages: vec![message],
        ..Default::default()
    }
}

/// A request that names a model and says nothing.
pub(crate) fn name(model: &str) -> v1::RouteRequest {
    v1::RouteRequest {
        model: model.into(),
        ..Default::default()
    }
}

/// [`POLICY`] with another revision.
pub(crate) fn version(version: u64) -> String {
    POLICY.replace("version: 7", &format!("version: {version}"))
}
