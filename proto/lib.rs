//! The Signalbox API: the messages, the tonic client and server of `signalbox.v1.RouterService`, and their
//! descriptors. The server and every client build on it; it holds no behaviour.
//!
//! The manual is the comments in `signalbox/v1/*.proto`, which appear here as documentation. Maps are
//! `BTreeMap`s, so that what is written never depends on the order of a hash map.

pub mod codes;

/// Package `signalbox.v1`, as generated from the proto files.
pub mod v1 {
    #![expect(
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        clippy::large_enum_variant,
        reason = "generated: the proto files are checked instead"
    )]
    tonic::include_proto!("signalbox.v1");
}

/// The encoded `google.protobuf.FileDescriptorSet` of the package with its imports and comments, for reflection
/// and for JSON.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/signalbox.v1.bin"));

/// The full name of the service, as health checks ask for it.
pub const SERVICE_NAME: &str = v1::router_service_server::SERVICE_NAME;

#[cfg(test)]
mod tests;
