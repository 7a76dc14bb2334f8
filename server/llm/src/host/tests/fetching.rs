//! A hub on this machine, and what is fetched from it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use super::hub::Hub;
use super::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Serves a directory as `org/name`, for as long as it is.
struct Served {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Served {
    fn new(directory: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::default();
        let served = Self {
            address,
            asked: Arc::clone(&asked),
        };
        let directory = directory.to_owned();
        thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &directory, &asked);
            }
        });
        served
    }

    /// What was asked for since.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn answer(mut stream: TcpStream, directory: &Path, asked: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap())
        .lines()
        .map(Result::unwrap);
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let mut only_first = false;
    for line in lines.take_while(|line| !line.is_empty()) {
        only_first |= line.to_ascii_lowercase().starts_with("range: bytes=0-0");
    }
    asked.lock().unwrap().push(path.clone());
    let file = path.strip_prefix(&format!("/org/name/resolve/{COMMIT}/"));
    let (status, head, body) = if path == "/api/models/org/name/revision/main" {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.extend(["README.md", "onnx/model.json", "..\\x.json", "model.bin"].map(str::to_owned));
        let names: Vec<_> = names
            .into_iter()
            .map(|name| serde_json::json!({"rfilename": name}))
            .collect();
        let info = serde_json::json!({"sha": COMMIT, "siblings": names}).to_string();
        ("200 OK", String::new(), info.into_bytes())
    } else if let Some(file) = file {
        let bytes = fs::read(directory.join(file)).unwrap();
        let last = if only_first { 0 } else { bytes.len() - 1 };
        let head = format!(
            "x-repo-commit: {COMMIT}\r\netag: \"{file}\"\r\ncontent-range: bytes 0-{last}/{}\r\n",
            bytes.len()
        );
        ("206 Partial Content", head, bytes[..=last].to_vec())
    } else {
        ("404 Not Found", String::new(), Vec::new())
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{head}\r\n");
    stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
}

#[test]
fn a_repository_is_fetched_once_and_known_without_a_network() {
    let origin = model(Tiny::default());
    let served = Served::new(origin.path());
    let cache = tempfile::tempdir().unwrap();
    let fetch = |name: &str, revision: Option<&str>| {
        Hub::at(served.address.clone(), cache.path().to_owned()).fetch(name, revision)
    };
    let first = fetch("org/name", None).unwrap();
    let asked = served.asked();
    assert_eq!(asked.iter().filter(|path| path.contains("/api/")).count(), 1);
    let is_wanted =
        |path: &String| path.ends_with("json") || path.ends_with("safetensors") || path.contains("/api/");
    assert!(asked.iter().all(is_wanted), "{asked:?}");
    let mut settings = settings(origin.path());
    let there = dispatch::ready(settings.clone()).unwrap().1;
    settings.source = first.clone();
    let here = dispatch::ready(settings).unwrap().1;
    assert_eq!(here.digest, there.digest);

    assert_eq!(fetch("org/name", None).unwrap(), first);
    assert_eq!(served.asked().len(), 1, "only whether there is a newer commit");
    assert_eq!(fetch("org/name", Some(COMMIT)).unwrap(), first);
    assert!(served.asked().is_empty());
    match fetch("org/name", Some("other")) {
        Err(LoadError::Hub(error)) => assert!(
            error.starts_with("org/name@other: ") && error.contains("404"),
            "{error}"
        ),
        other => panic!("{other:?}"),
    }

    // A port that nobody listens at.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let fetch = |name: &str| Hub::at(format!("http://{nobody}"), cache.path().to_owned()).fetch(name, None);
    assert_eq!(fetch("org/name").unwrap(), first);
    assert!(matches!(fetch("org/unknown"), Err(LoadError::Hub(_))));
}
