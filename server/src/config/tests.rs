//! Strength of the places, and files that are wrong with every problem that must be found in them.

use std::ffi::OsString;
use std::fs;

use super::*;

fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    (directory, path)
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn loaded(inputs: &Inputs) -> Config {
    load(inputs).unwrap_or_else(|problems| panic!("{problems:#?}")).0
}

/// Every problem as one line, with the file's directory left out.
fn problems(inputs: &Inputs) -> Vec<String> {
    let directory = inputs.file.as_ref().and_then(|file| file.parent());
    let prefix = directory.map_or(String::new(), |directory| format!("{}/", directory.display()));
    let shown = |problem: &Problem| problem.to_string().replace(&prefix, "");
    load(inputs)
        .expect_err("problems are wanted")
        .iter()
        .map(shown)
        .collect()
}

#[test]
fn without_anything_the_defaults_hold() {
    let config = loaded(&Inputs::default());
    assert_eq!(config.listen.to_string(), "127.0.0.1:50051");
    assert_eq!(config.metrics.unwrap().to_string(), "127.0.0.1:9090");
    assert_eq!((config.policy, config.ring_size), (None, 1000));
    assert_eq!(
        config.cache,
        StoreConfig {
            max_entries: 100_000,
            max_bytes: 64 << 20
        }
    );
    assert_eq!(config.limits.message_bytes, 4 << 20);
    assert_eq!(config.reload.poll, Duration::from_secs(5));
    assert!(config.reload.allow_push);
}

#[test]
fn stores_take_less_by_default_where_memory_is_short() {
    let inputs = |memory, variable: &str| Inputs {
        variables: variables(&[("SIGNALBOX__CACHE__MAX_BYTES", variable)]),
        memory,
        ..Inputs::default()
    };
    let bytes = |memory, variable| {
        let config = loaded(&inputs(memory, variable));
        (config.cache.max_bytes, config.sessions.max_bytes)
    };
    let usual = 64 << 20;
    assert_eq!(bytes(Some(512 << 20), ""), (usual, usual));
    assert_eq!(bytes(Some(256 << 20), ""), (32 << 20, 32 << 20));
    assert_eq!(bytes(Some(256 << 20), "77"), (77, 32 << 20), "what is set holds");
    let (_, raw) = load(&inputs(Some(800), "")).unwrap();
    let shown = raw.to_yaml();
    let line = shown
        .lines()
        .find(|line| line.contains("max_bytes: 100"))
        .unwrap();
    assert!(
        line.ends_with("# default, an eighth of the memory limit of 800 bytes"),
        "{shown}"
    );
}

#[test]
fn flags_win_then_the_environment_then_the_file_then_the_default() {
    let text = "listen = \"127.0.0.1:1\"\nring.size = 1\ndrain_ms = 1\nmetrics = \"127.0.0.1:1001\"\n";
    let (_directory, path) = file("signalbox.toml", text);
    let inputs = Inputs {
        file: Some(path.clone()),
        variables: variables(&[
            ("SIGNALBOX__LISTEN", "127.0.0.1:2"),
            ("SIGNALBOX__RING__SIZE", "2"),
        ]),
        flags: vec![("listen", "127.0.0.1:3".to_owned())],
        ..Inputs::default()
    };
    let (config, raw) = load(&inputs).unwrap();
    assert_eq!((config.listen.port(), config.ring_size), (3, 2));
    assert_eq!(
        (config.drain, config.stop_deadline),
        (Duration::from_millis(1), Duration::from_secs(10))
    );
    let origin = |key| raw.values[key].1.to_string();
    assert_eq!(origin("listen"), "--listen");
    assert_eq!(origin("ring.size"), "SIGNALBOX__RING__SIZE");
    assert_eq!(origin("drain_ms"), path.display().to_string());
    assert_eq!(origin("stop_deadline_ms"), "default");
}

#[test]
fn toml_and_yaml_say_the_same() {
    let (_one, toml) = file(
        "a.toml",
        "metrics = \"off\"\n[cache]\nmax_entries = 5\n[reload]\nallow_push = false\n",
    );
    let (_two, yaml) = file(
        "a.yaml",
        "metrics: off\ncache: {max_entries: 5}\nreload:\n  allow_push: false\npolicy:\n",
    );
    let config = |file| {
        loaded(&Inputs {
            file: Some(file),
            ..Inputs::default()
        })
    };
    assert_eq!(config(toml.clone()), config(yaml));
    assert_eq!(config(toml.clone()).metrics, None);
    assert!(!config(toml).reload.allow_push);
}

