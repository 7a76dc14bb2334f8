//! The connection, and whether it is of use. Commands of all requests go through one; when it breaks, or answers do not come
//! in time a few times in a row, it is dropped at once and nobody waits any more, while [`Link::care`] makes a new one until somebody
//! answers a PING on it. Both changes are logged.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value,
};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::queue::Write;
use super::seal::Kind;
use super::start::Address;
use crate::metrics;

/// Times in a row that answers did not come in time: one is an accident, however many waited.
const MOST_LATE: u32 = 3;

/// For a connection to be made, and to answer where nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two PINGs; they find out while there is nothing else to do.
const PING: Duration = Duration::from_secs(1);

/// Between the first two attempts to connect; doubled after each, up to the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// A connection that lived for so long ended no row of failures.
const STEADY: Duration = Duration::from_secs(10);

/// The connection in use; `None` while there is none. The number tells one from the next.
type Current = Option<(u64, MultiplexedConnection)>;

/// What became of values that were sent.
pub(super) enum Sent {
    /// Whether each was written.
    Answered(Vec<bool>),
    /// There was no answer.
    Unknown,
}

pub(super) struct Link {
    client: Client,
    current: watch::Sender<Current>,
    late: AtomicU32,
    /// When that was counted last; who asked before it says nothing new.
    late_at: Mutex<Option<Instant>>,
}

