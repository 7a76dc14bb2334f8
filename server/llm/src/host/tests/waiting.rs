//! The queue: deadlines, callers that leave, and those who are not to notice.

use super::*;

#[test]
fn what_nobody_waits_for_is_never_computed() {
    runtime().block_on(async {
        let directory = model(Tiny::default());
        let settings = settings(directory.path());
        let host = Arc::new(started(settings.clone()).await);
        let question = question(&routes(&["a", "b"]), "hello");
        // One that takes a while, behind it one that is too late and one whose caller leaves.
        settings
            .faults
            .then(Some(Fault::Sleep(Duration::from_millis(300))));
        let slow = tokio::spawn({
            let (host, question) = (Arc::clone(&host), question.clone());
            async move { host.ask(question, soon(60)).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        let count = Arc::new(AtomicUsize::new(0));
        for _ in 0..3 {
            settings.faults.then(Some(Fault::Count(Arc::clone(&count))));
        }
        let late = host.ask(question.clone(), Instant::now() + Duration::from_millis(20));
        let left = tokio::time::timeout(Duration::from_millis(20), host.ask(question.clone(), soon(60)));
        let (late, left) = tokio::join!(late, left);
        assert_eq!(late, Err(AskError::Deadline));
        assert!(left.is_err());
        assert!(slow.await.unwrap().is_ok());
        assert_eq!(count.load(Ordering::SeqCst), 0);
        assert!(host.ask(question, soon(60)).await.is_ok());
        assert!(count.load(Ordering::SeqCst) > 0);
    });
}

#[test]
fn a_full_queue_refuses_at_once() {
    runtime().block_on(async {
        let directory = model(Tiny::default());
        let mut settings = settings(directory.path());
        settings.queue = 2;
        let host = started(settings.clone()).await;
        settings
            .faults
            .then(Some(Fault::Sleep(Duration::from_millis(300))));
        let question = question(&routes(&["a", "b"]), "hello");
        let ask = || host.ask(question.clone(), soon(60));
        let later = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            tokio::join!(ask(), ask(), ask())
        };
        let (first, (second, third, fourth)) = tokio::join!(ask(), later);
        assert!(first.is_ok() && second.is_ok() && third.is_ok());
        assert_eq!(fourth, Err(AskError::Overloaded));
    });
}

#[test]
fn a_host_that_shuts_down_answers_what_waits() {
    runtime().block_on(async {
        let directory = model(Tiny::default());
        let settings = settings(directory.path());
        let host = started(settings.clone()).await;
        settings
            .faults
            .then(Some(Fault::Sleep(Duration::from_millis(200))));
        let question = question(&routes(&["a", "b"]), "hello");
        {
            let asked = host.ask(question.clone(), soon(60));
            let impatient = tokio::time::timeout(Duration::from_millis(20), asked).await;
            assert!(impatient.is_err());
        }
        assert!(host.shut_down(Duration::from_secs(10)).await);
    });
}

#[test]
fn callers_that_come_and_go_disturb_nobody() {
    runtime().block_on(async {
        let directory = model(Tiny {
            hidden: 32,
            layers: 1,
            ..Tiny::default()
        });
        let mut settings = settings(directory.path());
        settings.queue = 4_000;
        let host = Arc::new(started(settings).await);
        let policies = [
            routes(&["code", "travel", "mail"]),
            routes(&["code", "code review"]),
        ];
        let text = |at: usize| question(&policies[at % 2], &format!("question {}", at % 50));
        let mut alone = Vec::new();
        for at in 0..50 {
            alone.push(host.ask(text(at), soon(60)).await.unwrap().answer);
        }
        let before = resident_bytes();
        let mut undisturbed = Vec::new();
        let mut disturbed = Vec::new();
        for at in 0..1_000_usize {
            let ask = |at: usize, deadline: Instant| {
                let (host, question) = (Arc::clone(&host), text(at));
                tokio::spawn(async move { host.ask(question, deadline).await })
            };
            undisturbed.push(ask(at, soon(600)));
            let whim = Duration::from_millis((at as u64).wrapping_mul(7_919) % 8_000);
            let other = ask(
                at * 31,
                if at.is_multiple_of(2) {
                    Instant::now() + whim
                } else {
                    soon(600)
                },
            );
            disturbed.push(tokio::spawn(async move {
                if at.is_multiple_of(2) {
                    return other.await.unwrap().map(|_| ());
                }
                tokio::time::sleep(whim).await;
                other.abort();
                Err(AskError::Deadline)
            }));
            if at.is_multiple_of(20) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        for (at, asked) in undisturbed.into_iter().enumerate() {
            assert_eq!(
                asked.await.unwrap().unwrap().answer,
                alone[at % 50],
                "question {at}"
            );
        }
        for asked in disturbed {
            let asked = asked.await.unwrap();
            assert!(matches!(asked, Ok(()) | Err(AskError::Deadline)), "{asked:?}");
        }
        let after = resident_bytes();
        assert!(
            after < before + before / 10 + (8 << 20),
            "memory grew from {before} to {after} bytes"
        );
    });
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}
