//! The fixtures of every method of routing, run as `signalbox policy test` runs them. Each states what its method decides
//! and what it asks for; none may be doubtful.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::path::{Path, PathBuf};

use signalbox_server::policy_test;
use signalbox_server::store::Compiler;

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("decide/fixtures/methods");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_fixture_decides_as_its_tests_say() {
    let compiler = Compiler::new().unwrap();
    let files = fixtures();
    assert!(files.len() >= 27, "{}", files.len());
    let mut failures = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let (snapshot, remarks) = compiler
            .compile(&fs::read(&file).unwrap(), &name, None)
            .unwrap_or_else(|found| panic!("{name}: {found:#?}"));
        failures.extend(remarks.iter().map(|remark| format!("{name}:{remark}")));
        let report = policy_test::run(&snapshot);
        assert!(report.results.len() > 1, "{name} has too few tests");
        let failed = report.results.iter().filter(|result| !result.failures.is_empty());
        failures.extend(
            failed.map(|result| format!("{name}:{}: {}: {:?}", result.line, result.name, result.failures)),
        );
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What switches a method off stands in its fixture: `# off: TEXT -> TEXT THAT TAKES ITS PLACE`.
#[test]
fn a_fixture_fails_without_the_method_that_it_shows() {
    let compiler = Compiler::new().unwrap();
    for file in fixtures() {
        let name = file.display().to_string();
        let whole = fs::read_to_string(&file).unwrap();
        let (comments, policy): (Vec<&str>, Vec<&str>) =
            whole.lines().partition(|line| line.starts_with('#'));
        let policy = policy.join("\n");
        let switches: Vec<&str> = comments
            .iter()
            .filter_map(|line| line.strip_prefix("# off: "))
            .collect();
        assert!(
            !switches.is_empty(),
            "{name} does not say how its method is switched off"
        );
        for switch in switches {
            let (method, without) = switch.split_once(" ->").unwrap();
            assert!(policy.contains(method), "{name}: {method}");
            let changed = policy.replace(method, without.trim_start());
            let (snapshot, _) = compiler
                .compile(changed.as_bytes(), &name, None)
                .unwrap_or_else(|found| panic!("{name}: {switch}: {found:#?}"));
            let report = policy_test::run(&snapshot);
            assert!(report.failed() > 0, "{name}: every test passes after `{switch}`");
        }
    }
}

/// README says of every method where it is shown, and names every fixture.
#[test]
fn the_readme_names_every_fixture_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    for file in fixtures() {
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(
            readme.contains(&format!("`{name}`")),
            "README does not name the fixture `{name}`"
        );
    }
    let table = readme
        .split("| method | fixture |")
        .nth(1)
        .expect("README has the table of methods");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    for name in rows.flat_map(|row| {
        row.rsplit('|')
            .nth(1)
            .unwrap()
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    }) {
        let there = ["decide/fixtures/methods", "examples/policies"]
            .iter()
            .any(|folder| {
                root.join("server")
                    .join(folder)
                    .join(format!("{name}.yaml"))
                    .exists()
            });
        assert!(there, "README names the fixture `{name}`, which does not exist");
    }
}
