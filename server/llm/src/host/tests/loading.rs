//! Models that can be loaded, and what is said of those that cannot.

use std::fs;

use super::*;

fn refused(settings: Settings) -> LoadError {
    let (sender, receiver) = std::sync::mpsc::channel();
    // A thread of its own: some of these panic in mistral.rs, and quantisation sticks to the thread.
    thread::spawn(move || sender.send(dispatch::ready(settings).map(|_| ())));
    match receiver.recv_timeout(Duration::from_secs(120)) {
        Ok(ready) => ready.unwrap_err(),
        // It panicked out of the catch, which must not be.
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn settings_name_a_directory_a_file_or_a_repository() {
    let parsed = |text: &str| text.parse::<Source>();
    assert_eq!(
        parsed("/models/router"),
        Ok(Source::Directory("/models/router".into()))
    );
    let gguf = Source::Gguf {
        file: "/models/router/q8.gguf".into(),
        tokenizer: "/models/router".into(),
    };
    assert_eq!(parsed("/models/router/q8.gguf"), Ok(gguf));
    let hub = |revision: Option<&str>| Source::Hub {
        name: "katanemo/Arch-Router-1.5B".to_owned(),
        revision: revision.map(str::to_owned),
    };
    assert_eq!(parsed("hf:katanemo/Arch-Router-1.5B"), Ok(hub(None)));
    assert_eq!(parsed("hf:katanemo/Arch-Router-1.5B@main"), Ok(hub(Some("main"))));
    for text in ["hf:", "hf:name", "hf:a/b/c", "hf:a/b@", "hf:/b", "hf:a b/c"] {
        assert_eq!(parsed(text), Err(SourceError::Repository(text.to_owned())));
    }
}

#[test]
fn a_path_that_is_not_there_is_no_repository() {
    let error = refused(settings(Path::new("katanemo/Arch-Router-1.5B")));
    assert!(
        matches!(&error, LoadError::Source(SourceError::Missing(_))),
        "{error}"
    );
    assert!(error.to_string().contains("hf:org/name@revision"));
    let gguf = Settings::new("/nowhere/q8.gguf".parse().unwrap());
    assert!(matches!(
        refused(gguf),
        LoadError::Source(SourceError::Missing(_))
    ));
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    let directory = model(Tiny::default());
    for name in ["tokenizer.json", "config.json", "model.safetensors"] {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    let error = refused(settings(directory.path())).to_string();
    for name in ["tokenizer.json", "config.json", "model.safetensors"] {
        assert!(error.contains(name), "{error}");
    }
    assert!(!error.contains("tokenizer_config.json"), "{error}");
    let file = directory.path().join("q8.gguf");
    fs::write(&file, "GGUF").unwrap();
    let error = refused(Settings::new(file.to_str().unwrap().parse().unwrap())).to_string();
    assert!(error.contains("lacks tokenizer.json"), "{error}");
}

#[test]
fn broken_files_are_errors_and_not_panics() {
    let write = |name: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let directory = model(Tiny::default());
        let file = directory.path().join(name);
        fs::write(&file, change(fs::read(&file).unwrap())).unwrap();
        directory
    };
    let truncated = write("model.safetensors", &|bytes| {
        bytes[..bytes.len() - 1_000].to_vec()
    });
    assert!(matches!(
        refused(settings(truncated.path())),
        LoadError::Broken(_)
    ));
    for name in ["tokenizer.json", "tokenizer_config.json", "config.json"] {
        for text in ["{", "{}", "[]"] {
            let directory = write(name, &|_| text.as_bytes().to_vec());
            let error = refused(settings(directory.path()));
            assert!(matches!(error, LoadError::Broken(_)), "{name} {text}: {error:?}");
        }
    }
    let gguf = model(Tiny::default());
    let file = gguf.path().join("q8.gguf");
    fs::write(&file, "GGUF and nothing else").unwrap();
    let error = refused(Settings::new(file.to_str().unwrap().parse().unwrap()));
    assert!(matches!(error, LoadError::Broken(_)), "{error:?}");
}

#[test]
fn a_model_that_lacks_a_tensor_is_found_out_by_its_first_question() {
    let directory = model(Tiny::default());
    let file = directory.path().join("model.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    let name = b"layers.0.mlp.up_proj";
    let at = bytes
        .windows(name.len())
        .position(|window| window == name)
        .unwrap();
    bytes[at + name.len() - 1] = b'x';
    fs::write(&file, bytes).unwrap();
    let error = refused(settings(directory.path()));
    assert!(
        matches!(error, LoadError::Mute(_) | LoadError::Broken(_)),
        "{error:?}"
    );
}

#[test]
fn a_gguf_file_answers_as_the_directory_it_was_made_of() {
    let tiny = Tiny::default();
    let directory = model(tiny);
    let file = directory.path().join("model.gguf");
    tiny.write_gguf(&file);
    let mut gguf = Settings::new(file.to_str().unwrap().parse().unwrap());
    gguf.style = settings(directory.path()).style;
    let (mut one, mut other) = (asker(&settings(directory.path())), asker(&gguf));
    let routes = routes(&["code", "code review", "travel"]);
    for text in ["hello", "a train to Rome", "fix this loop"] {
        let question = question(&routes, text);
        let (a, b) = (one.must(&question), other.must(&question));
        assert_eq!(a.prompt_tokens, b.prompt_tokens);
        assert_eq!(a.answer.best().0, b.answer.best().0);
        // Attention is computed in F16 there.
        let apart = a.answer.best().1.probability - b.answer.best().1.probability;
        assert!(apart.abs() < 0.02, "{apart}");
    }
    let mut quantised = gguf;
    quantised.quantize = Some("q4k".to_owned());
    assert!(matches!(refused(quantised), LoadError::Setting(_)));
}

#[test]
fn a_host_that_could_not_load_says_so_and_answers_nothing() {
    runtime().block_on(async {
        let host = started(settings(Path::new("/nowhere"))).await;
        assert!(matches!(
            &*host.state().borrow(),
            State::Failed(LoadError::Source(_))
        ));
        let asked = host.ask(question(&routes(&["a", "b"]), "hello"), soon(60)).await;
        assert_eq!(asked, Err(AskError::NotReady));
        assert!(host.shut_down(Duration::from_secs(5)).await);
    });
}

#[test]
fn a_model_can_be_quantised_while_it_loads_and_the_next_is_not() {
    let directory = model(Tiny {
        hidden: 256,
        ..Tiny::default()
    });
    let ask = |quantize: Option<&str>| {
        let mut settings = settings(directory.path());
        settings.quantize = quantize.map(str::to_owned);
        // As in the host: every load has its own thread.
        let asked = thread::spawn(move || {
            asker(&settings)
                .must(&question(&routes(&["a", "b"]), "hello"))
                .answer
        });
        asked.join().unwrap()
    };
    let plain = ask(None);
    let quantised = ask(Some("q4k"));
    assert_ne!(plain, quantised);
    assert_eq!(ask(None), plain);
    let mut unknown = settings(directory.path());
    unknown.quantize = Some("q0".to_owned());
    assert!(matches!(refused(unknown), LoadError::Setting(_)));
    let mut gpu = settings(directory.path());
    gpu.device = Device::Gpu;
    if !cfg!(any(feature = "cuda", feature = "metal")) {
        assert!(matches!(refused(gpu), LoadError::Setting(_)));
    }
}

#[test]
fn the_digest_is_that_of_everything_that_makes_the_answers() {
    let digest = |settings: &Settings| digest::digest(&settings.source, settings).unwrap();
    let (one, other) = (model(Tiny::default()), model(Tiny::default()));
    let mut changed = settings(one.path());
    let plain = digest(&changed);
    assert_eq!(plain.len(), 64);
    assert_eq!(plain, digest(&settings(other.path())));
    let mut seen = vec![plain];
    let mut is_new = |digest: String| {
        assert!(!seen.contains(&digest), "{digest}");
        seen.push(digest);
    };
    changed.quantize = Some("q4k".to_owned());
    is_new(digest(&changed));
    changed.device = Device::Gpu;
    is_new(digest(&changed));
    changed.style.ascii = false;
    is_new(digest(&changed));
    for name in [
        "model.safetensors",
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ] {
        let file = other.path().join(name);
        let mut bytes = fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&file, bytes).unwrap();
        is_new(digest(&settings(other.path())));
    }
    fs::write(other.path().join("chat_template.jinja"), "{{ messages }}").unwrap();
    is_new(digest(&settings(other.path())));
    Tiny::default().write_gguf(&one.path().join("one.gguf"));
    let gguf = Settings::new(one.path().join("one.gguf").to_str().unwrap().parse().unwrap());
    is_new(digest(&gguf));
    let (_, facts) = dispatch::ready(settings(one.path())).unwrap();
    assert_eq!(facts.digest, seen[0]);
}

#[test]
fn parts_that_a_list_of_weights_names_are_looked_for() {
    let directory = model(Tiny::default());
    let list = r#"{"weight_map": {"a": "model-00002-of-00002.safetensors", "b": "model.safetensors"}}"#;
    fs::write(directory.path().join("model.safetensors.index.json"), list).unwrap();
    let error = refused(settings(directory.path())).to_string();
    assert!(
        error.ends_with("lacks model-00002-of-00002.safetensors"),
        "{error}"
    );
}
