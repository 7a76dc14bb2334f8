//! Curves of rules: one decision of the core over the number of rules, and the time to load them.
//!
//! `cargo bench -p signalbox --bench rules`

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use signalbox_decide::policy::load;
use signalbox_decide::{Evidence, Policy, Query, decide};

/// `rules` rules; indexed ones ask for a tenant and a tier, the others compare numbers and test text.
fn policy(rules: usize, indexed: bool) -> String {
    let mut text = String::from("schema: 1\ndefault: a\nmodels: [{id: a}, {id: b}]\nrules:\n");
    if rules == 0 {
        text.push_str("  []\n");
    }
    for n in 0..rules {
        let when = match indexed {
            true => {
                format!(r#"caller.tier == "pro" && caller.tenant == "tenant-{n}" && request.tokens < 1000"#)
            }
            false => format!(
                r#"request.tokens > {} && caller.tenant.contains("x{n}")"#,
                1000 + n
            ),
        };
        text += &format!("  - {{name: r{n}, when: '{when}', use: {{model: b}}}}\n");
    }
    text
}

fn loaded(rules: usize, indexed: bool) -> Policy {
    load(policy(rules, indexed).as_bytes())
        .expect("the policy is sound")
        .policy
}

fn query(tenant: String, input_tokens: u64) -> Query {
    let mut query = Query {
        input_tokens,
        turns: 1,
        ..Query::default()
    };
    query.caller.tenant = tenant;
    query.caller.tier = "pro".into();
    query.caller.labels = [("region".to_owned(), "eu".to_owned())].into();
    query
}

fn by_rules(c: &mut Criterion) {
    let mut group = c.benchmark_group("rules");
    let evidence = Evidence::default();
    for rules in [0, 100, 1_000, 10_000] {
        let indexed = loaded(rules, true);
        let scanned = loaded(rules, false);
        let last = format!("tenant-{}", rules.saturating_sub(1));
        for (name, policy, query) in [
            ("indexed_hit", &indexed, query(last, 100)),
            ("indexed_miss", &indexed, query("nobody".into(), 100)),
            ("scan_first_term_fails", &scanned, query("nobody".into(), 100)),
            ("scan_all_terms", &scanned, query("nobody".into(), 1_000_000)),
        ] {
            group.bench_function(BenchmarkId::new(name, rules), |b| {
                b.iter(|| decide(black_box(policy), black_box(&query), black_box(&evidence)))
            });
        }
    }
}

fn by_load(c: &mut Criterion) {
    let mut group = c.benchmark_group("rules_load");
    group.sample_size(10);
    for rules in [100, 1_000, 10_000] {
        let text = policy(rules, true);
        group.bench_function(BenchmarkId::from_parameter(rules), |b| {
            b.iter(|| load(black_box(text.as_bytes())))
        });
    }
}

criterion_group!(benches, by_rules, by_load);
criterion_main!(benches);
