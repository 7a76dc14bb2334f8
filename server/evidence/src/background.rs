//! The sentences shipped with the library, by what they stand for.

/// What a shipped sentence is an example of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A greeting or small talk.
    Chat,
    /// The end of a conversation: thanks, goodbye.
    Close,
    /// A request on some topic.
    Topic,
    /// A short reply that only makes sense after a question or an offer.
    Reply,
    /// A sentence in another language.
    Foreign,
    /// An instruction about the answer or the assistant, not a request.
    Meta,
}

static SENTENCES: &str = include_str!("../assets/background.tsv");

/// All shipped sentences, in file order.
pub(crate) fn sentences() -> impl Iterator<Item = (Kind, &'static str)> {
    SENTENCES.lines().filter_map(|line| {
        let (kind, text) = line.split_once('\t')?;
        let kind = match kind {
            "chit" => Kind::Chat,
            "close" => Kind::Close,
            "off" => Kind::Topic,
            "ack" => Kind::Reply,
            "multi" => Kind::Foreign,
            "meta" => Kind::Meta,
            _ => return None,
        };
        Some((kind, text))
    })
}
