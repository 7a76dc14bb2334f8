//! How a text feels, after VADER (Hutto and Gilbert, 2014): words have a valence of 1 to 3, a word that strengthens adds
//! 0.3 to the next, a negation near by turns a valence round to 0.74 of it, exclamation marks add 0.3 each up to three
//! times, and the sum s becomes s / √(s² + 15). The word list is our own and short: strong, unambiguous words of six
//! languages.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::rounded;

const BOOST: f64 = 0.3;
const NEGATED: f64 = -0.74;
const NORM: f64 = 15.0;
/// Words before a feeling in which a negation counts, and words after it where the language puts it there.
const BEFORE: usize = 3;
const AFTER: usize = 2;

const LISTS: [(f64, &str); 6] = [
    (
        3.0,
        "excellent amazing awesome perfect wonderful fantastic love brilliant ausgezeichnet hervorragend perfekt \
           wunderbar fantastisch liebe parfait génial adore excelente perfecto maravilloso encanta perfetto fantastico \
           adoro perfeito maravilhoso",
    ),
    (
        2.0,
        "great good happy thanks thank pleased glad helpful nice enjoy satisfied impressed gut toll super danke \
           zufrieden freue hilfreich gefällt bon bien merci heureux content super bueno gracias feliz contento \
           buono grazie contento bom obrigado obrigada contente goed bedankt blij",
    ),
    (
        1.0,
        "fine okay interesting useful works solved recommend fast easy nützlich gelöst empfehle utile résolu útil \
           resuelto risolto resolvido",
    ),
    (
        -1.0,
        "slow confusing late expensive problem problems issue unclear langsam verwirrend teuer problem lent cher \
            problème lento caro problema confuso",
    ),
    (
        -2.0,
        "bad broken annoying annoyed disappointed disappointing unhappy upset sad wrong fail fails failed useless \
            complaint unacceptable frustrated frustrating kaputt schlecht enttäuscht enttäuschend ärgerlich nervt \
            traurig falsch beschwerde mauvais cassé déçu triste inutile énervé malo roto decepcionado triste enfadado \
            inútil cattivo rotto deluso ruim quebrado decepcionado slecht teleurgesteld",
    ),
    (
        -3.0,
        "terrible awful horrible worst hate furious angry disgusting scam outrageous schrecklich furchtbar \
            katastrophe hasse wütend unverschämt horrible affreux déteste furieux nul terrible odio furioso peor \
            pésimo terribile orribile furioso péssimo horrível vreselijk",
    ),
];

const NEGATIONS: &str = "not no never none cannot can't don't doesn't didn't isn't wasn't won't wouldn't aren't without \
    nicht kein keine keinen nie niemals ohne ne pas jamais sans aucun nunca sin non mai senza não nem sem niet geen nooit";
/// Negations that stand behind what they negate.
const BEHIND: &str = "nicht niet pas";
const BOOSTERS: &str = "very really extremely so absolutely totally completely sehr wirklich total absolut extrem très \
    vraiment tellement muy realmente molto davvero muito realmente heel erg";

/// Signs that feel by themselves.
const SIGNS: [(&str, f64); 14] = [
    ("😀", 2.0),
    ("😊", 2.0),
    ("😍", 3.0),
    ("👍", 2.0),
    ("❤", 3.0),
    ("🎉", 2.0),
    (":)", 1.0),
    ("😡", -3.0),
    ("😠", -3.0),
    ("😢", -2.0),
    ("😞", -2.0),
    ("👎", -2.0),
    ("🤬", -3.0),
    (":(", -1.0),
];

static VALENCES: LazyLock<BTreeMap<&'static str, f64>> = LazyLock::new(|| {
    let words = |(valence, list): &(f64, &'static str)| {
        let valence = *valence;
        list.split_whitespace()
            .map(move |word| (word, valence))
            .collect::<Vec<_>>()
    };
    LISTS.iter().flat_map(words).collect()
});

type Words = LazyLock<BTreeSet<&'static str>>;
static NEGATING: Words = LazyLock::new(|| NEGATIONS.split_whitespace().collect());
static NEGATING_BEHIND: Words = LazyLock::new(|| BEHIND.split_whitespace().collect());
static BOOSTING: Words = LazyLock::new(|| BOOSTERS.split_whitespace().collect());

pub(super) fn sentiment(text: &str, words: &[Cow<'_, str>]) -> f64 {
    let mut sum = 0.0;
    for (at, word) in words.iter().enumerate() {
        let Some(valence) = VALENCES.get(&**word) else {
            continue;
        };
        let before = &words[at.saturating_sub(BEFORE)..at];
        let after = &words[at + 1..words.len().min(at + 1 + AFTER)];
        let mut felt = *valence;
        if before.last().is_some_and(|word| BOOSTING.contains(&**word)) {
            felt += BOOST.copysign(felt);
        }
        let negated = before.iter().any(|word| NEGATING.contains(&**word))
            || after.iter().any(|word| NEGATING_BEHIND.contains(&**word));
        sum += if negated { felt * NEGATED } else { felt };
    }
    for (sign, valence) in SIGNS {
        sum += valence * text.matches(sign).count().min(3) as f64;
    }
    if sum != 0.0 {
        let marks = text.chars().filter(|c| matches!(c, '!' | '！')).count().min(3);
        sum += (BOOST * marks as f64).copysign(sum);
    }
    rounded(sum / (sum * sum + NORM).sqrt())
}
