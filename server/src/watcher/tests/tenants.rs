//! What becomes of changes in a directory of tenants' policies.

use super::*;

/// Everyone's is version 1, that of `acme` 11, that of `globex` 21.
fn watch_directory() -> Watched {
    watch(".", |directory| {
        for (name, version) in [("default", 1), ("acme", 11), ("globex", 21)] {
            fs::write(directory.join(format!("{name}.yaml")), policy(version)).unwrap();
        }
    })
}

impl Watched {
    fn of(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The version that a tenant goes by.
    fn version_of(&self, tenant: &str) -> Option<u64> {
        Some(self.policies.of(tenant).current()?.info.version)
    }

    async fn until_tenant(&self, tenant: &str, version: Option<u64>) {
        self.until(&format!("{tenant} with {version:?}"), |_| {
            self.version_of(tenant) == version
        })
        .await;
    }
}

#[tokio::test]
async fn a_change_of_one_tenants_file_loads_that_one_alone() {
    let watched = watch_directory();
    let others = ["", "globex"].map(|tenant| watched.policies.of(tenant).current().unwrap());
    fs::write(watched.of("acme.yaml"), policy(12)).unwrap();
    watched.until_tenant("acme", Some(12)).await;
    for (tenant, before) in ["", "globex"].iter().zip(others) {
        let now = watched.policies.of(tenant).current().unwrap();
        assert!(Arc::ptr_eq(&before, &now), "{tenant}");
    }
}

#[tokio::test]
async fn a_file_that_comes_and_goes_gives_its_tenant_a_policy_and_takes_it_back() {
    let watched = watch_directory();
    assert_eq!(watched.version_of("initech"), Some(1));
    for version in [31, 32] {
        fs::write(watched.of("initech.yml"), policy(version)).unwrap();
        watched.until_tenant("initech", Some(version)).await;
        fs::remove_file(watched.of("initech.yml")).unwrap();
        watched.until_tenant("initech", Some(1)).await;
    }
    assert!(watched.policies.own("initech").is_none());
    assert_eq!(watched.version_of("acme"), Some(11));
}

#[tokio::test]
async fn an_editor_that_renames_and_one_that_deletes_first_are_followed() {
    let watched = watch_directory();
    for version in 12..15 {
        fs::write(watched.of(".acme.yaml.swp"), policy(version)).unwrap();
        fs::rename(watched.of(".acme.yaml.swp"), watched.of("acme.yaml")).unwrap();
        watched.until_tenant("acme", Some(version)).await;
    }
    fs::remove_file(watched.of("acme.yaml")).unwrap();
    fs::write(watched.of("acme.yaml"), policy(15)).unwrap();
    watched.until_tenant("acme", Some(15)).await;
}

#[tokio::test]
async fn a_bad_file_keeps_its_tenants_last_good_policy_and_is_nothing_to_the_others() {
    let watched = watch_directory();
    for bad in ["schema: 1\n", "", "schema: 1\ndefault: a\nmodels: [{id: a"] {
        fs::write(watched.of("acme.yaml"), bad).unwrap();
        let acme = watched.policies.of("acme");
        watched.until("a failure", |_| acme.last_error().is_some()).await;
        assert!(watched.version_of("acme").unwrap() >= 11);
        assert!(watched.store.last_error().is_none() && watched.policies.of("globex").last_error().is_none());
        fs::write(watched.of("acme.yaml"), policy(12)).unwrap();
        watched
            .until("the end of it", |_| acme.last_error().is_none())
            .await;
    }
    assert_eq!(watched.version_of("acme"), Some(12));
}

#[tokio::test]
async fn a_new_file_that_is_bad_leaves_its_tenant_without_any_policy_until_it_is_mended() {
    let watched = watch_directory();
    fs::write(watched.of("initech.yaml"), "schema: 1\n").unwrap();
    watched.until_tenant("initech", None).await;
    fs::write(watched.of("initech.yaml"), policy(31)).unwrap();
    watched.until_tenant("initech", Some(31)).await;
    fs::write(watched.of("initech.yml"), policy(32)).unwrap();
    let initech = watched.policies.of("initech");
    watched
        .until("two files", |_| initech.last_error().is_some())
        .await;
    assert_eq!(watched.version_of("initech"), Some(31));
}

#[tokio::test]
async fn a_broken_link_is_no_policy_that_went_away() {
    let watched = watch_directory();
    fs::remove_file(watched.of("acme.yaml")).unwrap();
    symlink("nowhere", watched.of(".new")).unwrap();
    fs::rename(watched.of(".new"), watched.of("acme.yaml")).unwrap();
    let acme = watched.policies.of("acme");
    watched.until("a failure", |_| acme.last_error().is_some()).await;
    assert_eq!(watched.version_of("acme"), Some(11));
}

#[tokio::test]
async fn a_directory_that_is_gone_takes_nothing_away() {
    let watched = watch("policies", |directory| {
        fs::create_dir(directory.join("policies")).unwrap();
        fs::write(directory.join("policies/default.yaml"), policy(1)).unwrap();
        fs::write(directory.join("policies/acme.yaml"), policy(11)).unwrap();
    });
    fs::rename(watched.of("policies"), watched.of("elsewhere")).unwrap();
    watched.until_failure().await;
    assert_eq!(
        (watched.version_of(""), watched.version_of("acme")),
        (Some(1), Some(11))
    );
    fs::write(watched.of("elsewhere/acme.yaml"), policy(12)).unwrap();
    fs::rename(watched.of("elsewhere"), watched.of("policies")).unwrap();
    watched.until_tenant("acme", Some(12)).await;
    watched.until_version(1).await;
}

#[tokio::test]
async fn a_config_map_swap_changes_adds_and_removes_tenants() {
    let files = |directory: &Path, generation: u64, tenants: &[&str]| {
        let name = format!("..{generation}");
        fs::create_dir(directory.join(&name)).unwrap();
        for tenant in tenants {
            let file = directory.join(&name).join(format!("{tenant}.yaml"));
            fs::write(file, policy(100 * generation + tenant.len() as u64)).unwrap();
        }
        symlink(&name, directory.join("..data_tmp")).unwrap();
        fs::rename(directory.join("..data_tmp"), directory.join("..data")).unwrap();
        for tenant in tenants {
            let link = directory.join(format!("{tenant}.yaml"));
            if !link.is_symlink() {
                symlink(format!("..data/{tenant}.yaml"), link).unwrap();
            }
        }
    };
    let watched = watch(".", |directory| {
        files(directory, 1, &["default", "acme", "globex"])
    });
    assert_eq!(watched.version_of("acme"), Some(104));
    // The kubelet swaps first and then takes away the links that lead nowhere.
    files(watched.directory.path(), 2, &["default", "globex", "initech"]);
    fs::remove_file(watched.of("acme.yaml")).unwrap();
    watched.until_tenant("globex", Some(206)).await;
    watched.until_tenant("initech", Some(207)).await;
    watched.until_tenant("acme", Some(207)).await;
    assert!(watched.policies.own("acme").is_none());
}

#[tokio::test]
async fn a_policy_that_was_pushed_for_a_tenant_stays_until_all_is_read_again() {
    let watched = watch_directory();
    let pushed = watched.policies.own_or_new("initech");
    pushed
        .reload(policy(9).as_bytes(), "rpc", &ReloadOptions::default())
        .unwrap();
    watched.policies.add(&pushed);
    fs::write(watched.of("acme.yaml"), policy(12)).unwrap();
    watched.until_tenant("acme", Some(12)).await;
    assert_eq!(watched.version_of("initech"), Some(9));
    watched.watcher.reload_now();
    watched.until_tenant("initech", Some(1)).await;
}

#[tokio::test]
async fn a_change_of_a_shadows_file_loads_its_policy_again() {
    let with_shadow = |version| format!("{}shadow: {{policy: next.shadow}}\n", policy(version));
    let watched = watch(".", |directory| {
        fs::write(directory.join("default.yaml"), policy(1)).unwrap();
        fs::write(directory.join("acme.yaml"), with_shadow(11)).unwrap();
        fs::write(directory.join("next.shadow"), policy(100)).unwrap();
    });
    let acme = watched.policies.of("acme");
    let shadow = || Some(acme.current()?.shadow.as_ref()?.info.version);
    assert_eq!(shadow(), Some(100));
    fs::write(watched.of("next.shadow"), policy(101)).unwrap();
    watched.until("the new shadow", |_| shadow() == Some(101)).await;
    fs::write(watched.of("next.shadow"), "schema: 1\n").unwrap();
    watched.until("a failure", |_| acme.last_error().is_some()).await;
    assert_eq!(shadow(), Some(101));
    fs::write(watched.of("next.shadow"), policy(102)).unwrap();
    watched
        .until("a mended shadow", |_| {
            shadow() == Some(102) && acme.last_error().is_none()
        })
        .await;
    fs::remove_file(watched.of("next.shadow")).unwrap();
    watched
        .until("a missing shadow", |_| acme.last_error().is_some())
        .await;
    // The policy is mended, and the shadow is not.
    fs::write(watched.of("acme.yaml"), policy(12)).unwrap();
    watched.until_tenant("acme", Some(12)).await;
    assert_eq!(shadow(), None);
}
