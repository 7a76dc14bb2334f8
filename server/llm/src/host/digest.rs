//! What makes a model's answers, as one number.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::source::is_of_model;
use super::{Settings, Source};

/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// The SHA-256 over lines as `sha256sum` writes them, one per file in the order of names, and a line of settings. `source`
/// is where the files are. Reads them all: about a second per gigabyte, and they are in memory for the loader.
pub(super) fn digest(source: &Source, settings: &Settings) -> io::Result<String> {
    let mut lines = String::new();
    for (name, path) in files(source)? {
        line(&mut lines, format_args!("{}  {name}", of_file(&path)?));
    }
    let Settings {
        device,
        quantize,
        style,
        ..
    } = settings;
    let quantize = quantize.as_deref().unwrap_or("none").to_lowercase();
    line(
        &mut lines,
        format_args!(
            "{device:?} {quantize} {} {} {} {:?}",
            style.ascii, style.max_tokens, style.older_turn_chars, style.specials
        ),
    );
    Ok(hex(&Sha256::digest(lines)))
}

fn line(lines: &mut String, line: std::fmt::Arguments<'_>) {
    // A String takes everything.
    let _ = writeln!(lines, "{line}");
}

/// The files by name.
fn files(source: &Source) -> io::Result<BTreeMap<String, PathBuf>> {
    let (directory, weights) = match source {
        Source::Directory(directory) => (directory, None),
        Source::Gguf { file, tokenizer } => (tokenizer, Some(file)),
        Source::Hub { .. } => return Err(io::Error::other("it is not on this machine")),
    };
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = name(&path);
        // Weights beside the words of a GGUF file are not its.
        let is_read = is_of_model(&name) && (weights.is_none() || !name.ends_with(".safetensors"));
        if is_read && path.is_file() {
            files.insert(name, path);
        }
    }
    if let Some(file) = weights {
        files.insert(name(file), file.clone());
    }
    Ok(files)
}

fn name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(&chunk[..read]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
