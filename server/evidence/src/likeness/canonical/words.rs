//! The words that a canonical text is without, and those it writes alike.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A phrase of manners.
#[derive(Debug)]
pub(super) struct Phrase {
    /// Its words.
    pub(super) words: Vec<&'static str>,
    /// Whether a question that begins so is a request.
    pub(super) asks: bool,
}

/// What is known of a word.
#[derive(Debug, Default)]
pub(super) struct Word {
    /// The phrases of [`MANNERS`] that begin with it, the longest first.
    pub(super) manners: Vec<Phrase>,
    /// Whether it is one of [`EMPTY`].
    pub(super) empty: bool,
    /// Whether a text that begins with it asks, question mark or not.
    pub(super) asks: bool,
    /// Whether it is one of [`ADJUNCTS`].
    pub(super) adjunct: bool,
    /// Its digits, if it is a number of two to twenty or zero; `one` is as often no number.
    pub(super) number: Option<&'static str>,
    /// The word that stands for all that mean the same.
    pub(super) same: Option<&'static str>,
}

/// What is known of a word in lower case; of most words, nothing.
pub(super) fn known(word: &str) -> &'static Word {
    static NOTHING: LazyLock<Word> = LazyLock::new(Word::default);
    // Only looked up, never gone through.
    static WORDS: LazyLock<HashMap<&str, Word>> = LazyLock::new(words);
    WORDS.get(word).unwrap_or(&NOTHING)
}

fn words() -> HashMap<&'static str, Word> {
    let mut words: HashMap<&str, Word> = HashMap::new();
    let mut phrases = MANNERS;
    phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.len()));
    for text in phrases {
        let phrase = Phrase {
            words: text.split(' ').collect(),
            asks: text.contains("you") && !text.starts_with("thank") || text.contains("help"),
        };
        words.entry(phrase.words[0]).or_default().manners.push(phrase);
    }
    for word in EMPTY {
        words.entry(word).or_default().empty = true;
    }
    for word in ASKING {
        words.entry(word).or_default().asks = true;
    }
    for word in ADJUNCTS {
        words.entry(word).or_default().adjunct = true;
    }
    for (word, digits) in NUMBERS {
        words.entry(word).or_default().number = Some(digits);
    }
    for group in SAME {
        for word in group {
            words.entry(word).or_default().same = Some(group[0]);
        }
    }
    words
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
const EMPTY: [&str; 26] = [
    "a", "an", "the", "of", "that", "this", "these", "those", "is", "are", "am", "be", "do", "does", "will",
    "would", "can", "could", "i", "me", "my", "we", "our", "us", "very", "some",
];

/// What a clause begins with that may stand before or after what it belongs to.
const ADJUNCTS: [&str; 26] = [
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

/// Words that a question begins with.
const ASKING: [&str; 30] = [
    "what", "who", "whom", "whose", "when", "where", "why", "which", "how", "is", "are", "am", "was", "were",
    "do", "does", "did", "can", "could", "should", "will", "would", "may", "might", "has", "have", "had",
    "must", "shall", "whether",
];

/// Numbers up to twenty, without `one`.
const NUMBERS: [(&str, &str); 20] = [
    ("zero", "0"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
    ("thirteen", "13"),
    ("fourteen", "14"),
    ("fifteen", "15"),
    ("sixteen", "16"),
    ("seventeen", "17"),
    ("eighteen", "18"),
    ("nineteen", "19"),
    ("twenty", "20"),
];