#[test]
fn an_empty_variable_and_variables_of_others_are_not_looked_at() {
    let inputs = Inputs {
        variables: variables(&[
            ("SIGNALBOX__POLICY", ""),
            ("SIGNALBOX__CONFIG", "read by the command line"),
            ("SIGNALBOX_SERVICE_HOST", "10.0.0.1"),
            ("RUST_LOG", "debug"),
        ]),
        ..Inputs::default()
    };
    assert_eq!(loaded(&inputs), loaded(&Inputs::default()));
}

#[test]
fn every_problem_is_reported_at_once_with_its_key_its_place_and_what_to_do() {
    let text = "listen: localhost\ncache: {max_entires: 5, max_bytes: -1}\nring: 7\nlog: {level: loud, format: [text]}\n\
                zebra: 1\nstop_deadline_ms: 1.5\n";
    let (_directory, path) = file("bad.yaml", text);
    let inputs = Inputs {
        file: Some(path),
        variables: variables(&[
            ("SIGNALBOX__CACHE__MAX_ENTIRES", "5"),
            ("SIGNALBOX__RELOAD", "no"),
            ("SIGNALBOX__RELOAD__ALLOW_PUSH", "maybe"),
        ]),
        flags: vec![("metrics", "9090".to_owned())],
        ..Inputs::default()
    };
    assert_eq!(
        problems(&inputs),
        [
            "cache.max_bytes (from bad.yaml): `-1` is not a whole number from 0 to 1099511627776",
            "cache.max_entires (from bad.yaml): there is no such setting; did you mean `cache.max_entries`?",
            "cache.max_entires (from SIGNALBOX__CACHE__MAX_ENTIRES): there is no such setting; did you mean \
             `SIGNALBOX__CACHE__MAX_ENTRIES`?",
            "listen (from bad.yaml): `localhost` is not an address; give an IP address and a port, such as \
             0.0.0.0:50051 or [::1]:50051",
            "log.format (from bad.yaml): one value is needed, not a list; remove the brackets",
            "log.level (from bad.yaml): `loud` is not one of off, error, warn, info, debug, trace",
            "metrics (from --metrics): `9090` is not an address; give an IP address and a port, such as 0.0.0.0:50051 \
             or [::1]:50051, or `off`",
            "reload (from SIGNALBOX__RELOAD): this is a section; set SIGNALBOX__RELOAD__POLL_MS, \
             SIGNALBOX__RELOAD__DEBOUNCE_MS, SIGNALBOX__RELOAD__MAX_BYTES, SIGNALBOX__RELOAD__ALLOW_PUSH, \
             SIGNALBOX__RELOAD__LAST_GOOD instead",
            "reload.allow_push (from SIGNALBOX__RELOAD__ALLOW_PUSH): `maybe` is not one of true, false",
            "ring (from bad.yaml): this is a section; set ring.size instead",
            "stop_deadline_ms (from bad.yaml): `1.5` is not a whole number from 0 to 86400000",
            "zebra (from bad.yaml): there is no such setting; `signalbox config` lists them all",
        ]
    );
}

#[cfg(not(feature = "mistralrs"))]
#[test]
fn a_build_that_hosts_no_model_says_how_to_get_one_that_does() {
    let inputs = Inputs {
        flags: vec![("llm.path", "hf:org/model@main".to_owned())],
        ..Inputs::default()
    };
    assert_eq!(
        problems(&inputs),
        [
            "llm.path (from --llm): `hf:org/model@main` cannot be loaded: this build hosts no language model; build it \
             without `--no-default-features`, or set `llm.remote.url`"
        ]
    );
}

#[test]
fn a_file_that_is_missing_or_broken_is_named() {
    let (directory, path) = file("broken.toml", "listen = ");
    let told = |file: PathBuf| {
        load(&Inputs {
            file: Some(file),
            ..Inputs::default()
        })
        .unwrap_err()[0]
            .to_string()
    };
    assert!(
        told(path.clone()).starts_with(&format!("{}: ", path.display())),
        "{}",
        told(path)
    );
    let missing = directory.path().join("missing.yaml");
    assert!(told(missing.clone()).contains("not found"), "{}", told(missing));
}

#[test]
fn the_console_needs_the_listener_that_it_is_a_page_of() {
    let with = |pairs: &[(&str, &str)]| Inputs {
        variables: variables(pairs),
        ..Inputs::default()
    };
    const ON: (&str, &str) = ("SIGNALBOX__HTTP__CONSOLE", "true");
    assert!(!loaded(&with(&[])).console);
    assert!(loaded(&with(&[ON, ("SIGNALBOX__HTTP__LISTEN", "127.0.0.1:0")])).console);
    assert_eq!(
        problems(&with(&[ON])),
        [
            "http.console (from SIGNALBOX__HTTP__CONSOLE): the console is a page of the listener for JSON; set `http.listen` \
             too, such as 127.0.0.1:8080"
        ]
    );
}

