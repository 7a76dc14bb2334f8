//! A store that speaks the protocol of Redis on loopback, and that stalls, cuts and lies where a test wants it to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use signalbox_server::shared::{Address, Bounds, Shared};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

pub(crate) const SECRET: &[u8] = b"a secret of the replicas, 32 bytes and more";

/// What it does with commands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Does {
    Works,
    /// Says nothing.
    Stalls,
    /// Ends the connection.
    Cuts,
    /// Gives this for everything that is looked up.
    Says(&'static str),
    /// Gives what stands at another place.
    Swaps,
    /// Writes nothing, and says so.
    IsFull,
}

#[derive(Debug)]
struct Inner {
    does: Mutex<Does>,
    values: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
    looks: AtomicUsize,
    writes: AtomicUsize,
}

/// Dropping it ends it and all connections.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
    serves: JoinHandle<()>,
}

impl Drop for Store {
    fn drop(&mut self) {
        self.serves.abort();
    }
}

impl Store {
    pub(crate) async fn start() -> Store {
        Store::at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub(crate) async fn at(address: SocketAddr) -> Store {
        let listener = TcpListener::bind(address).await.unwrap();
        let inner = Arc::new(Inner {
            does: Mutex::new(Does::Works),
            values: Mutex::default(),
            looks: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
        });
        let (address, serving) = (listener.local_addr().unwrap(), inner.clone());
        let serves = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serving.clone().serve(stream));
            }
        });
        Store {
            address,
            inner,
            serves,
        }
    }

    pub(crate) fn now(&self, does: Does) {
        *self.inner.does.lock().unwrap() = does;
    }

    /// How often something was looked up.
    pub(crate) fn looks(&self) -> usize {
        self.inner.looks.load(Ordering::SeqCst)
    }

    /// How often something was written.
    pub(crate) fn writes(&self) -> usize {
        self.inner.writes.load(Ordering::SeqCst)
    }

    /// All keys and values.
    pub(crate) fn dump(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.inner.values.lock().unwrap().clone()
    }

    /// What a replica shares through it, connected.
    pub(crate) async fn shared(&self, wait: Duration) -> Shared {
        let shared = shared(self.address, wait, 100);
        until(|| shared.is_up()).await;
        shared
    }
}

/// What a replica shares at an address, where there may be nothing.
pub(crate) fn shared(address: SocketAddr, wait: Duration, queue: usize) -> Shared {
    let address = Address::parse(&format!("redis://{address}")).unwrap();
    Shared::new(address, SECRET, Bounds { wait, queue })
}

pub(crate) async fn until(so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < end, "after a minute it is not so");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Inner {
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        while let Some(command) = command(&mut read).await {
            let does = *self.does.lock().unwrap();
            let Some(answer) = self.answer(&command, does) else {
                return;
            };
            if does == Does::Stalls {
                // What was asked meanwhile is answered when it goes on, as by a process that was paused.
                while *self.does.lock().unwrap() == Does::Stalls {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            if write.write_all(&answer).await.is_err() {
                return;
            }
        }
    }

    /// `None` ends the connection.
    fn answer(&self, command: &[Vec<u8>], does: Does) -> Option<Vec<u8>> {
        let mut values = self.values.lock().unwrap();
        if does == Does::Cuts {
            return None;
        }
        let parts: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
        Some(match parts.as_slice() {
            [b"PING"] => b"+PONG\r\n".to_vec(),
            [b"GET", key] => {
                self.looks.fetch_add(1, Ordering::SeqCst);
                let found = match does {
                    Does::Says(answer) => return Some(answer.as_bytes().to_vec()),
                    Does::Swaps => values
                        .iter()
                        .find(|(other, _)| other != key)
                        .map(|(_, value)| value),
                    _ => values.get(*key),
                };
                match found {
                    Some(value) => [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat(),
                    None => b"$-1\r\n".to_vec(),
                }
            }
            [b"SET", ..] if does == Does::IsFull => {
                b"-OOM command not allowed when used memory > 'maxmemory'.\r\n".to_vec()
            }
            [b"SET", key, value, b"PX", ms] => {
                assert!(std::str::from_utf8(ms).unwrap().parse::<u64>().unwrap() > 0);
                values.insert(key.to_vec(), value.to_vec());
                self.writes.fetch_add(1, Ordering::SeqCst);
                b"+OK\r\n".to_vec()
            }
            // What clients say of themselves.
            [b"CLIENT", ..] => b"+OK\r\n".to_vec(),
            _ => b"-ERR unknown command\r\n".to_vec(),
        })
    }
}

/// An array of strings; `None` at the end of the connection.
async fn command(read: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> Option<Vec<Vec<u8>>> {
    let mut parts = Vec::new();
    for _ in 0..number(read, '*').await? {
        let mut part = vec![0; number(read, '$').await? + 2];
        read.read_exact(&mut part).await.ok()?;
        part.truncate(part.len() - 2);
        parts.push(part);
    }
    Some(parts)
}

async fn number(read: &mut (impl tokio::io::AsyncBufRead + Unpin), kind: char) -> Option<usize> {
    let mut line = String::new();
    read.read_line(&mut line).await.ok()?;
    line.strip_prefix(kind)?.trim_end().parse().ok()
}
