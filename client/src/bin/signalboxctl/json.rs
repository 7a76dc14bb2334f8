//! Messages as proto3 JSON, through their descriptors: the names and the forms (`"0.000250s"`, `"42"` for 64-bit
//! numbers) are those that every other protobuf tool uses. Fields that are not set print their default, so that
//! scripts see one shape.

use anyhow::{Context as _, Result};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

/// `message`, which is `signalbox.v1.{name}`, as indented JSON with a final newline. Keys are sorted.
pub(crate) fn render(name: &str, message: &impl Message) -> Result<String> {
    let pool = DescriptorPool::decode(signalbox_api::FILE_DESCRIPTOR_SET).context("descriptors")?;
    let descriptor = pool
        .get_message_by_name(&format!("signalbox.v1.{name}"))
        .with_context(|| format!("signalbox.v1.{name} is not described"))?;
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?;
    let options = SerializeOptions::new().skip_default_fields(false);
    // Maps come out of `DynamicMessage` in the order of a hash map.
    let mut value = dynamic.serialize_with_options(serde_json::value::Serializer, &options)?;
    value.sort_all_objects();
    Ok(format!("{value:#}\n"))
}
