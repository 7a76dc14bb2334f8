//! Compiles `proto/` to Rust and to a descriptor set. `protox` parses the files, so no `protoc` is needed.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

const ROOT: &str = "signalbox/v1/router_service.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/signalbox");

    let mut compiler = protox::Compiler::new(["proto"])?;
    // Comments become the Rust documentation, and reflection clients show them.
    compiler
        .include_source_info(true)
        .include_imports(true)
        .open_file(ROOT)?;
    let descriptors = compiler.file_descriptor_set();

    let out = PathBuf::from(env::var("OUT_DIR")?).join("signalbox.v1.bin");
    fs::write(out, descriptors.encode_to_vec())?;

    // Sorted maps: what is written or hashed must not depend on the order of a hash map.
    tonic_prost_build::configure()
        .btree_map(".")
        .compile_fds(descriptors)?;
    Ok(())
}
