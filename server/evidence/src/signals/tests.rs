use proptest::prelude::*;

use super::*;

#[test]
fn code_is_found_where_it_stands_and_not_where_it_is_asked_for() {
    for text in [
        "what does ```rust\nfn main() {}\n``` do?",
        "def f(x):\n    return x + 1",
        "why does this fail?\nconst a = await fetch(url);\nconsole.log(a);",
        "SELECT name FROM users WHERE id = 3",
        "Traceback (most recent call last):\n  File \"a.py\", line 1",
        "fix: if (a == b && c != d) { go(); }",
        "fix this: def f(x):\n  return x",
        "#include <stdio.h>\nint main(void) { return 0; }",
        "<div class=\"a\"><br/></div> is broken",
    ] {
        assert!(Signals::of(text).has_code, "{text}");
    }
    for text in [
        "write a python function that parses dates",
        "import duties from China, please explain them",
        "Let me know: is the class full?",
        "For example; this is a sentence with a semicolon",
        "Wie schreibe ich eine Funktion in Rust?",
        "",
    ] {
        assert!(!Signals::of(text).has_code, "{text}");
    }
}

#[test]
fn mathematics_is_found_by_formulas_sums_and_words() {
    for text in [
        "what is 12 * 7?",
        "solve 3x = 9 and x^2 + 1",
        "evaluate \\frac{1}{2} of it",
        "the integral and the derivative of f",
        "Berechne die Ableitung",
        "∑ over all i ≤ n",
        "(3 + 4) / 2 - 1",
    ] {
        assert!(Signals::of(text).has_math, "{text}");
    }
    for text in [
        "the report of 2024-05-03 and 3/4/2024",
        "call me at 555-1234",
        "a family of 4 wants to travel",
        "set x = y in the config",
        "C++ or Java?",
        "24/7 support",
    ] {
        assert!(!Signals::of(text).has_math, "{text}");
    }
}

#[test]
fn questions_end_or_begin_like_questions() {
    for text in [
        "is it raining?",
        "what is the capital of France",
        "I wonder. Could you help me? Thanks.",
        "wie spät ist es",
        "¿Dónde está la biblioteca?",
        "これは何ですか？",
        "هل هذا صحيح؟",
    ] {
        assert!(Signals::of(text).is_question, "{text}");
    }
    for text in [
        "write a poem",
        "open https://a.b/c?d=e please",
        "thanks, that is all",
        "a ? b : c",
        "",
    ] {
        assert!(!Signals::of(text).is_question, "{text}");
    }
}

#[test]
fn languages_are_told_by_script_and_by_common_words() {
    for (text, language) in [
        ("write a python function that parses dates", "en"),
        ("Schreibe mir bitte eine Funktion für das Lesen von Daten", "de"),
        ("Écris une fonction qui lit des dates dans un fichier", "fr"),
        ("Escribe una función para leer los datos de un archivo", "es"),
        (
            "Scrivi una funzione che legge le date di un file, per favore non troppo lunga",
            "it",
        ),
        (
            "Escreva uma função para ler as datas, você não precisa de muito",
            "pt",
        ),
        (
            "Schrijf een functie die het bestand leest, ik wil niet te veel",
            "nl",
        ),
        (
            "Skriv en funktion som läser datum, jag vill inte ha något annat och det är bra",
            "sv",
        ),
        ("Napisz funkcję, która czyta daty, proszę", "pl"),
        (
            "Tarihleri okuyan bir fonksiyon yaz, bu benim için çok önemli",
            "tr",
        ),
        ("Напиши функцию для чтения дат", "ru"),
        ("Напиши мені функцію, будь ласка, і поясни її", "uk"),
        ("写一个解析日期的函数", "zh"),
        ("日付を解析する関数を書いてください", "ja"),
        ("날짜를 읽는 함수를 작성해 주세요", "ko"),
        ("اكتب دالة لقراءة التواريخ", "ar"),
        ("تابعی برای خواندن تاریخ‌ها بنویس که پارامتر بگیرد", "fa"),
        ("तारीख पढ़ने के लिए फ़ंक्शन लिखें", "hi"),
        ("Γράψε μια συνάρτηση", "el"),
        ("כתוב פונקציה", "he"),
        ("เขียนฟังก์ชัน", "th"),
        ("12345", "und"),
        ("", "und"),
        ("xyzzy", "und"),
    ] {
        assert_eq!(Signals::of(text).language, language, "{text}");
    }
}

#[test]
fn what_demands_more_is_more_complex() {
    let ordered = [
        "",
        "hi",
        "write a poem about rain",
        "compare two sorting algorithms and explain step by step which one is faster, then prove it",
        "Design a distributed rate limiter:\n1. compare token buckets and sliding windows\n2. derive the memory \
         requirements\n3. explain the failure modes\n4. justify the consistency trade-offs\nThen write the \
         implementation in Rust, also evaluate alternatives without shared storage.",
    ];
    let found: Vec<f64> = ordered.iter().map(|text| Signals::of(text).complexity).collect();
    assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{found:?}");
    assert_eq!(found[0], 0.0);
    assert!(found[2] < 0.35 && found[4] > 0.5, "{found:?}");
}

#[test]
fn feelings_are_turned_round_by_negations_in_several_languages() {
    for (good, bad) in [
        ("this is good", "this is not good"),
        ("not bad at all", "bad"),
        ("I love it, thank you!", "I hate it, this is terrible!"),
        ("das ist gut", "das ist nicht gut"),
        ("das gefällt mir", "das gefällt mir nicht"),
        ("c'est bien", "ce n'est pas bien"),
        ("estoy contento", "no estoy contento"),
        ("sono contento", "non sono contento"),
        ("great 👍", "great 👎👎"),
    ] {
        let (good_score, bad_score) = (Signals::of(good).sentiment, Signals::of(bad).sentiment);
        assert!(
            good_score > 0.0 && bad_score < 0.0,
            "{good}: {good_score}, {bad}: {bad_score}"
        );
    }
    for text in [
        "write a python function that parses dates",
        "",
        "the train leaves at nine",
    ] {
        assert_eq!(Signals::of(text).sentiment, 0.0, "{text}");
    }
    let strength = |text: &str| Signals::of(text).sentiment.abs();
    assert!(strength("very bad") > strength("bad") && strength("bad!!!") > strength("bad"));
    assert!(strength("not good") < strength("good"));
}

#[test]
fn only_the_ends_of_a_long_text_are_read() {
    let long = |middle: &str| format!("{}{middle}{}", "a b ".repeat(5_000), "c d ".repeat(5_000));
    assert_eq!(Signals::of(&long("```terrible```?")), Signals::of(&long("")));
    let code = format!("{}\n```x```", "words and words ".repeat(100_000));
    assert!(Signals::of(&code).has_code);
}

proptest! {
    #[test]
    fn every_text_gives_values_in_range(text in "\\PC{0,200}") {
        let signals = Signals::of(&text);
        prop_assert!((0.0..=1.0).contains(&signals.complexity));
        prop_assert!((-1.0..=1.0).contains(&signals.sentiment));
        prop_assert!(signals.language.len() == 2 || signals.language == "und");
        prop_assert_eq!(signals, Signals::of(&text));
    }
}
