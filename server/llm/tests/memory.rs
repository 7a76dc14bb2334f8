//! Memory over many decisions. A process of its own, with the server's allocator: glibc's keeps what threads that are
//! gone have freed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "../src/host/tests/tiny.rs"]
#[expect(dead_code, reason = "what other tests write is not needed here")]
mod tiny;

use std::sync::Arc;
use std::time::{Duration, Instant};

use signalbox_llm::host::{Host, Question, Settings, Source, State};
use signalbox_llm::question::{Role, Route, Routes, Turn};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn policy(number: usize) -> Arc<Routes> {
    let route = |name: String| Route {
        description: format!("what is about {name}"),
        name,
    };
    let routes = ["code".to_owned(), "travel".to_owned(), format!("mail {number}")];
    Arc::new(Routes::new(routes.map(route).to_vec()).unwrap())
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

#[test]
fn memory_stays_within_a_tenth_over_two_thousand_decisions() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let tiny = tiny::Tiny {
            hidden: 32,
            layers: 1,
            ..tiny::Tiny::default()
        };
        tiny.write(directory.path());
        let mut settings = Settings::new(Source::Directory(directory.path().to_owned()));
        settings.style.max_tokens = 3_000;
        // Room for three policies, so that the engine is started anew again and again.
        settings.cache_bytes = 5 * 512 * 128;
        let host = Host::start(settings).unwrap();
        let mut state = host.state();
        let state = state
            .wait_for(|state| *state != State::Loading)
            .await
            .unwrap()
            .clone();
        assert!(matches!(state, State::Ready(_)), "{state:?}");
        let policies: Vec<_> = (0..8).map(policy).collect();
        let mut known = 0;
        // What an engine holds comes and goes with it, and the allocator gives back late, the later the busier the machine: the
        // least of a stretch is compared, which a leak raises too.
        let mut least = [u64::MAX; 2];
        for at in 0_usize..3_500 {
            if let Some(stretch) = at.checked_sub(1_500) {
                let least = &mut least[stretch / 1_000];
                *least = resident_bytes().min(*least);
            }
            let question = Question {
                routes: Arc::clone(&policies[at / 25 % policies.len()]),
                turns: vec![Turn {
                    role: Role::User,
                    text: format!("question {at}"),
                }],
            };
            let reply = host
                .ask(question, Instant::now() + Duration::from_secs(60))
                .await
                .unwrap();
            known += usize::from(reply.cached_tokens > 100);
        }
        let [before, after] = least;
        assert!(known > 2_800, "{known} of 3,500 knew the policy's part");
        assert!(
            after < before + before / 10,
            "memory grew from {before} to {after} bytes over 2,000 decisions"
        );
        assert!(host.shut_down(Duration::from_secs(20)).await);
    });
}