// The client knows the password.
impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("up", &self.is_up())
            .finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(address: Address) -> Self {
        Link {
            client: address.client,
            current: watch::Sender::new(None),
            late: AtomicU32::new(0),
            late_at: Mutex::default(),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.current.borrow().is_some()
    }

    pub(super) async fn wait_until_up(&self) {
        // The sender lives as long as `self`.
        let _ = self.current.subscribe().wait_for(Option::is_some).await;
    }

    /// The value, if an answer with one comes within `wait`. `patient`: whether that is long enough to blame the store where
    /// none does.
    pub(super) async fn get(
        &self,
        kind: Kind,
        place: &str,
        wait: Duration,
        patient: bool,
    ) -> Option<Vec<u8>> {
        let Some((number, mut connection)) = self.current.borrow().clone().filter(|_| !wait.is_zero()) else {
            kind.count_read("skipped");
            return None;
        };
        let start = Instant::now();
        let get = redis::cmd("GET").arg(place).to_owned();
        match timeout(wait, get.query_async::<Option<Vec<u8>>>(&mut connection)).await {
            Ok(Ok(found)) => {
                self.late.store(0, Ordering::Relaxed);
                metrics::shared_took(start.elapsed());
                if found.is_none() {
                    kind.count_read("miss");
                }
                return found;
            }
            Ok(Err(error)) => {
                kind.count_read("failed");
                self.note(number, &error);
            }
            Err(_) => {
                kind.count_read("late");
                if patient {
                    self.was_late(number, start);
                }
            }
        }
        None
    }

    /// Writes values with their times.
    pub(super) async fn set_all(&self, writes: &BTreeMap<String, Write>) -> Sent {
        let Some((number, mut connection)) = self.current.borrow().clone() else {
            return Sent::Unknown;
        };
        let mut pipeline = Pipeline::with_capacity(writes.len());
        // Each has an answer of its own, an error among them or not.
        pipeline.ignore_errors();
        for (place, write) in writes {
            pipeline
                .cmd("SET")
                .arg(place)
                .arg(&write.value)
                .arg("PX")
                .arg(write.ttl_ms());
        }
        let answers = pipeline.query_async::<Vec<RedisResult<Value>>>(&mut connection);
        match timeout(PATIENCE, answers).await {
            Ok(Ok(answers)) if answers.len() == writes.len() => {
                let noted = |answer: &RedisResult<Value>| {
                    let error = answer.as_ref().err();
                    error.inspect(|error| self.note(number, error)).is_none()
                };
                Sent::Answered(answers.iter().map(noted).collect())
            }
            Ok(Ok(_)) => {
                self.drop_it(number, "its answers are no answers".to_owned());
                Sent::Unknown
            }
            Ok(Err(error)) => {
                self.drop_it(number, said(&error));
                Sent::Unknown
            }
            Err(_) => {
                self.drop_it(number, "it does not answer".to_owned());
                Sent::Unknown
            }
        }
    }

    /// An answer to what was asked then did not come in time.
    fn was_late(&self, number: u64, asked: Instant) {
        let mut counted = self.late_at.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.is_some_and(|counted| asked < counted) {
            return;
        }
        *counted = Some(Instant::now());
        drop(counted);
        if self.late.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_LATE {
            self.drop_it(number, "it does not answer in time".to_owned());
        }
    }

    /// What an error says of the connection. One that the server answered with is no reason to make a new one, unless it is a
    /// replica now: its name may lead to another.
    fn note(&self, number: u64, error: &RedisError) {
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::ReadOnly) => {
                self.drop_it(number, "it is read-only".to_owned())
            }
            ErrorKind::Server(_) | ErrorKind::Extension => self.late.store(0, Ordering::Relaxed),
            _ => self.drop_it(number, said(error)),
        }
    }

    /// Uses this connection no more.
    fn drop_it(&self, number: u64, why: String) {
        let dropped = self.current.send_if_modified(|current| {
            let this = current.as_ref().is_some_and(|(in_use, _)| *in_use == number);
            if this {
                *current = None;
            }
            this
        });
        if dropped {
            tracing::warn!("shared: {why}; this replica decides by what it knows itself until it is back");
        }
    }

    /// Makes connections and looks after them. Never returns.
    pub(super) async fn care(&self) {
        let (mut pause, mut told) = (PAUSE.0, String::new());
        for number in 0.. {
            match self.connect().await {
                Ok(connection) => {
                    let since = Instant::now();
                    told.clear();
                    self.late.store(0, Ordering::Relaxed);
                    self.current.send_replace(Some((number, connection.clone())));
                    tracing::info!("shared: connected");
                    self.follow(number, connection).await;
                    if since.elapsed() > STEADY {
                        pause = PAUSE.0;
                    }
                }
                Err(why) if why != told => {
                    tracing::warn!(
                        "shared: {why}; this replica decides by what it knows itself until it is there"
                    );
                    told = why;
                }
                Err(_) => {}
            }
            // Replicas that lost it together come back one after the other.
            sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Returns when the connection is used no more.
    async fn follow(&self, number: u64, mut connection: MultiplexedConnection) {
        let mut current = self.current.subscribe();
        loop {
            let gone =
                current.wait_for(|current| current.as_ref().is_none_or(|(in_use, _)| *in_use != number));
            if timeout(PING, gone).await.is_ok() {
                return;
            }
            if let Err(why) = ping(&mut connection).await {
                self.drop_it(number, why);
            }
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, String> {
        // Time is kept here, for each request its own.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let made = timeout(
            PATIENCE,
            self.client.get_multiplexed_async_connection_with_config(&config),
        );
        let mut connection = match made.await {
            Ok(made) => made.map_err(|error| said(&error))?,
            Err(_) => return Err("there is no connection within a second".to_owned()),
        };
        ping(&mut connection).await?;
        Ok(connection)
    }
}

async fn ping(connection: &mut MultiplexedConnection) -> Result<(), String> {
    match timeout(PATIENCE, redis::cmd("PING").query_async::<Value>(connection)).await {
        Ok(answer) => answer.map(drop).map_err(|error| said(&error)),
        Err(_) => Err("it does not answer".to_owned()),
    }
}

/// An error without what the server wrote, which may quote commands, the password among them.
fn said(error: &RedisError) -> String {
    match error.kind() {
        ErrorKind::Io => error.to_string(),
        _ => match (error.category(), error.code()) {
            (category, Some(code)) => format!("{category} ({code})"),
            (category, None) => category.to_owned(),
        },
    }
}
