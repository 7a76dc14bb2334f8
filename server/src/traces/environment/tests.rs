use std::fs;

use super::*;

const GRPC: [(&str, &str); 2] = [
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
];

fn given(variables: &[(&str, &str)]) -> Result<Option<Wanted>, Problems> {
    read(|name| {
        let last = variables.iter().rfind(|(known, _)| *known == name);
        last.map(|(_, value)| OsString::from(value))
    })
}

fn wanted(variables: &[(&str, &str)]) -> Wanted {
    given(&[&GRPC, variables].concat()).unwrap().unwrap()
}

fn problems(variables: &[(&str, &str)]) -> Vec<String> {
    given(&[&GRPC, variables].concat()).unwrap_err().0
}

fn attribute(wanted: &Wanted, name: &str) -> Option<String> {
    let all = wanted.resource.iter();
    let mut named = all.filter(|attribute| attribute.key.as_str() == name);
    named.next_back().map(|attribute| attribute.value.to_string())
}

#[test]
fn traces_are_off_unless_an_endpoint_is_set() {
    for off in [
        &[][..],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
        &[
            ("OTEL_TRACES_EXPORTER", "otlp"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
        ],
        &[
            GRPC[0],
            ("OTEL_SDK_DISABLED", "True"),
            ("OTEL_TRACES_SAMPLER", "zebra"),
        ],
        &[GRPC[0], ("OTEL_TRACES_EXPORTER", "none")],
    ] {
        assert!(given(off).unwrap().is_none(), "{off:?}");
    }
    for on in [
        &[GRPC[0]][..],
        &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1")],
        &[
            GRPC[0],
            ("OTEL_SDK_DISABLED", "false"),
            ("OTEL_TRACES_EXPORTER", "otlp"),
        ],
        &[GRPC[0], ("OTEL_SDK_DISABLED", ""), ("OTEL_TRACES_EXPORTER", "")],
    ] {
        assert!(given(on).unwrap().is_some(), "{on:?}");
    }
}

#[test]
fn defaults_are_those_of_the_specification() {
    let wanted = given(&GRPC[..1]).unwrap().unwrap();
    assert_eq!(wanted.collector.to_string(), "collector:4317 (http/protobuf)");
    assert_eq!(
        (wanted.timeout, wanted.export_limit, wanted.queue, wanted.parents),
        (Duration::from_secs(10), Duration::from_secs(30), 2048, true)
    );
    assert!(wanted.warnings.is_empty());
}

#[test]
fn a_variable_for_traces_goes_before_the_one_for_everything() {
    let wanted = wanted(&[
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "never"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250"),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "http://user:secret@there:9/v1/traces",
        ),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "1000"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
    ]);
    assert_eq!(wanted.collector.to_string(), "there:9 (http/protobuf)");
    assert_eq!(
        (wanted.timeout, wanted.export_limit, wanted.queue),
        (Duration::from_millis(250), Duration::from_secs(1), 10)
    );
}

#[test]
fn every_problem_is_told_at_once_with_its_variable() {
    let told = problems(&[
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Basic%20abc,nothing,b a=c,d=%0a,e=",
        ),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "yes"),
        ("OTEL_SDK_DISABLED", "1"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.1"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "-1"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1000001"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2049"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "all"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=b,c,d=%zz"),
        ("OTEL_PROPAGATORS", "b3"),
    ]);
    let names: Vec<&str> = told.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(
        names,
        [
            "OTEL_SDK_DISABLED",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "OTEL_EXPORTER_OTLP_INSECURE",
            "OTEL_EXPORTER_OTLP_HEADERS",
            "OTEL_EXPORTER_OTLP_HEADERS",
            "OTEL_EXPORTER_OTLP_HEADERS",
            "OTEL_EXPORTER_OTLP_HEADERS",
            "OTEL_EXPORTER_OTLP_COMPRESSION",
            "OTEL_TRACES_SAMPLER",
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            "OTEL_BSP_SCHEDULE_DELAY",
            "OTEL_BSP_EXPORT_TIMEOUT",
            "OTEL_BSP_MAX_QUEUE_SIZE",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
            "OTEL_PROPAGATORS",
            "OTEL_RESOURCE_ATTRIBUTES",
            "OTEL_RESOURCE_ATTRIBUTES",
        ],
        "{told:#?}"
    );
    let message = Problems(told).to_string();
    assert!(
        message.contains("`http/json`, and can be `grpc`, `http/protobuf`"),
        "{message}"
    );
    assert!(!message.contains("abc"), "a header may be a token: {message}");
}

