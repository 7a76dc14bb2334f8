//! What the files of other products become.

use std::fmt::Write;

use crate::policy::{Foreign, Policy, import, load};

/// A policy in a few lines, with what was said about it.
fn summary(text: &[u8]) -> String {
    let mut out = String::new();
    match load(text) {
        Ok(loaded) => {
            describe(&loaded.policy, &mut out);
            loaded
                .diagnostics
                .iter()
                .for_each(|found| writeln!(out, "{found}").unwrap());
        }
        Err(found) => found.iter().for_each(|found| writeln!(out, "{found}").unwrap()),
    }
    out
}

fn describe(policy: &Policy, out: &mut String) {
    let ids = |models: &[usize]| {
        models
            .iter()
            .map(|m| policy.models[*m].id.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    writeln!(
        out,
        "models: {}",
        ids(&(0..policy.models.len()).collect::<Vec<_>>())
    )
    .unwrap();
    writeln!(out, "default: {}", ids(&policy.default)).unwrap();
    if let Some(profile) = policy.profile {
        writeln!(out, "profile: {}", policy.profiles[profile].name).unwrap();
        writeln!(out, "families: {}", policy.prefer_families.join(", ")).unwrap();
    }
    for (name, models) in &policy.aliases {
        writeln!(out, "alias {name}: {}", ids(models)).unwrap();
    }
    for route in &policy.routes {
        writeln!(
            out,
            "route {} {:?}: {} <- {}",
            route.name,
            route.select,
            ids(&route.models),
            route.description
        )
        .unwrap();
    }
}

fn fixture(name: &str) -> String {
    let path = format!("{}/fixtures/policies/{name}", env!("CARGO_MANIFEST_DIR"));
    summary(&std::fs::read(path).unwrap())
}

#[test]
fn models_without_preferences_become_a_catalogue_and_a_default() {
    insta::assert_snapshot!(fixture("plano-model-based.yaml"));
}

#[test]
fn aliases_find_their_models_without_the_provider() {
    insta::assert_snapshot!(fixture("plano-alias-based.yaml"));
}

#[test]
fn inline_preferences_become_routes() {
    insta::assert_snapshot!(fixture("plano-preference-aligned.yaml"));
}

#[test]
fn aliases_and_preferences_live_together() {
    insta::assert_snapshot!(fixture("plano-hybrid.yaml"));
}

#[test]
fn preferences_at_the_root_keep_their_pools_and_their_selection() {
    insta::assert_snapshot!(fixture("plano-v0.4-top-level.yaml"));
}

#[test]
fn a_profile_alone_draws_on_the_built_in_catalogue() {
    insta::assert_snapshot!(fixture("ollm.yaml"));
}

#[test]
fn nothing_is_overwritten_in_silence() {
    let found = summary(
        b"llm_providers:
  - model: openai/gpt-5
    default: true
    routing_preferences: [{name: code, description: writing new code}]
  - model: openai/gpt-5
  - model: azure/gpt-5
    default: true
    routing_preferences: [{name: Code, description: writing new code}]
  - model: groq/*
  - access_key: $KEY
model_aliases: {a: {target: gpt-5}, b: {target: gpt-4}}
routing_preferences: [{name: math}, {name: law, models: [gpt-6], selection_policy: {prefer: random}}]
",
    );
    insta::assert_snapshot!(found);
}

#[test]
fn a_short_name_of_two_models_is_refused() {
    let text =
        "model_providers: [{model: openai/gpt-5}, {model: azure/gpt-5}]\nmodel_aliases: {a: {target: gpt-5}}";
    let found = load(text.as_bytes()).unwrap_err();
    assert_eq!((found.len(), found[0].code, found[0].line), (1, "ambiguous", 2));
}

#[test]
fn access_keys_are_not_kept() {
    let text = b"model_providers: [{model: openai/gpt-5, access_key: sk-secret-1}]";
    let loaded = load(text).unwrap();
    assert!(!format!("{loaded:?}").contains("sk-secret-1"));
}

#[test]
fn an_unknown_profile_of_ollm_is_an_error() {
    insta::assert_snapshot!(summary(b"routing: {profile: genral}\nui: {theme: dark}\n"));
}

#[test]
fn the_default_is_of_the_preferred_family_and_fits_the_profile() {
    let of = |text: &str| {
        let policy = load(text.as_bytes()).unwrap().policy;
        policy.models[policy.default[0]].id.clone()
    };
    assert_eq!(
        of("routing: {profile: general, preferred_families: [mistral]}"),
        "mistral:7b"
    );
    assert_eq!(
        of("routing: {profile: fast, preferred_families: [mistral]}"),
        "llama3.2:3b"
    );
    assert_eq!(
        of("routing: {profile: creative, preferred_families: [Mistral]}"),
        "mixtral:8x7b"
    );
    assert_eq!(of("routing: {profile: code}"), "qwen2.5-coder:7b");
}

/// What is imported, loaded.
fn imported(bytes: &[u8], from: Foreign) -> (Policy, String) {
    let (text, _) = import(bytes, from).unwrap();
    match load(text.as_bytes()) {
        Ok(loaded) => (loaded.policy, text),
        Err(found) => panic!("{found:#?}\n{text}"),
    }
}

#[test]
fn an_imported_file_loads_as_the_same_policy() {
    let folder = format!("{}/fixtures/policies", env!("CARGO_MANIFEST_DIR"));
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let from = match path.file_name().unwrap().to_str().unwrap() {
            "ollm.yaml" => Foreign::Ollm,
            name if name.starts_with("plano-") => Foreign::Plano,
            _ => continue,
        };
        let bytes = std::fs::read(&path).unwrap();
        let (policy, _) = imported(&bytes, from);
        let checksum = policy.checksum.clone();
        let loaded = load(&bytes).unwrap().policy;
        assert_eq!(policy, Policy { checksum, ..loaded }, "{}", path.display());
        checked += 1;
    }
    assert!(checked >= 6, "{checked}");
}

#[test]
fn an_imported_file_reads_well() {
    let path = format!(
        "{}/fixtures/policies/plano-v0.4-top-level.yaml",
        env!("CARGO_MANIFEST_DIR")
    );
    insta::assert_snapshot!(import(&std::fs::read(path).unwrap(), Foreign::Plano).unwrap().0);
}

#[test]
fn names_that_yaml_would_take_for_something_else_survive_the_import() {
    let odd = [
        "true",
        "null",
        "~",
        "0x1f",
        "1e3",
        "a: b",
        "a #b",
        "- x",
        "[x]",
        "it's",
        "say \\\"x\\\"",
        "ünï ✓",
        "tab\\t x",
        "a\\u2028b",
        "\\u0085 \\x7f",
        "{x}",
        "*x",
        "&x",
        "!x",
        "|",
        ">",
        "%x",
        "@x",
        "`x`",
        " x ",
        "x:",
        "?",
        "a\\nb\\n\\n c ",
    ];
    for (at, text) in odd.iter().enumerate() {
        let file = format!(
            "model_providers: [{{model: a/b}}]\nrouting_preferences: [{{name: r{at}, description: \"{text}\", models: [b]}}]"
        );
        let (policy, _) = imported(file.as_bytes(), Foreign::Plano);
        assert_eq!(
            policy.routes,
            load(file.as_bytes()).unwrap().policy.routes,
            "{text}"
        );
    }
    let names = "model_providers: [{model: 'yes: no'}, {model: '123'}]\nmodel_aliases: {'null': {target: '123'}, 'a: b': {target: '123'}}";
    let (policy, text) = imported(names.as_bytes(), Foreign::Plano);
    assert_eq!(
        (policy.models[1].id.as_str(), policy.aliases.len()),
        ("123", 2),
        "{text}"
    );
}

#[test]
fn access_keys_are_not_imported() {
    let text = b"model_providers: [{model: openai/gpt-5, access_key: sk-secret-1, base_url: 'https://sk-secret-1@x'}]";
    let (written, remarks) = import(text, Foreign::Plano).unwrap();
    assert!(!format!("{written}{remarks:?}").contains("sk-secret-1"));
    assert!(remarks.iter().any(|remark| remark.code == "ignored"));
}

#[test]
fn only_the_format_that_was_named_is_imported() {
    for (text, from) in [
        ("routing: {profile: general}", Foreign::Plano),
        ("model_providers: [{model: a}]", Foreign::Ollm),
        ("schema: 1\ndefault: a\nmodels: [{id: a}]", Foreign::Ollm),
        ("x: 1", Foreign::Plano),
    ] {
        let found = import(text.as_bytes(), from).unwrap_err();
        assert_eq!((found.len(), found[0].code), (1, "wrong-format"), "{text}");
    }
    // What is wrong with the file itself is reported as when it is loaded.
    let bad = b"routing: {profile: genral}";
    let errors = import(bad, Foreign::Ollm).unwrap_err();
    assert_eq!(errors, load(bad).unwrap_err());
}
