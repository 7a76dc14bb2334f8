//! What becomes of every way in which a policy file changes. Each test waits for a state, not for a time; where nothing
//! may happen, a second change that must show is made after the first.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::*;
use crate::engine::ring::Ring;
use crate::store::{Compiler, ReloadOptions, Store};

mod tenants;

const LIMIT: u64 = 2_000;

/// A watched policy.
struct Watched {
    directory: tempfile::TempDir,
    policies: Arc<Policies>,
    store: Arc<Store>,
    watcher: Watcher,
}

fn policy(version: u64) -> String {
    format!("schema: 1\nversion: {version}\ndefault: a\nmodels: [{{id: a}}]\n")
}

/// A directory made by `lay_out`, and a watch on `path` in it once its first policy is in force.
fn watch(path: &str, lay_out: impl FnOnce(&Path)) -> Watched {
    let directory = tempfile::tempdir().unwrap();
    lay_out(directory.path());
    let source = PolicySource::path(directory.path().join(path), LIMIT);
    let ring = Arc::new(Ring::new(0));
    let policies = Arc::new(Policies::new(Compiler::new().unwrap(), ring));
    let store = policies.everyone().clone();
    let (bytes, name) = source.read().unwrap();
    store.reload(&bytes, &name, &ReloadOptions::default()).unwrap();
    load_tenants(&policies, &source).unwrap();
    let options = WatchOptions {
        poll: Duration::from_millis(20),
        debounce: Duration::from_millis(5),
    };
    let watcher = Watcher::start(Arc::new(source), policies.clone(), options);
    Watched {
        directory,
        policies,
        store,
        watcher,
    }
}

fn watch_file() -> Watched {
    watch("policy.yaml", |directory| {
        fs::write(directory.join("policy.yaml"), policy(1)).unwrap()
    })
}

impl Watched {
    fn file(&self) -> PathBuf {
        self.directory.path().join("policy.yaml")
    }

    fn version(&self) -> u64 {
        self.store.current().unwrap().info.version
    }

