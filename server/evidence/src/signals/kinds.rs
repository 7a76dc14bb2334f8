//! Code, mathematics and questions. Each sign gives points; two points are enough.

use std::borrow::Cow;

/// Points from which a text counts.
const ENOUGH: usize = 2;

/// How lines of code begin. A line counts where it also holds one of [`PUNCTUATION`].
const BEGINNINGS: [&str; 26] = [
    "def ",
    "class ",
    "import ",
    "from ",
    "function ",
    "const ",
    "let ",
    "var ",
    "public ",
    "private ",
    "static ",
    "#include",
    "fn ",
    "pub ",
    "use ",
    "impl ",
    "package ",
    "func ",
    "return ",
    "if (",
    "for (",
    "while (",
    "print(",
    "async ",
    "elif ",
    "else:",
];
const PUNCTUATION: [char; 6] = ['(', '{', ';', '=', '<', ':'];
/// Signs inside a line, one point for each kind of them.
const SIGNS: [&str; 13] = [
    "=>", "->", "==", "!=", "+=", "::", "();", "()", "</", "&&", "||", "/>", "$(",
];
/// Lines that only machines write.
const TRACES: [&str; 5] = [
    "Traceback (most recent call last)",
    "Exception in thread",
    "error[E",
    "Segmentation fault",
    "undefined reference to",
];

/// A fence, a stack trace or an SQL query gives two points; a line that begins and a line that ends like code one each
/// (three of a kind at most); each kind of sign one.
pub(super) fn has_code(text: &str) -> bool {
    if text.contains("```") || TRACES.iter().any(|trace| text.contains(trace)) {
        return true;
    }
    let (mut begins, mut ends) = (0, 0);
    for line in text.lines().map(str::trim) {
        let punctuated = line.contains(PUNCTUATION);
        let module =
            (line.starts_with("import ") || line.starts_with("from ")) && line.split(' ').count() <= 4;
        // `fix this: def f(x):` begins with a word to the reader.
        let code = line.split_once(": ").map_or(line, |(_, rest)| rest);
        let begins_with = |text: &str| BEGINNINGS.iter().any(|beginning| text.starts_with(beginning));
        let beginning = begins_with(line) || begins_with(code);
        begins += usize::from((beginning && punctuated && !line.ends_with(['.', '?', '!'])) || module);
        ends += usize::from(line.ends_with([';', '{', '}']) || line.ends_with("):"));
        if is_query(line) {
            return true;
        }
    }
    begins.min(3) + ends.min(3) + signs(text) >= ENOUGH
}

/// How many of [`SIGNS`] are in a text.
fn signs(text: &str) -> usize {
    let (mut seen, bytes) = ([false; SIGNS.len()], text.as_bytes());
    let may_begin = |at: &usize| bytes[*at].is_ascii_punctuation();
    for at in (0..bytes.len()).filter(may_begin) {
        for (seen, sign) in seen.iter_mut().zip(SIGNS) {
            *seen |= bytes[at..].starts_with(sign.as_bytes());
        }
    }
    seen.into_iter().filter(|seen| *seen).count()
}

/// `SELECT … FROM`, `INSERT INTO`, `UPDATE … SET` with the words in capitals.
fn is_query(line: &str) -> bool {
    let both = |first: &str, second: &str| line.find(first).is_some_and(|at| line[at..].contains(second));
    both("SELECT ", " FROM ") || both("INSERT INTO ", " VALUES") || both("UPDATE ", " SET ")
}

/// Words of the trade, as they begin.
const TERMS: [&str; 34] = [
    "calculat",
    "equation",
    "integral",
    "derivative",
    "theorem",
    "polynomial",
    "matrix",
    "matrices",
    "probabilit",
    "algebra",
    "geometr",
    "trigonometr",
    "logarithm",
    "quadratic",
    "hypotenuse",
    "differentiat",
    "eigenvalue",
    "sqrt",
    "berechn",
    "gleichung",
    "ableitung",
    "wahrscheinlichkeit",
    "équation",
    "dérivée",
    "calcul",
    "ecuaci",
    "derivada",
    "calcula",
    "equação",
    "equazion",
    "уравнени",
    "вычисли",
    "方程",
    "计算",
];
/// Formulas as LaTeX writes them.
const LATEX: [&str; 9] = [
    "\\frac", "\\int", "\\sum", "\\sqrt", "\\lim", "$$", "\\(", "\\begin{", "\\cdot",
];

