//! Reads the compiled descriptors and holds the proto files to their own rules.

use std::collections::BTreeMap;

use prost::Message as _;
use prost_types::{
    DescriptorProto, FileDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
    method_options::IdempotencyLevel,
};

use crate::{FILE_DESCRIPTOR_SET, SERVICE_NAME, codes};

fn files() -> Vec<FileDescriptorProto> {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    set.file
        .into_iter()
        .filter(|file| file.package() == "signalbox.v1")
        .collect()
}

fn messages() -> BTreeMap<String, DescriptorProto> {
    files()
        .into_iter()
        .flat_map(|file| file.message_type)
        .map(|m| (m.name().to_owned(), m))
        .collect()
}

/// Every element that needs a comment, as (path of numbers in the descriptor, name).
fn elements(file: &FileDescriptorProto) -> Vec<(Vec<i32>, String)> {
    let mut out = Vec::new();
    for (m, message) in (0..).zip(&file.message_type) {
        out.push((vec![4, m], message.name().to_owned()));
        assert!(message.enum_type.is_empty(), "{}: nested enum", message.name());
        assert!(
            message
                .nested_type
                .iter()
                .all(|n| n.options.as_ref().is_some_and(|o| o.map_entry()))
        );
        for (f, field) in (0..).zip(&message.field) {
            out.push((vec![4, m, 2, f], format!("{}.{}", message.name(), field.name())));
        }
    }
    for (e, enumeration) in (0..).zip(&file.enum_type) {
        out.push((vec![5, e], enumeration.name().to_owned()));
        for (v, value) in (0..).zip(&enumeration.value) {
            out.push((vec![5, e, 2, v], value.name().to_owned()));
        }
    }
    for (s, service) in (0..).zip(&file.service) {
        out.push((vec![6, s], service.name().to_owned()));
        for (m, method) in (0..).zip(&service.method) {
            out.push((vec![6, s, 2, m], method.name().to_owned()));
        }
    }
    out
}

fn comment<'a>(file: &'a FileDescriptorProto, path: &[i32]) -> &'a str {
    let info = file
        .source_code_info
        .as_ref()
        .expect("the descriptors carry comments");
    info.location
        .iter()
        .find(|location| location.path == path)
        .map_or("", |l| l.leading_comments())
}

#[test]
fn every_message_field_enum_value_and_rpc_is_documented() {
    let mut seen = 0;
    for file in files() {
        for (path, name) in elements(&file) {
            assert!(
                comment(&file, &path).trim().len() > 5,
                "{}: {name} has no comment",
                file.name()
            );
            seen += 1;
        }
    }
    assert!(seen > 200, "only {seen} elements were looked at");
}

#[test]
fn the_four_fixed_numbers_never_change() {
    let messages = messages();
    for (message, field, number, kind) in [
        ("RouteRequest", "request_id", 1, Type::String),
        ("RouteRequest", "messages", 2, Type::Message),
        ("Message", "role", 1, Type::Enum),
        ("Message", "content", 2, Type::String),
    ] {
        let found = messages[message]
            .field
            .iter()
            .find(|f| f.name() == field)
            .expect(field);
        assert_eq!(
            (found.number(), found.r#type()),
            (number, kind),
            "{message}.{field}"
        );
    }
}

#[test]
fn field_numbers_run_from_one_without_holes() {
    for (name, message) in messages() {
        let mut numbers: Vec<i32> = message.field.iter().map(|field| field.number()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<i32>>(), "{name}");
        assert!(message.reserved_range.is_empty(), "{name}");
    }
}

#[test]
fn every_enum_starts_with_unspecified_and_prefixes_its_values() {
    for enumeration in files().into_iter().flat_map(|file| file.enum_type) {
        let zero = &enumeration.value[0];
        assert_eq!(zero.number(), 0, "{}", enumeration.name());
        let prefix = zero
            .name()
            .strip_suffix("UNSPECIFIED")
            .expect("zero ends in UNSPECIFIED");
        assert_eq!(
            prefix.replace('_', "").to_lowercase(),
            enumeration.name().to_lowercase()
        );
        assert!(
            enumeration
                .value
                .iter()
                .all(|value| value.name().starts_with(prefix)),
            "{prefix}"
        );
    }
}

#[test]
fn durations_are_named_so_and_nothing_else_is() {
    for (name, message) in messages() {
        for field in &message.field {
            let is_duration = field.type_name() == ".google.protobuf.Duration";
            assert_eq!(
                field.name().ends_with("_duration"),
                is_duration,
                "{name}.{}",
                field.name()
            );
            let is_time = field.type_name() == ".google.protobuf.Timestamp";
            assert_eq!(field.name().ends_with("time"), is_time, "{name}.{}", field.name());
        }
    }
}

#[test]
fn a_fraction_says_whether_it_is_set() {
    for (name, message) in messages() {
        for field in message.field.iter().filter(|f| f.r#type() == Type::Double) {
            assert_ne!(field.label(), Label::Repeated, "{name}.{}", field.name());
            assert!(
                field.proto3_optional(),
                "{name}.{} must be optional",
                field.name()
            );
        }
    }
}

#[test]
fn route_is_free_of_side_effects_and_the_five_calls_are_there() {
    let service = files()
        .into_iter()
        .flat_map(|file| file.service)
        .next()
        .expect("one service");
    assert_eq!(format!("signalbox.v1.{}", service.name()), SERVICE_NAME);
    let names: Vec<&str> = service.method.iter().map(|method| method.name()).collect();
    assert_eq!(
        names,
        ["Route", "Explain", "ReloadPolicy", "GetPolicy", "ReportOutcome"]
    );
    let level = service.method[0]
        .options
        .as_ref()
        .expect("options")
        .idempotency_level();
    assert_eq!(level, IdempotencyLevel::NoSideEffects);
}

#[test]
fn the_published_words_stand_in_the_manual() {
    let files = files();
    let manual = |name: &str| {
        let found = files.iter().find_map(|file| {
            let path = elements(file).into_iter().find(|(_, element)| element == name)?.0;
            Some(comment(file, &path).to_owned())
        });
        found.expect(name)
    };
    for (element, words) in [
        ("Degradation.code", &codes::degraded::ALL[..]),
        ("RouterService", &codes::reason::ALL[..]),
    ] {
        let text = manual(element);
        for word in words {
            assert!(
                text.contains(&format!("`{word}`")),
                "{element} does not mention `{word}`"
            );
        }
    }
}
