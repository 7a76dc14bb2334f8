//! Answers that are ready together leave in one write.
//!
//! The runtime runs a connection as soon as one of its calls is done, before the calls that wait behind it, so that each answer
//! costs a write of its own. Here a connection that still has calls to answer lets all that can run go first, for a moment, and
//! sends what is ready then. One that has none sends at once: a single call waits for nothing, nor does an error.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use tokio::task::yield_now;

/// How long a connection waits while its calls end: a few answers, and so little that nobody notices. It does not read
/// meanwhile, and so does not refuse what is too much.
const LONGEST: Duration = Duration::from_millis(1);

/// The calls of one connection that are being answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls(Arc<Answered>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Call(Arc<Answered>);

#[derive(Debug, Default)]
struct Answered {
    calls: AtomicUsize,
    /// Whether one of them failed since the connection last ran.
    failed: AtomicBool,
}

impl Calls {
    pub(super) fn begin(&self) -> Call {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        Call(self.0.clone())
    }

    fn any(&self) -> bool {
        self.0.calls.load(Ordering::Relaxed) > 0
    }

    /// Told once.
    fn failed(&self) -> bool {
        self.0.failed.load(Ordering::Relaxed) && self.0.failed.swap(false, Ordering::Relaxed)
    }
}

impl Call {
    /// Its answer is an error, for which nothing is waited: where that says that there is too much to do, it is what makes room.
    pub(super) fn fail(&self) {
        self.0.failed.store(true, Ordering::Relaxed);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// When a connection runs.
#[derive(Debug)]
pub(super) struct Turns {
    calls: Calls,
    others: Arc<Others>,
    waits_since: Option<Instant>,
}

/// The others that can run.
#[derive(Debug, Default)]
struct Others {
    /// Whether all of them have run.
    done: AtomicBool,
    connection: AtomicWaker,
}

impl Wake for Others {
    fn wake(self: Arc<Self>) {
        self.done.store(true, Ordering::Release);
        self.connection.wake();
    }
}

impl Turns {
    pub(super) fn new(calls: Calls) -> Self {
        Turns {
            calls,
            others: Arc::default(),
            waits_since: None,
        }
    }

    /// Runs the connection, or has it wait for the others. What else wakes it meanwhile, a call that is done or something to
    /// read, is seen to when it runs.
    pub(super) fn poll<F: Future>(
        &mut self,
        connection: Pin<&mut F>,
        context: &mut Context<'_>,
    ) -> Poll<F::Output> {
        let waits = self.calls.any() && !self.calls.failed();
        if waits && !self.others.done.swap(false, Ordering::Acquire) {
            self.others.connection.register(context.waker());
            match self.waits_since {
                Some(since) if since.elapsed() < LONGEST => return Poll::Pending,
                Some(_) => {}
                None => {
                    let waker = Waker::from(self.others.clone());
                    if pin!(yield_now())
                        .poll(&mut Context::from_waker(&waker))
                        .is_pending()
                    {
                        self.waits_since = Some(Instant::now());
                        return Poll::Pending;
                    }
                }
            }
        }
        self.waits_since = None;
        connection.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    use super::*;

    /// A connection that says how many answers it sends each time.
    async fn connection(
        calls: Calls,
        mut answers: UnboundedReceiver<usize>,
        sent: UnboundedSender<Vec<usize>>,
    ) {
        let mut turns = Turns::new(calls);
        let mut connection = pin!(poll_fn(move |context| {
            let mut ready = Vec::new();
            let ended = loop {
                match answers.poll_recv(context) {
                    Poll::Ready(Some(answer)) => ready.push(answer),
                    Poll::Ready(None) => break true,
                    Poll::Pending => break false,
                }
            };
            if !ready.is_empty() {
                sent.send(ready).unwrap();
            }
            if ended { Poll::Ready(()) } else { Poll::Pending }
        }));
        poll_fn(|context| turns.poll(connection.as_mut(), context)).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn answers_that_are_ready_together_leave_together() {
        let calls = Calls::default();
        let (answer, answers) = unbounded_channel();
        let (send, mut sent) = unbounded_channel();
        let all = tokio::spawn(async move {
            tokio::spawn(connection(calls.clone(), answers, send));
            yield_now().await;
            for number in 0..16 {
                let (call, answer) = (calls.begin(), answer.clone());
                tokio::spawn(async move {
                    answer.send(number).unwrap();
                    drop(call);
                });
            }
        });
        all.await.unwrap();
        let mut together = sent.recv().await.unwrap();
        together.sort_unstable();
        assert_eq!(together, (0..16).collect::<Vec<usize>>());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_call_that_takes_long_holds_no_answer_back() {
        let calls = Calls::default();
        let (answer, answers) = unbounded_channel();
        let (send, mut sent) = unbounded_channel();
        let long = calls.begin();
        tokio::spawn(connection(calls.clone(), answers, send));
        for number in 0..3 {
            let call = calls.begin();
            answer.send(number).unwrap();
            drop(call);
            assert_eq!(sent.recv().await.unwrap(), [number]);
        }
        drop(long);
    }

    #[test]
    fn a_connection_without_calls_does_not_wait() {
        let mut turns = Turns::new(Calls::default());
        let mut context = Context::from_waker(Waker::noop());
        assert!(turns.poll(pin!(std::future::ready(())), &mut context).is_ready());
    }

    #[tokio::test]
    async fn a_connection_waits_for_a_moment_only() {
        let calls = Calls::default();
        let _long = calls.begin();
        let mut turns = Turns::new(calls);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            let mut connection = pin!(std::future::ready(()));
            assert!(turns.poll(connection.as_mut(), &mut context).is_pending());
            std::thread::sleep(2 * LONGEST);
            assert!(turns.poll(connection, &mut context).is_ready());
        }
    }

    #[test]
    fn an_error_waits_for_nothing() {
        let calls = Calls::default();
        let (_long, call) = (calls.begin(), calls.begin());
        let mut turns = Turns::new(calls);
        call.fail();
        drop(call);
        let mut context = Context::from_waker(Waker::noop());
        assert!(turns.poll(pin!(std::future::ready(())), &mut context).is_ready());
        assert!(!turns.calls.failed(), "it is told once");
    }

    #[test]
    fn a_call_that_is_given_up_is_none_any_more() {
        let calls = Calls::default();
        let call = calls.begin();
        assert!(calls.any());
        drop(call);
        assert!(!calls.any());
    }
}
