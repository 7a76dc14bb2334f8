//! The words that a canonical text is without, and those it writes alike.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The phrases of [`MANNERS`] that begin with a word, the longest first.
pub(super) fn manners(first: &str) -> &'static [&'static str] {
    static BY_FIRST: LazyLock<BTreeMap<&str, Vec<&str>>> = LazyLock::new(|| {
        let mut by_first: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for phrase in MANNERS {
            let first = phrase.split(' ').next().unwrap_or(phrase);
            by_first.entry(first).or_default().push(phrase);
        }
        for phrases in by_first.values_mut() {
            phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.len()));
        }
        by_first
    });
    BY_FIRST.get(first).map_or(&[], Vec::as_slice)
}

/// Phrases that change nothing of what is asked. The longest that fits is taken.
const MANNERS: [&str; 104] = [
    "please",
    "pls",
    "plz",
    "kindly",
    "thanks",
    "thank you",
    "thanks a lot",
    "thanks so much",
    "thank you so much",
    "thank you very much",
    "thanks in advance",
    "many thanks",
    "much appreciated",
    "please and thank you",
    "thx",
    "ty",
    "cheers",
    "hi",
    "hello",
    "hey",
    "hi there",
    "hello there",
    "hey there",
    "good morning",
    "good afternoon",
    "good evening",
    "excuse me",
    "can you",
    "could you",
    "would you",
    "will you",
    "can u",
    "could u",
    "can you please",
    "could you please",
    "would you please",
    "please could you",
    "please can you",
    "could you maybe",
    "could you possibly",
    "could you kindly",
    "could you just",
    "can you just",
    "could you help me",
    "can you help me",
    "could you tell me",
    "can you tell me",
    "do you know",
    "could you show me",
    "can you show me",
    "could you give me",
    "can you give me",
    "could you let me know",
    "tell me",
    "let me know",
    "would you mind",
    "do you mind",
    "would you be able to",
    "are you able to",
    "i want you to",
    "i would like you to",
    "i need you to",
    "i want to",
    "i would like to",
    "i need to",
    "i like to",
    "i like you to",
    "i love it if you could",
    "i would love it if you could",
    "i was wondering if you could",
    "i wonder if you could",
    "i am wondering if you could",
    "do you think you could",
    "is it possible for you to",
    "help me to",
    "help me",
    "for me",
    "if you can",
    "if possible",
    "if you could",
    "if you do not mind",
    "if that alright",
    "if that ok",
    "if that is alright",
    "if that is ok",
    "when you get a chance",
    "when you have a moment",
    "when you have time",
    "quick question",
    "just",
    "really",
    "actually",
    "basically",
    "maybe",
    "um",
    "umm",
    "uh",
    "ok",
    "okay",
    "ok so",
    "hey so",
    "hi so",
    "so",
    "go ahead and",
];

/// Small words without a meaning of their own. Negations, directions, tenses and who is meant are none of them.
pub(super) const EMPTY: [&str; 26] = [
    "a", "an", "the", "of", "that", "this", "these", "those", "is", "are", "am", "be", "do", "does", "will",
    "would", "can", "could", "i", "me", "my", "we", "our", "us", "very", "some",
];

/// What a clause begins with that may stand before or after what it belongs to.
pub(super) const ADJUNCTS: [&str; 26] = [
    "before", "after", "when", "whenever", "if", "unless", "once", "while", "until", "since", "for", "in",
    "on", "at", "as", "with", "without", "under", "during", "by", "from", "tomorrow", "today", "tonight",
    "using", "given",
];

/// Words that mean the same in a request, and spellings of one word. The first stands for all.
const SAME: [&[&str]; 24] = [
    &["photo", "picture", "pic"],
    &["film", "movie"],
    &["buy", "purchase"],
    &["start", "begin"],
    &["email", "mail", "e-mail"],
    &["app", "application"],
    &["info", "information"],
    &["tv", "television"],
    &["phone", "telephone"],
    &["kid", "child", "children"],
    &["quick", "fast", "quickly"],
    &["big", "large"],
    &["repair", "fix"],
    &["delete", "remove"],
    &["show", "display"],
    &["summarize", "summarise"],
    &["organize", "organise"],
    &["optimize", "optimise"],
    &["analyze", "analyse"],
    &["color", "colour"],
    &["near", "nearby"],
    &["document", "doc"],
    &["database", "db"],
    &["bicycle", "bike"],
];

/// The word that stands for all that mean the same.
pub(super) fn same(word: &str) -> &str {
    static FIRST: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| {
        let groups = SAME.iter();
        groups
            .flat_map(|group| group.iter().map(|word| (*word, group[0])))
            .collect()
    });
    FIRST.get(word).copied().unwrap_or(word)
}

/// Words that a question begins with.
const ASKING: [&str; 30] = [
    "what", "who", "whom", "whose", "when", "where", "why", "which", "how", "is", "are", "am", "was", "were",
    "do", "does", "did", "can", "could", "should", "will", "would", "may", "might", "has", "have", "had",
    "must", "shall", "whether",
];

/// Whether a text that begins with the word asks, question mark or not.
pub(super) fn asks(word: &str) -> bool {
    ASKING.contains(&word)
}

/// Numbers up to twenty.
pub(super) fn number(word: &str) -> Option<usize> {
    const NUMBERS: [&str; 21] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
        "twenty",
    ];
    // `one` is as often no number.
    NUMBERS
        .iter()
        .position(|name| *name == word)
        .filter(|number| *number != 1)
}
