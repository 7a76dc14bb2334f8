//! How much memory this process may use, by its control group (Linux, versions 1 and 2). The command line reads it at the start,
//! so that what is held in memory by default fits a small container.

use std::fs;
use std::path::Path;

/// The share of the limit that one store takes by default.
const SHARE: u64 = 8;

/// The limit in bytes: the least that the process's control group and those above it set. `None` where there is none, or none
/// can be read.
pub fn limit() -> Option<u64> {
    limit_in(Path::new("/"))
}

/// What a store takes of a `limit` where nobody says, if that is less than `usual` bytes.
pub(super) fn default_bytes(limit: Option<u64>, usual: u64) -> Option<u64> {
    limit.map(|limit| limit / SHARE).filter(|bytes| *bytes < usual)
}

fn limit_in(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let limits = groups.lines().filter_map(|line| {
        // `0::/path` in version 2, `4:memory:/path` in version 1.
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let mount = root.join(mount);
        let own = mount.join(path.trim_start_matches('/'));
        // A container often sees its own group as the root, whatever path it is told.
        let above = own.ancestors().take_while(|folder| folder.starts_with(&mount));
        let read = |folder: &Path| fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok();
        above.filter_map(read).min()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(groups: &str, files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files.iter().chain(&[("proc/self/cgroup", groups)]) {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        limit_in(root.path())
    }

    #[test]
    fn the_least_limit_from_the_group_upwards_counts() {
        let file = |path: &'static str, text: &'static str| (path, text);
        let pod = [
            file("sys/fs/cgroup/pod/memory.max", "1000\n"),
            file("sys/fs/cgroup/pod/box/memory.max", "max\n"),
            file("sys/fs/cgroup/memory.max", "5000\n"),
        ];
        assert_eq!(system("0::/pod/box\n", &pod), Some(1000));
        assert_eq!(system("0::/\n", &pod), Some(5000));
        // The path is the host's, and not seen here.
        assert_eq!(system("0::/kubepods/x\n", &pod), Some(5000));
        let old = [
            file("sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "700"),
            file(
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712",
            ),
        ];
        assert_eq!(
            system("5:cpu,cpuacct:/docker\n4:memory:/docker\n0::/x\n", &old),
            Some(700)
        );
    }

    #[test]
    fn without_a_limit_there_is_none() {
        assert_eq!(system("0::/\n", &[]), None);
        assert_eq!(system("0::/\n", &[("sys/fs/cgroup/memory.max", "max")]), None);
        assert_eq!(system("nonsense", &[("sys/fs/cgroup/memory.max", "7")]), None);
        assert_eq!(limit_in(Path::new("/nowhere")), None);
    }

    #[test]
    fn a_store_takes_no_more_than_its_share() {
        assert_eq!(default_bytes(None, 100), None);
        assert_eq!(default_bytes(Some(800), 100), None);
        assert_eq!(default_bytes(Some(799), 100), Some(99));
    }
}
