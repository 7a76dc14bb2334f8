//! A language model that says and does what a test wants.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use signalbox_server::llm::{Bounds, Engine, Failure, Llm, Question, Reply};

/// What the server itself asks to see whether the model answers.
const PROBE: &str = "write a python function that reverses a list";

/// What it does with a question.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Gives the route of this index so much, and the rest to none.
    Says(usize, f32),
    /// The same, by what was said last.
    Reads(fn(&str) -> (usize, f32)),
    /// Fails like this.
    Fails(Failure),
    /// Panics.
    Panics,
}

#[derive(Debug)]
pub(crate) struct Scripted {
    script: Mutex<(Duration, Does)>,
    broken: Option<String>,
    asked: AtomicUsize,
    probed: AtomicUsize,
}

impl Scripted {
    /// Takes its time and answers.
    pub(crate) fn new(takes: Duration, does: Does) -> Arc<Self> {
        Arc::new(Scripted {
            script: Mutex::new((takes, does)),
            broken: None,
            asked: AtomicUsize::new(0),
            probed: AtomicUsize::new(0),
        })
    }

    /// Never loads, for this reason.
    pub(crate) fn broken(why: &str) -> Arc<Self> {
        Arc::new(Scripted {
            script: Mutex::new((Duration::ZERO, Does::Panics)),
            broken: Some(why.to_owned()),
            asked: AtomicUsize::new(0),
            probed: AtomicUsize::new(0),
        })
    }

    pub(crate) fn now(&self, takes: Duration, does: Does) {
        *self.script.lock().unwrap() = (takes, does);
    }

    /// Questions of callers.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Questions of the server itself.
    pub(crate) fn probed(&self) -> usize {
        self.probed.load(Ordering::SeqCst)
    }

    /// Behind the server's bounds, with a probe every `probe_ms`.
    pub(crate) fn within(self: &Arc<Self>, queue: usize, probe_ms: u64) -> Llm {
        let probe = Duration::from_millis(probe_ms);
        Llm::start(self.clone(), Bounds { queue, probe })
    }

    /// The same, ready.
    pub(crate) async fn ready(self: &Arc<Self>, queue: usize, probe_ms: u64) -> Llm {
        let llm = self.within(queue, probe_ms);
        llm.usable().await.unwrap();
        llm
    }
}

impl Engine for Scripted {
    fn identity(&self) -> String {
        "scripted".to_owned()
    }

    fn loaded(&self) -> BoxFuture<'_, Result<(), String>> {
        std::future::ready(self.broken.clone().map_or(Ok(()), Err)).boxed()
    }

    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Reply, Failure>> {
        let probe = question.turns.len() == 1 && question.turns[0].text == PROBE;
        let count = if probe { &self.probed } else { &self.asked };
        count.fetch_add(1, Ordering::SeqCst);
        let (takes, does) = self.script.lock().unwrap().clone();
        let does = match (does, question.turns.last()) {
            (Does::Reads(says), Some(turn)) => {
                let (route, p) = says(&turn.text);
                Does::Says(route, p)
            }
            (does, _) => does,
        };
        async move {
            tokio::time::sleep(takes).await;
            match does {
                Does::Reads(_) => Err(Failure::Failed("nothing was said".to_owned())),
                Does::Says(route, p) => {
                    let mut routes = vec![0.0; question.routes.as_slice().len()];
                    routes[route] = p;
                    Ok(Reply {
                        routes,
                        other: 1.0 - p,
                        measured: true,
                        prompt_tokens: Some(400),
                        cached_tokens: Some(350),
                        queued: Some(Duration::from_millis(1)),
                        computed: takes,
                    })
                }
                Does::Fails(failure) => Err(failure),
                Does::Panics => panic!("a scripted panic"),
            }
        }
        .boxed()
    }
}
