use signalbox_llm::question::Route;

use super::wire::Piece;
use super::*;

fn routes(names: &[&str]) -> Routes {
    let route = |name: &&str| Route {
        name: (*name).to_owned(),
        description: String::new(),
    };
    Routes::new(names.iter().map(route).collect()).unwrap()
}

/// A token, how probable it was, and what else could have been.
fn token(own: &str, p: f64, others: &[(&str, f64)]) -> Token {
    let all = [(own, p)];
    let all = all.iter().chain(others);
    Token {
        own: Piece::new(own, p),
        top_logprobs: all.map(|(text, p)| Piece::new(text, *p)).collect(),
    }
}

/// Probabilities in thousandths, and whether they were measured.
fn read_tokens(tokens: &[Token], names: &[&str]) -> Result<(Vec<u32>, bool), Failure> {
    let text: Vec<u8> = tokens.iter().flat_map(|t| t.own.text()).copied().collect();
    let text = String::from_utf8(text).unwrap();
    let (shares, measured) = read_off(&text, tokens, &routes(names), &Style::default())?;
    Ok((
        shares.iter().map(|p| (p * 1e3).round() as u32).collect(),
        measured,
    ))
}

#[test]
fn alternatives_that_lead_to_names_are_renormalised_at_every_token() {
    let tokens = [
        token("{\"", 0.99, &[("`", 0.01)]),
        token("route", 1.0, &[]),
        token("\": \"", 1.0, &[]),
        token("code", 0.5, &[("other", 0.2), ("poem", 0.1), ("zebra", 0.2)]),
        token("-review", 0.6, &[("\"}", 0.2), ("_x", 0.2)]),
        token("\"}", 1.0, &[]),
    ];
    let names = ["code", "code-review", "poem", "mail"];
    // 0.5 / 0.8 for what begins with `code`, of which a quarter ends there; `mail` is among no alternatives.
    assert_eq!(
        read_tokens(&tokens, &names).unwrap(),
        (vec![156, 469, 125, 0, 250], true)
    );
}

#[test]
fn tokens_may_begin_before_the_name_and_end_behind_it() {
    let tokens = [
        token("{'route':", 1.0, &[]),
        token(
            " 'a",
            0.6,
            &[(" 'b", 0.2), (" \"a", 0.1), (" 'other", 0.2), (" '", 0.1)],
        ),
        token("'}", 0.9, &[]),
    ];
    assert_eq!(
        read_tokens(&tokens, &["a", "b"]).unwrap(),
        (vec![600, 200, 200], true)
    );
}

#[test]
fn an_alternative_that_leads_to_several_names_gives_each_a_part() {
    let tokens = [
        token("{\"route\": \"", 1.0, &[]),
        token("code", 0.6, &[("math", 0.4)]),
        token("\"}", 1.0, &[]),
    ];
    let names = ["code", "math-easy", "math-hard"];
    assert_eq!(
        read_tokens(&tokens, &names).unwrap(),
        (vec![600, 200, 200, 0], true)
    );
}

#[test]
fn without_log_probabilities_or_with_useless_ones_only_the_name_is_known() {
    let names = ["code", "code-review"];
    let (shares, measured) =
        read_off("{\"route\": \"code\"}", &[], &routes(&names), &Style::default()).unwrap();
    assert_eq!((shares, measured), (vec![1.0, 0.0, 0.0], false));
    // The text ends where `code` and `code-review` are still one.
    assert_eq!(
        read_tokens(&[token("code", 0.9, &[])], &names).unwrap(),
        (vec![1000, 0, 0], false)
    );
    let impossible = [token("{\"route\": \"", 1.0, &[]), token("code\"}", 0.0, &[])];
    assert_eq!(
        read_tokens(&impossible, &names).unwrap(),
        (vec![1000, 0, 0], false)
    );
}

#[test]
fn a_name_of_no_route_is_a_failure() {
    let wrong = [token("{\"route\": \"magic\"}", 1.0, &[])];
    let failure = read_tokens(&wrong, &["code"]).unwrap_err();
    assert!(!failure.to_string().contains("magic"), "{failure}");
    assert_eq!(failure.code(), "llm_failed");
}

#[test]
fn escaped_names_and_parts_of_characters_are_read() {
    let tokens = [
        token("{\"route\": \"", 1.0, &[]),
        token("\\u00fc", 0.75, &[("other", 0.25)]),
        token("ber\"}", 1.0, &[]),
    ];
    assert_eq!(read_tokens(&tokens, &["über"]).unwrap(), (vec![750, 250], true));
    let parts: Vec<Token> = serde_json::from_value(serde_json::json!([
        {"token": "{\"route\": \"", "logprob": 0.0, "bytes": null, "top_logprobs": []},
        {"token": "\u{fffd}", "logprob": 0.0, "bytes": [0xc3], "top_logprobs": []},
        {"token": "\u{fffd}", "logprob": 0.0, "bytes": [0xbc], "top_logprobs": []},
        {"token": "ber\"}", "logprob": 0.0},
    ]))
    .unwrap();
    let read = read_off(
        "{\"route\": \"über\"}",
        &parts,
        &routes(&["über"]),
        &Style::default(),
    )
    .unwrap();
    assert_eq!(read, (vec![1.0, 0.0], true));
}
