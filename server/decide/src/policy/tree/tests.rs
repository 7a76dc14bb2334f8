//! What bytes become, and that no bytes hurt.

use proptest::prelude::*;

use super::*;
use crate::policy::load;

/// A tree without its places.
fn shown(node: &Node) -> String {
    match &node.value {
        Value::Scalar { text, plain: true } => text.clone(),
        Value::Scalar { text, plain: false } => format!("{text:?}"),
        Value::Sequence(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Mapping(entries) => {
            let entry = |(key, node): &(Key, Node)| format!("{}: {}", key.text, shown(node));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

fn refused(bytes: &[u8]) -> (&'static str, u32, u32) {
    let problem = parse(bytes).unwrap_err();
    (problem.code, problem.line, problem.column)
}

#[test]
fn places_are_counted_from_one_in_characters() {
    let root = parse("a:\n  - {ä: x, b: y}\n".as_bytes()).unwrap();
    let list = root.get("a").unwrap();
    assert_eq!((list.line, list.column), (2, 3));
    let (key, value) = &list.items()[0].entries()[1];
    assert_eq!((key.line, key.column, value.line, value.column), (2, 12, 2, 15));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_change_no_place() {
    let root = parse("\u{feff}a: 1\r\nb: 2\r\n".as_bytes()).unwrap();
    let (key, value) = &root.entries()[1];
    assert_eq!((key.line, key.column, value.line, value.column), (2, 1, 2, 4));
}

#[test]
fn quotes_and_the_string_tag_keep_text_from_being_anything_else() {
    let root = parse(b"[1, '1', !!str 1]").unwrap();
    assert_eq!(shown(&root), r#"[1, "1", "1"]"#);
}

#[test]
fn an_alias_repeats_its_value_at_its_own_place() {
    let root = parse(b"a: &x {k: [1, 2]}\nb: *x\n").unwrap();
    assert_eq!(shown(&root), "{a: {k: [1, 2]}, b: {k: [1, 2]}}");
    let b = root.get("b").unwrap();
    assert_eq!((b.line, b.column), (2, 4));
}

#[test]
fn aliases_of_aliases_do_not_explode() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        text += &format!("a{level}: &a{level} [{before}]\n");
    }
    assert_eq!(refused(text.as_bytes()).0, "too-large");
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(1000));
    assert_eq!(refused(long.as_bytes()).0, "too-large");
}

#[test]
fn depth_and_size_are_limited() {
    let most = format!("{}1{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
    assert!(parse(most.as_bytes()).is_ok());
    assert_eq!(refused("[".repeat(100_000).as_bytes()).0, "too-deep");
    assert_eq!(refused("- ".repeat(100_000).as_bytes()).0, "too-deep");
    assert_eq!(refused("{a: ".repeat(100_000).as_bytes()).0, "too-deep");
    assert_eq!(refused(&vec![b' '; MAX_BYTES + 1]), ("too-large", 0, 0));
    assert_eq!(
        refused(format!("[{}]", "1,".repeat(MAX_NODES)).as_bytes()).0,
        "too-large"
    );
}

#[test]
fn what_is_not_one_yaml_document_is_refused_at_its_place() {
    for (bytes, wanted) in [
        (&b""[..], ("empty", 1, 1)),
        (b"# only a remark\n", ("empty", 1, 1)),
        (b"a: 1\n---\nb: 2\n", ("several-documents", 2, 1)),
        (b"a: \xff", ("not-utf8", 1, 4)),
        (b"a:\n\t- b\n", ("syntax", 2, 2)),
        (b"a: \"x", ("syntax", 1, 4)),
        (b"a: [1, 2", ("syntax", 1, 9)),
        (b"a: !x 1", ("tag", 1, 4)),
        (b"a: *b", ("syntax", 1, 4)),
        (b"a: &x [*x]", ("alias", 1, 8)),
        (b"[a]: b", ("syntax", 1, 1)),
    ] {
        assert_eq!(refused(bytes), wanted, "{}", String::from_utf8_lossy(bytes));
    }
}

const FULL: &str = include_str!("../../../fixtures/policies/full.yaml");

/// Every diagnostic of a file that could not be used says where, unless it speaks of the file as a whole.
fn errors_have_places(bytes: &[u8]) {
    if let Err(found) = load(bytes) {
        assert!(!found.is_empty());
        for problem in found
            .iter()
            .filter(|problem| !matches!(problem.code, "more" | "too-large"))
        {
            assert!(problem.line > 0 && problem.column > 0, "{problem:?}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        errors_have_places(&bytes);
    }

    #[test]
    fn no_text_of_yaml_signs_makes_it_panic(text in r#"[ \n\t:\-\[\]{},&*!|>'"%@`#?~a-c0-9.]{0,120}"#) {
        errors_have_places(text.as_bytes());
    }

    #[test]
    fn no_cut_of_a_policy_makes_it_panic(end in 0..FULL.len()) {
        errors_have_places(&FULL.as_bytes()[..end]);
    }

    #[test]
    fn no_exchanged_piece_of_a_policy_makes_it_panic(
        at in 0usize..400, other in 0usize..400, kind in 0usize..4, junk in r#"[ :\-\[\]{},&*!|'"a-c0-9.]{0,8}"#,
    ) {
        // Words stay whole, so that most results are YAML and reach the checks behind the tree.
        let mut pieces: Vec<&str> = FULL.split_inclusive([' ', '\n', ',', '}', ']']).collect();
        let (at, other) = (at % pieces.len(), other % pieces.len());
        match kind {
            0 => pieces.swap(at, other),
            1 => pieces[at] = &junk,
            2 => pieces.insert(at, pieces[other]),
            _ => { pieces.remove(at); }
        }
        errors_have_places(pieces.concat().as_bytes());
    }
}