/// LaTeX or a sum such as `12 * 7`, `x^2` or `3x = 9` gives two points; each mathematical sign of Unicode and each word
/// of the trade one.
pub(super) fn has_math(text: &str, words: &[Cow<'_, str>]) -> bool {
    if LATEX.iter().any(|sign| text.contains(sign)) || has_sum(text) {
        return true;
    }
    let sign = |c: char| matches!(c, '\u{2200}'..='\u{22FF}' | 'π' | '×' | '÷' | '²' | '³' | '±');
    let signs = text.chars().filter(|c| sign(*c)).take(ENOUGH).count();
    let term = |word: &&Cow<'_, str>| TERMS.iter().any(|term| word.starts_with(term));
    signs + words.iter().filter(term).take(ENOUGH).count() >= ENOUGH
}

/// A digit or a bracket, an operator, a digit, a letter or a bracket; spaces between them do not matter. `-` and `/` need
/// spaces on both sides, so that dates and fractions of addresses are none; one side must hold a digit.
fn has_sum(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let skip = |at: &mut dyn Iterator<Item = usize>| at.map(|i| chars[i]).find(|c| *c != ' ');
    chars.iter().enumerate().any(|(at, operator)| {
        if !matches!(operator, '+' | '*' | '^' | '=' | '×' | '÷' | '-' | '/') {
            return false;
        }
        let (before, after) = (skip(&mut (0..at).rev()), skip(&mut (at + 1..chars.len())));
        let (Some(before), Some(after)) = (before, after) else {
            return false;
        };
        let spaced = at > 0 && chars[at - 1] == ' ' && chars.get(at + 1) == Some(&' ');
        if matches!(operator, '-' | '/') && !spaced {
            return false;
        }
        // `x = 3` is an assignment as well as an equation: there the left side must hold a digit.
        let left = before.is_ascii_digit() || before == ')' || (*operator == '^' && before.is_alphabetic());
        let right = after.is_ascii_digit() || after == '(' || (after.is_alphabetic() && after.is_lowercase());
        let digits = before.is_ascii_digit() || after.is_ascii_digit();
        let letter_after = after.is_alphabetic() && matches!(operator, '-' | '*' | '/');
        left && right && digits && !letter_after
    })
}

/// Question words and auxiliaries at the beginning of a question, by language.
const ASKING: [(&str, &str); 8] = [
    (
        "en",
        "what who whom whose when where why which how is are was were does did can could would should will am shall may",
    ),
    (
        "de",
        "was wer wen wem wann wo warum wieso weshalb welche welcher welches wie kann können könnte ist sind hast darf",
    ),
    (
        "fr",
        "que qui quoi quand où pourquoi quel quelle quels quelles comment combien est-ce peux pouvez peut",
    ),
    (
        "es",
        "qué quién quiénes cuándo dónde cuál cuáles cómo cuánto cuánta puedes podría puede",
    ),
    (
        "it",
        "che chi quando dove perché quale quali come quanto puoi potresti può",
    ),
    (
        "pt",
        "que quem quando onde porque qual quais como quanto pode você",
    ),
    ("nl", "wat wie wanneer waar waarom welke hoe kan kun kunt zou is"),
    ("pl", "co kto kiedy gdzie dlaczego jaki jaka jakie jak czy ile"),
];

/// A question mark at the end of a word, or a text that begins with a question word of its language.
pub(super) fn is_question(text: &str, words: &[Cow<'_, str>], language: &str) -> bool {
    let marks = ['?', '？', '؟', '\u{37E}'];
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let ends = chars
            .peek()
            .is_none_or(|next| !next.is_alphanumeric() && !matches!(next, '=' | '.' | ':' | '&'));
        if marks.contains(&c) && ends && before != ' ' && !matches!(before, ')' | '(') {
            return true;
        }
        before = c;
    }
    let Some(first) = words.first() else {
        return false;
    };
    ASKING
        .iter()
        .any(|(of, asking)| *of == language && asking.split(' ').any(|word| word == first))
}
