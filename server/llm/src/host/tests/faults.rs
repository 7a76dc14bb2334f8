//! Engines that panic, die, hang, or have nothing to say.

use super::asker::Failure;
use super::*;

#[test]
fn an_engine_that_panicked_is_started_anew() {
    let directory = model(Tiny::default());
    let settings = settings(directory.path());
    let mut asker = asker(&settings);
    let question = question(&routes(&["a", "b"]), "hello");
    let before = asker.must(&question).answer;
    for _ in 0..4 {
        settings.faults.then(Some(Fault::Panic));
        match asker.ask(&question, &patient()) {
            Err(Failure::Question(AskError::Engine(_))) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(asker.must(&question).answer, before);
    }
}

#[test]
fn an_engine_that_dies_between_questions_is_not_noticed() {
    let directory = model(Tiny::default());
    let mut asker = asker(&settings(directory.path()));
    let question = question(&routes(&["a", "b"]), "hello");
    let before = asker.must(&question).answer;
    asker.settle().unwrap();
    for _ in 0..3 {
        asker.kill();
        assert_eq!(asker.must(&question).answer, before);
    }
}

#[test]
fn an_engine_that_dies_again_and_again_is_given_up_for_all_to_see() {
    runtime().block_on(async {
        let directory = model(Tiny::default());
        let settings = settings(directory.path());
        let host = started(settings.clone()).await;
        let question = question(&routes(&["a", "b"]), "hello");
        for _ in 0..3 {
            settings.faults.then(Some(Fault::Panic));
        }
        for _ in 0..2 {
            let asked = host.ask(question.clone(), soon(60)).await;
            assert!(matches!(asked, Err(AskError::Engine(_))), "{asked:?}");
        }
        assert_eq!(
            host.ask(question.clone(), soon(60)).await,
            Err(AskError::Poisoned)
        );
        let mut state = host.state();
        let poisoned = state
            .wait_for(|state| matches!(state, State::Poisoned(_)))
            .await
            .is_ok();
        assert!(poisoned);
        assert_eq!(host.ask(question, soon(60)).await, Err(AskError::Poisoned));
        assert!(host.shut_down(Duration::from_secs(10)).await);
    });
}

#[test]
fn an_engine_that_hangs_is_given_up_and_nobody_waits_past_a_deadline() {
    runtime().block_on(async {
        let directory = model(Tiny::default());
        let mut settings = settings(directory.path());
        settings.stall = Duration::from_secs(1);
        let host = started(settings.clone()).await;
        settings.faults.then(Some(Fault::Sleep(Duration::from_secs(4))));
        let question = question(&routes(&["a", "b"]), "hello");
        let start = Instant::now();
        let asked = host
            .ask(question.clone(), Instant::now() + Duration::from_millis(100))
            .await;
        assert_eq!(asked, Err(AskError::Deadline));
        assert!(start.elapsed() < Duration::from_millis(600));
        let mut state = host.state();
        let poisoned = state
            .wait_for(|state| matches!(state, State::Poisoned(_)))
            .await
            .is_ok();
        assert!(poisoned && start.elapsed() < Duration::from_secs(3));
        assert_eq!(host.ask(question, soon(60)).await, Err(AskError::Poisoned));
    });
}

#[test]
fn logits_that_are_not_numbers_are_no_answer() {
    let directory = model(Tiny {
        nan: true,
        ..Tiny::default()
    });
    match dispatch::ready(settings(directory.path())).map(|_| ()) {
        Err(LoadError::Mute(error)) => assert!(error.contains("not finite"), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_model_that_would_rather_say_nothing_is_held_to_the_answers() {
    let directory = model(Tiny {
        mute: true,
        ..Tiny::default()
    });
    let settings = settings(directory.path());
    let mut asker = asker(&settings);
    let routes = routes(&["code", "travel", "travel agents"]);
    for at in 0..3 {
        let reply = asker.must(&question(&routes, &format!("question {at}")));
        assert!(reply.answer.on_script < 0.01, "{:?}", reply.answer);
        let sum: f64 = reply.answer.routes.iter().map(|score| score.probability).sum();
        assert!(sum + reply.answer.other.probability > 0.999, "{:?}", reply.answer);
    }
}
