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
fn what_many_ask_at_once_is_asked_once() {
    runtime().block_on(async {
        let directory = model(Tiny::default());
        let settings = settings(directory.path());
        let host = Arc::new(started(settings.clone()).await);
        let (policy, same) = (routes(&["a", "b"]), routes(&["a", "b"]));
        let ask = |question: Question, deadline: Instant| {
            let host = Arc::clone(&host);
            tokio::spawn(async move { host.ask(question, deadline).await })
        };
        let count = Arc::new(AtomicUsize::new(0));
        settings
            .faults
            .then(Some(Fault::Sleep(Duration::from_millis(300))));
        let first = ask(question(&policy, "hello"), soon(60));
        tokio::time::sleep(Duration::from_millis(100)).await;
        // One that comes while the first is asked, two of another question, of whom one leaves, and once more the first.
        for _ in 0..9 {
            settings.faults.then(Some(Fault::Count(Arc::clone(&count))));
        }
        let joined = ask(question(&same, "hello"), soon(60));
        let impatient = ask(
            question(&policy, "goodbye"),
            Instant::now() + Duration::from_millis(10),
        );
        let patient = ask(question(&same, "goodbye"), soon(60));
        let last = ask(question(&policy, "hello"), soon(60));
        let first = first.await.unwrap().unwrap();
        for joined in [joined, last] {
            let joined = joined.await.unwrap().unwrap();
            assert_eq!(joined.answer, first.answer);
            assert!(joined.queued < first.computed);
        }
        assert_eq!(impatient.await.unwrap(), Err(AskError::Deadline));
        assert_ne!(patient.await.unwrap().unwrap().answer, first.answer);
        let alone = host.ask(question(&policy, "hello again"), soon(60)).await;
        assert!(alone.is_ok());
        host.shut_down(Duration::from_secs(10)).await;
        // "goodbye" and "hello again": two tokens each, of which the second may come after an error.
        assert!(count.load(Ordering::SeqCst) <= 4, "{count:?}");
    });
}

#[test]
fn a_host_that_shuts_down_in_the_middle_answers_what_waits_and_refuses_the_rest() {
    runtime().block_on(async {
        let directory = model(Tiny::default());
        let settings = settings(directory.path());
        let host = Arc::new(started(settings.clone()).await);
        settings
            .faults
            .then(Some(Fault::Sleep(Duration::from_millis(200))));
        let policy = routes(&["a", "b"]);
        let asked: Vec<_> = (0..20)
            .map(|at| {
                let (host, question) = (Arc::clone(&host), question(&policy, &format!("question {at}")));
                tokio::spawn(async move { host.ask(question, soon(60)).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let (ended, refused) = tokio::join!(host.shut_down(Duration::from_secs(20)), async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            host.ask(question(&policy, "late"), soon(60)).await
        });
        assert_eq!(refused, Err(AskError::NotReady));
        assert!(ended);
        for asked in asked {
            assert!(asked.is_finished());
            assert!(asked.await.unwrap().is_ok());
        }
    });
}

#[test]
fn a_host_that_takes_too_long_to_shut_down_is_left_alone() {
    runtime().block_on(async {
        let directory = model(Tiny::default());
        let settings = settings(directory.path());
        let host = started(settings.clone()).await;
        settings
            .faults
            .then(Some(Fault::Sleep(Duration::from_millis(800))));
        let question = question(&routes(&["a", "b"]), "hello");
        let ask = host.ask(question, soon(60));
        assert!(
            tokio::time::timeout(Duration::from_millis(50), ask)
                .await
                .is_err()
        );
        let start = Instant::now();
        assert!(!host.shut_down(Duration::from_millis(100)).await);
        assert!(start.elapsed() < Duration::from_millis(600));
        assert!(host.shut_down(Duration::from_secs(20)).await);
    });
}

/// Questions that differ.
const DIFFERENT: usize = 500;

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
        let text = |at: usize| question(&policies[at % 2], &format!("question {at}"));
        let mut alone = Vec::new();
        let start = Instant::now();
        for at in 0..DIFFERENT {
            alone.push(host.ask(text(at), soon(60)).await.unwrap().answer);
        }
        // Deadlines and departures fall all over the time that everything takes.
        let whole = start.elapsed().as_micros() as u64 * 3;
        let mut undisturbed = Vec::new();
        let mut disturbed = Vec::new();
        for at in 0..1_000_usize {
            let ask = |at: usize, deadline: Instant| {
                let (host, question) = (Arc::clone(&host), text(at));
                tokio::spawn(async move { host.ask(question, deadline).await })
            };
            undisturbed.push(ask(at % DIFFERENT, soon(600)));
            let whim = Duration::from_micros((at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) % whole);
            // Some ask what others ask, most do not.
            let other = at * 31 % 4_000;
            if at.is_multiple_of(2) {
                disturbed.push(ask(other, Instant::now() + whim));
                continue;
            }
            let asked = ask(other, soon(600));
            disturbed.push(tokio::spawn(async move {
                tokio::time::sleep(whim).await;
                asked.abort();
                asked.await.unwrap_or(Err(AskError::Deadline))
            }));
        }
        for (at, asked) in undisturbed.into_iter().enumerate() {
            assert_eq!(
                asked.await.unwrap().unwrap().answer,
                alone[at % DIFFERENT],
                "question {at}"
            );
        }
        let mut answered = 0;
        for asked in disturbed {
            match asked.await.unwrap() {
                Ok(_) => answered += 1,
                Err(AskError::Deadline) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert!((100..900).contains(&answered), "{answered} of 1,000 stayed");
        assert!(host.shut_down(Duration::from_secs(20)).await);
    });
}
