//! Strings as Python's `json.dumps` writes them: the form in which Arch-Router saw routes and turns.

/// How strings are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Escapes<'a> {
    /// Everything outside printable ASCII becomes `\uXXXX` (lower case, surrogate pairs), as `ensure_ascii=True` does;
    /// otherwise only quotes, backslashes and control characters below U+0020 are escaped.
    pub(crate) ascii: bool,
    /// Texts whose first character is escaped wherever they occur.
    pub(crate) specials: &'a [String],
}

impl Escapes<'_> {
    /// Appends `text` as a JSON string to `out`. O(length × specials).
    pub(crate) fn push(self, out: &mut String, text: &str) {
        out.push('"');
        for (at, c) in text.char_indices() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                c if self.is_plain(c) && !self.is_special(&text[at..]) => out.push(c),
                c => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
            }
        }
        out.push('"');
    }

    /// `text` as a JSON string of its own.
    pub(crate) fn string(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 2);
        self.push(&mut out, text);
        out
    }

    fn is_plain(self, c: char) -> bool {
        (' '..='~').contains(&c) || (c > '~' && !self.ascii)
    }

    fn is_special(self, rest: &str) -> bool {
        self.specials
            .iter()
            .any(|special| rest.starts_with(special.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_python() {
        let text = "a\"b\\c\n\r\t\u{8}\u{c}\u{1}\u{7f}é😀'/<";
        let string = |ascii| Escapes { ascii, specials: &[] }.string(text);
        assert_eq!(
            string(true),
            r#""a\"b\\c\n\r\t\b\f\u0001\u007f\u00e9\ud83d\ude00'/<""#
        );
        assert_eq!(string(false), "\"a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0001\u{7f}é😀'/<\"");
    }

    #[test]
    fn special_texts_lose_their_first_character_and_keep_their_meaning() {
        let specials = ["<|end|>".to_owned()];
        let escapes = Escapes {
            ascii: true,
            specials: &specials,
        };
        let text = "<|end|><|end|> <|end";
        assert_eq!(escapes.string(text), r#""\u003c|end|>\u003c|end|> <|end""#);
        assert_eq!(
            serde_json::from_str::<String>(&escapes.string(text)).unwrap(),
            text
        );
    }
}
