//! The description as a JSON Schema (draft 2020-12), for editors. Generated, never written by hand: what `check` refuses
//! in shape, the schema refuses too, and nothing else.

use serde_json::{Map, Value, json};

use super::{Field, Kind, Object, POLICY, Text};

/// The schema of our own policy format.
pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    define(&POLICY, &mut definitions);
    let mut schema = definitions.remove(POLICY.name).unwrap_or_default();
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Signalbox policy");
    schema["$defs"] = Value::Object(definitions);
    // Builds differ in whether an object keeps the order it was written in; the schema is the same in all of them.
    schema.sort_all_objects();
    schema
}

/// Adds an object, and what it consists of, to the definitions.
fn define(object: &'static Object, definitions: &mut Map<String, Value>) {
    if definitions.contains_key(object.name) {
        return;
    }
    // Holds the place, so that a description that contains itself would end.
    definitions.insert(object.name.into(), Value::Null);
    let mut properties = Map::new();
    for field in object.fields {
        properties.insert(field.name.into(), described(field, definitions));
    }
    let required: Vec<_> = object
        .fields
        .iter()
        .filter(|f| f.required)
        .map(|f| f.name)
        .collect();
    let mut schema = json!({
        "type": "object",
        "description": object.doc,
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if !object.one_of.is_empty() {
        schema["oneOf"] = object
            .one_of
            .iter()
            .map(|name| json!({"required": [name]}))
            .collect();
    }
    definitions.insert(object.name.into(), schema);
}

fn described(field: &Field, definitions: &mut Map<String, Value>) -> Value {
    let mut schema = schema_of(&field.kind, definitions);
    schema["description"] = field.doc.into();
    if let Some(default) = field
        .default
        .and_then(|text| serde_json::from_str::<Value>(text).ok())
    {
        schema["default"] = default;
    }
    schema
}

fn schema_of(kind: &Kind, definitions: &mut Map<String, Value>) -> Value {
    match kind {
        Kind::Text(rule) => text(*rule),
        Kind::Integer { min, max } if min == max => json!({"const": min}),
        Kind::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Kind::Number {
            min,
            max,
            above: true,
        } => {
            json!({"type": "number", "exclusiveMinimum": min, "maximum": max})
        }
        Kind::Number {
            min,
            max,
            above: false,
        } => json!({"type": "number", "minimum": min, "maximum": max}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Null => json!({"type": "null"}),
        Kind::Words(words) => {
            let one = |word: &super::Word| json!({"const": word.word, "description": word.doc});
            json!({"oneOf": words.iter().map(one).collect::<Value>()})
        }
        Kind::List { of, min } => {
            let mut schema = json!({"type": "array", "items": schema_of(of, definitions)});
            if *min > 0 {
                schema["minItems"] = json!(min);
            }
            schema
        }
        Kind::Map(of) => json!({"type": "object", "additionalProperties": schema_of(of, definitions)}),
        Kind::Object(object) => {
            define(object, definitions);
            json!({"$ref": format!("#/$defs/{}", object.name)})
        }
        Kind::Either(kinds) => {
            json!({"anyOf": kinds.iter().map(|kind| schema_of(kind, definitions)).collect::<Value>()})
        }
    }
}

fn text(rule: Text) -> Value {
    let mut schema = json!({"type": "string"});
    match rule {
        Text::Any => {}
        Text::Filled => schema["pattern"] = json!(r"\S"),
        Text::Name | Text::Id => {
            // No control character anywhere, something visible somewhere; without lookahead, which not every reader has.
            schema["pattern"] = json!(
                r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"
            );
            schema["maxLength"] = json!(rule.most());
        }
    }
    schema
}