#[test]
fn metrics_and_grpc_cannot_share_a_port() {
    let flags = vec![("listen", "127.0.0.1:9090".to_owned())];
    let told = problems(&Inputs {
        flags,
        ..Inputs::default()
    });
    assert_eq!(
        told,
        ["metrics (from default): 127.0.0.1:9090 is the address of `listen` too; choose another port"]
    );
}

#[test]
fn a_language_model_elsewhere_is_an_address_and_a_name() {
    let with = |pairs: &[(&str, &str)]| Inputs {
        variables: variables(pairs),
        ..Inputs::default()
    };
    const URL: (&str, &str) = ("SIGNALBOX__LLM__REMOTE__URL", "http://vllm:8000/v1");
    const MODEL: (&str, &str) = ("SIGNALBOX__LLM__REMOTE__MODEL", "arch-router");
    let config = loaded(&with(&[
        URL,
        MODEL,
        ("SIGNALBOX__LLM__REMOTE__API_KEY_ENV", "KEY"),
    ]));
    assert_eq!(
        config.llm.engine,
        Some(EngineConfig::Remote {
            url: URL.1.parse().unwrap(),
            model: MODEL.1.to_owned(),
            api_key_env: Some("KEY".to_owned()),
        })
    );
    assert_eq!(
        problems(&with(&[URL])),
        ["llm.remote.model (from default): is missing; give the name that the endpoint knows the model by"]
    );
    assert_eq!(
        problems(&with(&[MODEL, ("SIGNALBOX__LLM__REQUIRED", "true")])),
        [
            "llm.remote.model (from SIGNALBOX__LLM__REMOTE__MODEL): means nothing without `llm.remote.url`; set that too",
            "llm.required (from SIGNALBOX__LLM__REQUIRED): there is no language model to require; set `llm.path` or \
             `llm.remote.url`",
        ]
    );
    let elsewhere = problems(&with(&[("SIGNALBOX__LLM__REMOTE__URL", "vllm:8000"), MODEL]));
    assert!(
        elsewhere[0].contains("`vllm:8000` is no address of HTTP"),
        "{elsewhere:?}"
    );
}

#[test]
fn what_replicas_share_is_an_address_and_a_secret_each_from_one_place() {
    let with = |pairs: &[(&str, &str)]| Inputs {
        variables: variables(pairs),
        ..Inputs::default()
    };
    const URL: (&str, &str) = ("SIGNALBOX__SHARED__URL_FILE", "/run/url");
    const SECRET: (&str, &str) = ("SIGNALBOX__SHARED__SECRET_ENV", "SECRET");
    let shared = loaded(&with(&[URL, SECRET])).shared;
    assert_eq!(
        (shared.url, shared.secret),
        (
            Some(SecretConfig::File("/run/url".into())),
            Some(SecretConfig::Variable("SECRET".into()))
        )
    );
    assert!(problems(&with(&[URL]))[0].starts_with("shared.secret_file (from default): is missing;"));
    assert!(
        problems(&with(&[SECRET]))[0]
            .starts_with("shared.secret_env (from SIGNALBOX__SHARED__SECRET_ENV): means nothing")
    );
    assert_eq!(
        problems(&with(&[URL, SECRET, ("SIGNALBOX__SHARED__URL_ENV", "URL")])),
        [
            "shared.url_env (from SIGNALBOX__SHARED__URL_ENV): `shared.url_file` is set too; remove one of them"
        ]
    );
}

#[test]
fn what_is_printed_can_be_read_back_and_means_the_same() {
    let flags = vec![
        ("listen", "[::1]:7".to_owned()),
        ("policy", "it's here/p.yaml".to_owned()),
        ("llm.remote.url", "https://h/v1".to_owned()),
        ("llm.remote.model", "m".to_owned()),
    ];
    let (config, raw) = load(&Inputs {
        flags,
        ..Inputs::default()
    })
    .unwrap();
    let (_directory, path) = file("printed.yaml", &raw.to_yaml());
    assert_eq!(
        loaded(&Inputs {
            file: Some(path),
            ..Inputs::default()
        }),
        config,
        "{}",
        raw.to_yaml()
    );
    assert!(raw.to_yaml().contains("# --listen\n"), "{}", raw.to_yaml());
}

#[test]
fn every_default_is_a_value_that_its_kind_allows() {
    for setting in SETTINGS {
        let inputs = Inputs {
            flags: vec![(setting.key, setting.default.to_owned())],
            ..Inputs::default()
        };
        assert!(load(&inputs).is_ok(), "{}", setting.key);
    }
}
