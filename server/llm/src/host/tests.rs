mod reference;
mod tiny;

mod asking;
mod faults;
mod fetching;
mod loading;
mod waiting;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::asker::Asker;
use super::pass::Stop;
use super::*;
use crate::question::{Role, Route};
use tiny::Tiny;

/// What a run is made to suffer, at every token it samples.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    Panic,
    Sleep(Duration),
    Count(Arc<AtomicUsize>),
}

impl Fault {
    pub(super) fn strike(&self) {
        match self {
            Self::Panic => panic!("a fault was asked for"),
            Self::Sleep(time) => thread::sleep(*time),
            Self::Count(count) => {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

/// The faults of the coming runs; the first run is that of the warm-up.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(Arc<Mutex<VecDeque<Option<Fault>>>>);

impl Faults {
    pub(super) fn next(&self) -> Option<Fault> {
        self.0.lock().unwrap().pop_front().flatten()
    }

    fn then(&self, fault: Option<Fault>) {
        self.0.lock().unwrap().push_back(fault);
    }
}

fn model(tiny: Tiny) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    tiny.write(directory.path());
    directory
}

fn settings(directory: &Path) -> Settings {
    let mut settings = Settings::new(Source::Directory(directory.to_owned()));
    settings.style.max_tokens = 3_000;
    settings
}

fn routes(names: &[&str]) -> Arc<Routes> {
    let route = |name: &&str| Route {
        name: (*name).to_owned(),
        description: format!("what is about {name}"),
    };
    Arc::new(Routes::new(names.iter().map(route).collect()).unwrap())
}

fn question(routes: &Arc<Routes>, text: &str) -> Question {
    Question {
        routes: Arc::clone(routes),
        turns: vec![Turn {
            role: Role::User,
            text: text.to_owned(),
        }],
    }
}

fn soon(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

fn patient() -> Stop {
    Stop::new([(soon(600), Arc::default())].into_iter())
}

/// A host without its queue.
fn asker(settings: &Settings) -> Asker {
    dispatch::ready(settings.clone()).unwrap().0
}

impl Asker {
    fn must(&mut self, question: &Question) -> Reply {
        match self.ask(question, &patient()) {
            Ok(reply) => reply,
            Err(failure) => panic!("{failure:?}"),
        }
    }
}

/// A host that is ready, or will never be.
async fn started(settings: Settings) -> Host {
    let host = Host::start(settings).unwrap();
    let mut state = host.state();
    state.wait_for(|state| *state != State::Loading).await.unwrap();
    host
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}
