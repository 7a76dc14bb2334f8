//! The language of a text: by its script where one script means one language, else by its most common words.
//!
//! The score of a language is the sum over the text's words of 1/n for each word that is common in n of the languages
//! listed, plus 1/2 for each letter that only it uses. The best score wins if no other reaches it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Words looked at.
const MOST: usize = 200;

/// The most common function words of languages in Latin script, and the letters that tell a language from the others.
const LATIN: [(&str, &str, &str); 18] = [
    (
        "en",
        "the and of to in is are was that this with for on it you what how please can write i my me do not be have a an from",
        "",
    ),
    (
        "de",
        "der die das und ist nicht ein eine einen ich mir mit für auf den dem zu im wie was bitte kann sie es wird von",
        "ß",
    ),
    (
        "fr",
        "le la les des une un est et que dans pour qui sur pas avec je vous mon ce comment quel du au moi il sont",
        "œ",
    ),
    (
        "es",
        "el la los las una un es y que en para por con como cómo qué mi me del al está yo hola lo puedes de",
        "ñ¿¡",
    ),
    (
        "it",
        "il la gli una un è e che di per con come sono mi del della non questo cosa quale puoi ciao lo nel i",
        "",
    ),
    (
        "pt",
        "o a os as uma um é e que de para por com como meu não você do da em isso qual está olá no na",
        "ãõ",
    ),
    (
        "nl",
        "de het een en is niet van ik voor met op dat hoe wat kan je mijn zijn naar deze te wordt graag",
        "",
    ),
    (
        "sv",
        "och att det en ett är inte jag för med på som hur vad kan du mig den av till har",
        "",
    ),
    (
        "da",
        "og at det en et er ikke jeg for med på som hvordan hvad kan du mig den af til har",
        "",
    ),
    (
        "no",
        "og at det en et er ikke jeg for med på som hvordan hva kan du meg den av til har",
        "",
    ),
    (
        "fi",
        "ja on ei se että minä kun mutta joka miten mikä voi ovat tämä olen mitä kuinka sinä voitko",
        "",
    ),
    (
        "pl",
        "i w na z nie się jest to że do jak co czy dla proszę mam ten po moje można",
        "łąęśżźń",
    ),
    (
        "cs",
        "a je se na v že to jak co pro není jsem prosím mi do od jsou který může",
        "ěřů",
    ),
    (
        "ro",
        "și în este la de un o nu că pe cu care ce cum pentru sunt mai eu din",
        "șță",
    ),
    (
        "tr",
        "ve bir bu için ne nasıl mı mi da de ile çok var değil ben olan daha lütfen bana",
        "ğış",
    ),
    (
        "hu",
        "a az és egy hogy nem van mit hogyan ez is meg kell én mi vagy kérem milyen",
        "őű",
    ),
    (
        "id",
        "dan yang di ke untuk dari ini itu adalah dengan tidak bagaimana apa saya bisa anda pada tolong",
        "",
    ),
    (
        "vi",
        "và là của có không cho một những được tôi bạn trong này thế nào gì các với như",
        "đơư",
    ),
];

/// Languages by word; only looked up, never gone through.
static COMMON: LazyLock<HashMap<&'static str, Vec<usize>>> = LazyLock::new(|| {
    let mut common: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, (_, words, _)) in LATIN.iter().enumerate() {
        for word in words.split(' ') {
            let languages = common.entry(word).or_default();
            if !languages.contains(&at) {
                languages.push(at);
            }
        }
    }
    common
});

/// Languages that are known by their script or its letters, and what stands for none.
const OTHERS: [&str; 18] = [
    "el", "ru", "uk", "hy", "he", "ar", "ur", "fa", "hi", "bn", "ta", "te", "th", "ka", "ko", "ja", "zh",
    "und",
];

/// The code again, if it is one that [`language`] may give.
pub(super) fn known(code: &str) -> Option<&'static str> {
    let latin = LATIN.iter().map(|(language, ..)| *language);
    latin.chain(OTHERS).find(|known| *known == code)
}

pub(super) fn language(text: &str, words: &[Cow<'_, str>]) -> &'static str {
    match script(text) {
        Some("latin") => latin(text, words),
        Some(language) => language,
        None => "und",
    }
}

/// What scripts are counted as. Of two with as many letters the later one counts.
const SCRIPTS: [&str; 15] = [
    "ar", "bn", "el", "he", "hi", "hy", "ja", "ka", "ko", "latin", "ru", "ta", "te", "th", "zh",
];
const JAPANESE: usize = 6;
const LATIN_SCRIPT: usize = 9;

/// The place in [`SCRIPTS`] of a letter's script.
fn script_of(letter: char) -> Option<usize> {
    Some(match letter {
        'a'..='z' | 'A'..='Z' | '\u{C0}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}' => LATIN_SCRIPT,
        '\u{600}'..='\u{6FF}' => 0,
        '\u{980}'..='\u{9FF}' => 1,
        '\u{370}'..='\u{3FF}' | '\u{1F00}'..='\u{1FFF}' => 2,
        '\u{590}'..='\u{5FF}' => 3,
        '\u{900}'..='\u{97F}' => 4,
        '\u{530}'..='\u{58F}' => 5,
        '\u{3040}'..='\u{30FF}' => JAPANESE,
        '\u{10A0}'..='\u{10FF}' => 7,
        '\u{1100}'..='\u{11FF}' | '\u{AC00}'..='\u{D7AF}' => 8,
        '\u{400}'..='\u{52F}' => 10,
        '\u{B80}'..='\u{BFF}' => 11,
        '\u{C00}'..='\u{C7F}' => 12,
        '\u{E00}'..='\u{E7F}' => 13,
        '\u{3400}'..='\u{9FFF}' => 14,
        _ => return None,
    })
}

/// The script of most letters, as the language that it stands for.
fn script(text: &str) -> Option<&'static str> {
    let mut counts = [0_usize; SCRIPTS.len()];
    for letter in text.chars().filter(|c| c.is_alphabetic()) {
        if let Some(script) = script_of(letter) {
            counts[script] += 1;
        }
    }
    let counted = counts.iter().zip(SCRIPTS).filter(|(count, _)| **count > 0);
    let (most, script) = counted.max_by_key(|(count, _)| **count)?;
    let any = |letters: &str| text.chars().any(|c| letters.contains(c));
    Some(match script {
        // A sentence of Japanese is half Chinese characters, and never without kana.
        "zh" if counts[JAPANESE] * 10 >= *most => "ja",
        "ru" if any("іїєґІЇЄҐ") => "uk",
        "ar" if any("ٹڈڑے") => "ur",
        "ar" if any("پچژگ") => "fa",
        language => language,
    })
}

fn latin(text: &str, words: &[Cow<'_, str>]) -> &'static str {
    let mut scores = [0f64; LATIN.len()];
    for word in words.iter().take(MOST) {
        if let Some(languages) = COMMON.get(&**word) {
            for &at in languages {
                scores[at] += 1.0 / languages.len() as f64;
            }
        }
    }
    for c in text.chars().filter(|c| !c.is_ascii()).take(MOST) {
        for (score, (.., letters)) in scores.iter_mut().zip(&LATIN) {
            if c.to_lowercase().all(|c| letters.contains(c)) {
                *score += 0.5;
            }
        }
    }
    let best = scores.iter().copied().fold(0.0, f64::max);
    let mut at_best = scores.iter().enumerate().filter(|(_, score)| **score == best);
    match (at_best.next(), at_best.next()) {
        (Some((at, _)), None) if best > 0.0 => LATIN[at].0,
        _ => "und",
    }
}