    async fn until(&self, what: &str, holds: impl Fn(&Store) -> bool) {
        let start = Instant::now();
        while !holds(&self.store) {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "{what}: still not after 20 s"
            );
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn until_version(&self, version: u64) {
        self.until(&format!("version {version}"), |store| {
            store.current().unwrap().info.version == version && store.last_error().is_none()
        })
        .await;
    }

    async fn until_failure(&self) {
        self.until("a failure", |store| store.last_error().is_some())
            .await;
    }

    fn failure(&self) -> String {
        let error = self.store.last_error().unwrap();
        error
            .diagnostics
            .iter()
            .map(|found| found.message.clone())
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// Kubernetes' layout: `policy.yaml -> ..data/policy.yaml`, `..data -> ..N`.
fn config_map(directory: &Path, generation: u32, text: &str) {
    let name = format!("..{generation}");
    fs::create_dir(directory.join(&name)).unwrap();
    fs::write(directory.join(&name).join("policy.yaml"), text).unwrap();
    symlink(&name, directory.join("..data_tmp")).unwrap();
    fs::rename(directory.join("..data_tmp"), directory.join("..data")).unwrap();
    let file = directory.join("policy.yaml");
    if !file.is_symlink() {
        symlink("..data/policy.yaml", file).unwrap();
    }
    if let Some(last) = generation.checked_sub(1) {
        let _ = fs::remove_dir_all(directory.join(format!("..{last}")));
    }
}

#[tokio::test]
async fn a_write_in_place_is_taken_over() {
    let watched = watch_file();
    fs::write(watched.file(), policy(2)).unwrap();
    watched.until_version(2).await;
}

#[tokio::test]
async fn an_editor_that_renames_is_followed_more_than_once() {
    let watched = watch_file();
    for version in 2..5 {
        let draft = watched.directory.path().join(".policy.yaml.swp");
        fs::write(&draft, policy(version)).unwrap();
        fs::rename(&draft, watched.file()).unwrap();
        watched.until_version(version).await;
    }
}

#[tokio::test]
async fn a_deleted_file_keeps_the_policy_and_a_new_one_is_taken_over() {
    let watched = watch_file();
    fs::remove_file(watched.file()).unwrap();
    watched.until_failure().await;
    assert!(
        watched.failure().ends_with("no such file or directory"),
        "{}",
        watched.failure()
    );
    assert_eq!(watched.version(), 1);
    fs::write(watched.file(), policy(2)).unwrap();
    watched.until_version(2).await;
}

#[tokio::test]
async fn a_file_that_comes_back_as_it_was_ends_the_failure() {
    let watched = watch_file();
    fs::remove_file(watched.file()).unwrap();
    watched.until_failure().await;
    fs::write(watched.file(), policy(1)).unwrap();
    watched.until_version(1).await;
}

#[tokio::test]
async fn a_config_map_swap_is_taken_over_through_file_and_directory() {
    for path in ["policy.yaml", "."] {
        let watched = watch(path, |directory| config_map(directory, 0, &policy(1)));
        for generation in 1..4 {
            config_map(
                watched.directory.path(),
                generation,
                &policy(u64::from(generation) + 1),
            );
            watched.until_version(u64::from(generation) + 1).await;
        }
    }
}

#[tokio::test]
async fn a_change_behind_a_link_to_another_directory_is_found_by_looking() {
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("real.yaml");
    fs::write(&target, policy(1)).unwrap();
    let watched = watch("policy.yaml", |directory| {
        symlink(&target, directory.join("policy.yaml")).unwrap()
    });
    fs::write(&target, policy(2)).unwrap();
    watched.until_version(2).await;
}

#[tokio::test]
async fn a_swap_to_equal_bytes_does_nothing() {
    let watched = watch("policy.yaml", |directory| config_map(directory, 0, &policy(1)));
    let before = watched.store.current().unwrap();
    config_map(watched.directory.path(), 1, &policy(1));
    // Several looks pass, of which none may load anything.
    sleep(Duration::from_millis(200)).await;
    assert!(Arc::ptr_eq(&before, &watched.store.current().unwrap()));
    config_map(watched.directory.path(), 2, &policy(2));
    watched.until_version(2).await;
}

#[tokio::test]
async fn an_empty_or_cut_off_file_is_a_failure_and_keeps_the_policy() {
    let watched = watch_file();
    let empty_or_cut = [
        "",
        "\n",
        "schema: 1\nversion: 2\ndefault: a\nmodels: [{id: a",
        "schema: 1\nversion: 2\n",
    ];
    for (round, text) in empty_or_cut.into_iter().enumerate() {
        fs::write(watched.file(), text).unwrap();
        watched.until_failure().await;
        assert_eq!(watched.version(), round as u64 * 10 + 1, "{text:?}");
        let good = (round as u64 + 1) * 10 + 1;
        fs::write(watched.file(), policy(good)).unwrap();
        watched.until_version(good).await;
    }
}

#[tokio::test]
async fn a_bad_policy_is_recorded_with_its_line_and_the_next_good_one_is_taken_over() {
    let watched = watch_file();
    fs::write(
        watched.file(),
        "schema: 1\nversion: 2\ndefault: missing\nmodels: [{id: a}]\n",
    )
    .unwrap();
    watched.until_failure().await;
    let error = watched.store.last_error().unwrap();
    assert_eq!(error.diagnostics[0].line, 3, "{error:?}");
    assert_eq!(watched.version(), 1);
    fs::write(watched.file(), policy(3)).unwrap();
    watched.until_version(3).await;
}

#[tokio::test]
async fn a_loop_of_links_keeps_the_policy() {
    let watched = watch_file();
    fs::remove_file(watched.file()).unwrap();
    symlink("policy.yaml", watched.file()).unwrap();
    watched
        .until("a loop", |store| {
            store
                .last_error()
                .is_some_and(|e| format!("{e:?}").contains("symbolic link"))
        })
        .await;
    assert_eq!(watched.version(), 1);
    fs::remove_file(watched.file()).unwrap();
    fs::write(watched.file(), policy(2)).unwrap();
    watched.until_version(2).await;
}

#[tokio::test]
async fn a_file_that_may_not_be_read_keeps_the_policy() {
    let watched = watch_file();
    fs::set_permissions(watched.file(), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(watched.file()).is_ok() {
        return; // root reads everything
    }
    watched.until_failure().await;
    assert!(
        watched.failure().contains("permission denied"),
        "{}",
        watched.failure()
    );
    assert_eq!(watched.version(), 1);
}

#[tokio::test]
async fn a_file_over_the_limit_keeps_the_policy() {
    let watched = watch_file();
    fs::write(
        watched.file(),
        format!("{}#{}", policy(2), "x".repeat(LIMIT as usize)),
    )
    .unwrap();
    watched.until_failure().await;
    assert!(
        watched.failure().contains("larger than 2000 bytes"),
        "{}",
        watched.failure()
    );
    assert_eq!(watched.version(), 1);
    fs::write(watched.file(), policy(3)).unwrap();
    watched.until_version(3).await;
}

#[tokio::test]
async fn a_pushed_policy_stays_until_the_source_changes() {
    let watched = watch_file();
    watched
        .store
        .reload(policy(9).as_bytes(), "rpc", &ReloadOptions::default())
        .unwrap();
    sleep(Duration::from_millis(200)).await;
    assert_eq!(watched.version(), 9);
    fs::write(watched.file(), policy(2)).unwrap();
    watched.until_version(2).await;
}

#[tokio::test]
async fn being_told_to_reload_brings_the_source_back_at_once() {
    let watched = watch_file();
    watched
        .store
        .reload(policy(9).as_bytes(), "rpc", &ReloadOptions::default())
        .unwrap();
    watched.watcher.reload_now();
    watched.until_version(1).await;
}

#[tokio::test]
async fn half_a_file_is_not_taken_while_its_writer_is_at_work() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policy.yaml");
    fs::write(&file, policy(1)).unwrap();
    let policies = Arc::new(Policies::new(Compiler::new().unwrap(), Arc::new(Ring::new(0))));
    let store = policies.everyone().clone();
    let source = Arc::new(PolicySource::path(&file, LIMIT));
    store
        .reload(
            policy(1).as_bytes(),
            &file.display().to_string(),
            &ReloadOptions::default(),
        )
        .unwrap();
    let debounce = Duration::from_millis(400);
    let options = WatchOptions {
        poll: Duration::from_millis(20),
        debounce,
    };
    let _watcher = Watcher::start(source, policies.clone(), options);
    // Each of these is a valid policy by itself.
    let mut last = Instant::now();
    for version in 2..12 {
        fs::write(&file, policy(version)).unwrap();
        sleep(Duration::from_millis(20)).await;
        if last.elapsed() >= debounce / 2 {
            break; // this machine stalls for so long that the file did stay as it was
        }
        last = Instant::now();
        let seen = store.current().unwrap().info.version;
        assert!(
            seen == 1,
            "version {seen} was taken while {version} was being written"
        );
    }
    fs::write(&file, policy(11)).unwrap();
    let start = Instant::now();
    while store.current().unwrap().info.version != 11 {
        assert!(start.elapsed() < Duration::from_secs(20));
        sleep(Duration::from_millis(20)).await;
    }
}
