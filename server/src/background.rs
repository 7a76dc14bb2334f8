//! Work that keeps a processor busy for longer than a call may: compiling a policy, training its classifier. It has a thread of
//! its own that gives way to those which answer calls, so that a reload is not felt where processors are busy.

use std::panic::resume_unwind;
use std::thread;

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use tokio::task::{JoinHandle, spawn_blocking};

/// Of 0 to 99, which on Linux is a niceness of 10. Where calls want all of a processor, the work then has a tenth of it (110 of
/// 1024 + 110 shares, `sched_prio_to_weight`): a policy that is to stop an overload must not wait for its end.
const PRIORITY: u8 = 22;

/// Has `work` done on such a thread. A panic in it is the handle's.
pub(crate) fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    spawn_blocking(move || {
        let calm = move || {
            give_way();
            work()
        };
        let done = thread::scope(|scope| {
            let thread = thread::Builder::new().name("background".to_owned());
            let running = thread.spawn_scoped(scope, calm)?;
            std::io::Result::Ok(running.join())
        });
        match done {
            Ok(done) => done.unwrap_or_else(|panic| resume_unwind(panic)),
            Err(error) => panic!("no thread for work in the background: {error}"),
        }
    })
}

/// Where the system allows it; it is no harm where it does not.
fn give_way() {
    let usual = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
    if let Ok(priority) = PRIORITY.try_into() {
        let priority = ThreadPriority::Crossplatform(priority);
        if let Err(error) = set_thread_priority_and_policy(thread_native_id(), priority, usual) {
            tracing::debug!("work in the background has the priority of calls: {error}");
        }
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    /// The niceness of the thread that calls, by proc(5).
    fn niceness() -> u32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, after_name) = stat.rsplit_once(") ").unwrap();
        after_name.split(' ').nth(16).unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn the_work_gives_way_and_nothing_after_it_does() {
        let before = niceness();
        assert_eq!(spawn(niceness).await.unwrap(), 10.max(before));
        assert_eq!(spawn_blocking(niceness).await.unwrap(), before);
    }

    #[tokio::test]
    async fn a_panic_in_it_is_the_handles() {
        let stopped = spawn(|| assert!(niceness() > 1000, "as wanted")).await;
        assert!(stopped.unwrap_err().is_panic());
    }
}
