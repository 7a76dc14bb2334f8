//! A file of whole lines that is put aside when it is large enough. Lines are appended in one write each batch, so that a
//! process that is killed leaves at most its last line unfinished; a write that fails in the middle is taken back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

/// How far back the end of the last whole line is looked for.
const TAIL_BYTES: u64 = 4 << 20;

/// The file and its older ones.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    max_bytes: u64,
    files: usize,
    /// `None` after a failure: it is opened again with the next batch.
    open: Option<(File, u64)>,
}

impl RotatingFile {
    /// Opens the file for appending, or makes it.
    ///
    /// # Errors
    /// With a message that begins with the path.
    pub(super) fn open(path: PathBuf, max_bytes: u64, files: usize) -> io::Result<Self> {
        let mut file = RotatingFile {
            path,
            max_bytes,
            files,
            open: None,
        };
        file.opened()?;
        Ok(file)
    }

    /// Appends whole lines.
    ///
    /// # Errors
    /// When they cannot be written; then none of them is in the file.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let added = lines.len() as u64;
        let (_, size) = self.opened()?;
        if *size > 0 && *size + added > self.max_bytes {
            self.rotate()?;
        }
        let named = format!("{}", self.path.display());
        let (file, size) = self.opened()?;
        let done = file.write_all(lines);
        match done {
            Ok(()) => {
                *size += added;
                Ok(())
            }
            Err(error) => {
                // What was written of them is no line. Where even this fails, opening the file again sees to it.
                let _ = file.set_len(*size);
                self.open = None;
                Err(io::Error::new(error.kind(), format!("{named}: {error}")))
            }
        }
    }

    fn opened(&mut self) -> io::Result<&mut (File, u64)> {
        let open = match self.open.take() {
            // Somebody who moves or removes the file wants a new one.
            Some(open) if fs::metadata(&self.path).is_ok() => open,
            _ => self
                .reopen()
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.path.display())))?,
        };
        Ok(self.open.insert(open))
    }

    fn reopen(&self) -> io::Result<(File, u64)> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&self.path)?;
        let size = file.metadata()?.len();
        let tail = size.min(TAIL_BYTES);
        file.seek(SeekFrom::Start(size - tail))?;
        let mut end = Vec::new();
        std::io::Read::by_ref(&mut file)
            .take(tail)
            .read_to_end(&mut end)?;
        let whole = end.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1) as u64;
        let torn = tail - whole;
        if torn > 0 && (whole > 0 || tail == size) {
            tracing::warn!(
                "audit: {}: dropped an unfinished line of {torn} bytes",
                self.path.display()
            );
            file.set_len(size - torn)?;
            return Ok((file, size - torn));
        }
        Ok((file, size))
    }

    /// Makes room: the file becomes the first of the older ones, and the oldest goes.
    fn rotate(&mut self) -> io::Result<()> {
        let numbered = |n: usize| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{n}"));
            PathBuf::from(name)
        };
        self.open = None;
        if self.files < 2 {
            return fs::remove_file(&self.path);
        }
        for n in (1..self.files - 1).rev() {
            match fs::rename(numbered(n), numbered(n + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, numbered(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &std::path::Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_put_aside_by_size_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut file = RotatingFile::open(path.clone(), 20, 3).unwrap();
        for n in 0..10 {
            file.append(format!("line {n:04}\n").as_bytes()).unwrap();
        }
        assert_eq!(names(folder.path()), ["log", "log.1", "log.2"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "line 0008\nline 0009\n");
        assert_eq!(
            fs::read_to_string(folder.path().join("log.2")).unwrap(),
            "line 0004\nline 0005\n"
        );
    }

    #[test]
    fn an_unfinished_line_of_a_process_that_was_killed_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "one\ntw").unwrap();
        let mut file = RotatingFile::open(path.clone(), 1000, 3).unwrap();
        file.append(b"three\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\nthree\n");
    }

    #[test]
    fn a_folder_that_goes_and_comes_back_is_an_error_only_while_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("logs");
        fs::create_dir(&inside).unwrap();
        let mut file = RotatingFile::open(inside.join("log"), 1000, 3).unwrap();
        fs::remove_dir_all(&inside).unwrap();
        assert!(file.append(b"lost\n").is_err());
        fs::create_dir(&inside).unwrap();
        file.append(b"kept\n").unwrap();
        assert_eq!(fs::read_to_string(inside.join("log")).unwrap(), "kept\n");
    }

    #[test]
    fn a_disk_that_is_full_leaves_no_part_of_a_line() {
        // Every write to it fails as on a full disk.
        let error = RotatingFile::open("/dev/full".into(), 1000, 3)
            .and_then(|mut file| file.append(b"line\n"))
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}");
    }
}
