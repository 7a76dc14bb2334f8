//! Files of requests: read, decided, and named in what is printed. A prompt is shown only to who asks for it.

use std::path::Path;

use signalbox_decide::Policy;
use signalbox_decide::policy::{RequestLine, load_requests};

use super::read;
use crate::cli::BadInput;
use crate::engine::{Live, Settled, settle};
use crate::policy_test::conversation_of;
use crate::store::Snapshot;

/// Line numbers that a text names; JSON has them all.
const NAMED: usize = 20;

/// Characters of a prompt that a text shows.
const SHOWN: usize = 100;

/// Reads a file of requests. Its problems are printed without the lines they are on, which hold prompts.
pub(super) fn requests(file: &Path, policy: Option<&Policy>) -> anyhow::Result<Vec<RequestLine>> {
    load_requests(&read(file)?, policy).map_err(|found| {
        let lines: Vec<String> = found
            .iter()
            .map(|found| format!("\n{}:{found}", file.display()))
            .collect();
        BadInput(format!(
            "{} problem(s) in the requests:{}",
            found.len(),
            lines.concat()
        ))
        .into()
    })
}

/// Decides one request.
pub(super) fn decide(snapshot: &Snapshot, request: &RequestLine) -> Settled {
    let conversation = conversation_of(&request.messages);
    settle(snapshot, &request.query, &conversation, Live::default())
}

/// The text that a request is about: of its last user turn, else of its last message.
pub(super) fn prompt(request: &RequestLine) -> &str {
    let mut messages = request.messages.iter().rev();
    let said = messages.find(|(role, _)| role == "user");
    said.or(request.messages.last()).map_or("", |(_, text)| text)
}

/// `line 3`, or `lines 1, 4 and 30 more`.
pub(super) fn lines(requests: &[&RequestLine]) -> String {
    let named: Vec<String> = requests
        .iter()
        .take(NAMED)
        .map(|request| request.line.to_string())
        .collect();
    let more = match requests.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let word = if requests.len() == 1 { "line" } else { "lines" };
    format!("{word} {}{more}", named.join(", "))
}

/// The beginnings of the prompts of the lines that [`lines`] names, each on a line of its own.
pub(super) fn prompts(requests: &[&RequestLine]) -> String {
    let shown = |request: &&RequestLine| {
        let words: Vec<&str> = prompt(request).split_whitespace().collect();
        let begin: String = words.join(" ").chars().take(SHOWN).collect();
        format!("      {:>5} | {begin}\n", request.line)
    };
    requests.iter().take(NAMED).map(shown).collect()
}