#[test]
fn an_argument_that_the_sampler_does_not_take_is_a_problem() {
    for (sampler, share) in [
        ("", "0.1"),
        ("always_on", "0.1"),
        ("traceidratio", "1.1"),
        ("traceidratio", "NaN"),
        ("parentbased_traceidratio", "a tenth"),
    ] {
        let told = problems(&[
            ("OTEL_TRACES_SAMPLER", sampler),
            ("OTEL_TRACES_SAMPLER_ARG", share),
        ]);
        assert!(
            matches!(&told[..], [only] if only.starts_with("OTEL_TRACES_SAMPLER_ARG ")),
            "{told:?}"
        );
    }
    wanted(&[("OTEL_TRACES_SAMPLER", "traceidratio")]);
}

#[test]
fn an_address_is_one_that_the_protocol_can_speak_to() {
    const HTTP: (&str, &str) = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    let at = |endpoint, more: &[(&str, &str)]| {
        given(&[&GRPC, &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)][..], more].concat())
    };
    for bad in [
        "collector",
        "unix:///tmp/socket",
        "http://",
        "http://a b",
        "://",
        "ftp://x",
    ] {
        let (grpc, http) = (
            at(bad, &[("OTEL_EXPORTER_OTLP_INSECURE", "true")]),
            at(bad, &[HTTP]),
        );
        let told = http.unwrap_err().to_string();
        assert!(
            told.contains("OTEL_EXPORTER_OTLP_ENDPOINT is no address"),
            "{told}"
        );
        assert!(grpc.is_err() || bad == "collector", "{bad}");
    }
    let told = at("https://collector:4318", &[HTTP]).unwrap_err().to_string();
    assert!(told.contains("needs OTEL_EXPORTER_OTLP_PROTOCOL=grpc"), "{told}");
    let told = at("http://user:hunter2@collector:4317", &[])
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("OTEL_EXPORTER_OTLP_HEADERS") && !told.contains("hunter2"),
        "{told}"
    );

    let encrypted = |wanted: Result<Option<Wanted>, Problems>| match wanted.unwrap().unwrap().collector {
        Collector::Grpc { tls, .. } => tls.is_some(),
        Collector::Http(_) => panic!("gRPC was asked for"),
    };
    assert!(encrypted(at("https://collector:4317", &[])));
    assert!(encrypted(at("collector:4317", &[])));
    let insecure = ("OTEL_EXPORTER_OTLP_INSECURE", "true");
    assert!(!encrypted(at("collector:4317", &[insecure])));
    assert!(
        encrypted(at("https://collector:4317", &[insecure])),
        "a scheme goes before"
    );
}

#[test]
fn certificates_are_files_for_https() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("both.pem").display().to_string();
    let (missing, empty) = (format!("{file}.not"), format!("{file}.empty"));
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    let both = cert.pem() + &signing_key.serialize_pem();
    fs::write(&file, &both).unwrap();
    fs::write(&empty, "PEM").unwrap();
    let https = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4317");
    let told = problems(&[
        https,
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", &missing),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", &file),
    ]);
    assert!(
        told[0].contains("needs its certificate")
            && told[1].contains("CERTIFICATE names a file that cannot be read"),
        "{told:?}"
    );
    let told = problems(&[
        https,
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", &empty),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &file),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", &empty),
    ]);
    assert!(
        told[0].contains("CLIENT_KEY names a file that holds no private key")
            && told[1].contains("holds no certificate"),
        "{told:?}"
    );
    let told = problems(&[("OTEL_EXPORTER_OTLP_CERTIFICATE", &file)]);
    assert!(told[0].contains("are for `https://`"), "{told:?}");
    let read = wanted(&[
        https,
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", &file),
        ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", &file),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &file),
    ]);
    let Collector::Grpc { tls: Some(tls), .. } = read.collector else {
        panic!("no certificates: {read:?}")
    };
    assert_eq!(
        (tls.ca.as_deref(), tls.identity),
        (Some(both.as_str()), Some((both.clone(), both.clone())))
    );
}

#[test]
fn the_server_is_named_by_the_environment_or_by_itself() {
    assert_eq!(attribute(&wanted(&[]), "service.name").unwrap(), "signalbox");
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a%2Cb, k = v ");
    let read = wanted(&[attributes]);
    assert_eq!(attribute(&read, "service.name").unwrap(), "a,b");
    assert_eq!(attribute(&read, "k").unwrap(), "v");
    let read = wanted(&[attributes, ("OTEL_SERVICE_NAME", "named")]);
    assert_eq!(attribute(&read, "service.name"), None, "left to the SDK");
}

#[test]
fn a_form_of_context_that_is_not_read_is_told() {
    let with = |list| wanted(&[("OTEL_PROPAGATORS", list)]);
    assert!(with("tracecontext,baggage").warnings.is_empty());
    assert!(with("b3, tracecontext").warnings[0].contains("`b3` is not read"));
    assert!(with("tracecontext,b3").parents);
    for none in ["none", "baggage"] {
        let read = with(none);
        assert!(!read.parents && read.warnings.is_empty(), "{none}");
    }
    let read = wanted(&[("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "10")]);
    assert_eq!(
        read.warnings,
        ["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT is not read"]
    );
}
