//! `ReloadPolicy` and `GetPolicy`. The store does the work, off the async threads; here it is put on the wire.

use signalbox_api::codes::reason;
use signalbox_api::v1;
use signalbox_decide::policy::diff::{Changes, PolicyDiff};
use signalbox_decide::policy::{Latency, Model, Price};
use signalbox_decide::{Diagnostic, Policy, Severity};
use tonic::{Code, Status};
use tonic_types::FieldViolation;

use crate::grpc::status::Failure;
use crate::grpc::to_proto::{milliseconds, number, timestamp};
use crate::grpc::violations::Violations;
use crate::grpc::{Grpc, blocking, status};
use crate::metrics;
use crate::policy_test::{TestReport, TestResult};
use crate::store::policies::is_tenant;
use crate::store::{LastError, PUSHED, Policies, PolicyInfo, ReloadError, ReloadOptions, ReloadReport};
use crate::watcher::{self, PolicySource};

/// Checks a policy, pushed or read again from the configured source, and puts it in force.
pub(super) async fn reload(
    grpc: &Grpc,
    request: v1::ReloadPolicyRequest,
) -> Result<v1::ReloadPolicyResponse, Status> {
    let v1::ReloadPolicyRequest {
        dry_run,
        expected_checksum,
        policy_yaml,
        run_tests,
        tenant,
    } = request;
    if policy_yaml.is_some() {
        grpc.access.push()?;
    }
    let mut wrong = Violations::default();
    let expected = wrong.checksum("expected_checksum", expected_checksum);
    if !tenant.is_empty() && !is_tenant(&tenant) {
        let advice = "cannot have a policy; give up to 64 of A-Z a-z 0-9 . _ - with a letter or digit first, or leave it empty";
        wrong.add("tenant", advice);
    }
    if !wrong.is_empty() {
        return Err(status::invalid(wrong));
    }
    let expected_checksum = (!expected.is_empty()).then_some(expected);
    let options = ReloadOptions {
        dry_run,
        expected_checksum,
        run_tests,
    };
    let (policies, configured) = (grpc.engine.policies().clone(), grpc.source.clone());
    let done = blocking(move || match policy_yaml {
        Some(yaml) => {
            let store = policies.own_or_new(&tenant);
            let done = store.reload(yaml.as_bytes(), PUSHED, &options);
            // A tenant without a policy of its own keeps to everyone's until a good one comes.
            if done.as_ref().is_ok_and(|report| report.applied) {
                policies.add(&store);
            }
            done
        }
        None => read_again(&policies, &configured, &tenant, &options),
    })
    .await?;
    if !dry_run {
        metrics::reload(done.as_ref().map_or_else(watcher::result_of, |_| "applied"));
    }
    match done {
        Ok(report) => Ok(reloaded(report, dry_run)),
        // Only a source that cannot be read ends here: the store reports every other problem of a dry run itself.
        Err(ReloadError::Invalid(diagnostics)) if dry_run => {
            let diagnostics = diagnostics.iter().map(diagnostic).collect();
            Ok(v1::ReloadPolicyResponse {
                diagnostics,
                ..v1::ReloadPolicyResponse::default()
            })
        }
        Err(error) => Err(failed(error)),
    }
}

/// Takes over what the configured source holds for a tenant, or that it holds nothing.
fn read_again(
    policies: &Policies,
    source: &PolicySource,
    tenant: &str,
    options: &ReloadOptions,
) -> Result<ReloadReport, ReloadError> {
    let listing = source.list();
    if let Ok(listing) = &listing
        && !listing.has(tenant)
    {
        return policies.give_up(tenant, options);
    }
    let store = policies.own_or_new(tenant);
    let done = match listing.and_then(|listing| listing.read(tenant)) {
        Ok((bytes, name)) => store.reload(&bytes, &name, options),
        Err(error) => {
            let problem = watcher::unreadable(&error.to_string());
            if !options.dry_run {
                store.unreadable(problem.clone());
            }
            Err(ReloadError::Invalid(vec![problem]))
        }
    };
    // A tenant with a bad file goes by nothing else.
    if !options.dry_run && matches!(done, Ok(_) | Err(ReloadError::Invalid(_))) {
        policies.add(&store);
    }
    done
}

/// Which policy is in force for a tenant.
pub(super) fn get(grpc: &Grpc, tenant: &str) -> Result<v1::GetPolicyResponse, Status> {
    let store = grpc.engine.policies().of(tenant);
    let last_error = store.last_error().map(|error| last_error(&error));
    if store.current().is_none() && !store.tenant().is_empty() {
        return Ok(v1::GetPolicyResponse {
            tenant: store.tenant().to_owned(),
            last_error,
            ..v1::GetPolicyResponse::default()
        });
    }
    let snapshot = store
        .current()
        .ok_or_else(|| status::engine(crate::engine::EngineError::NoPolicy))?;
    let (policy, info) = (&*snapshot.policy, &snapshot.info);
    let ids = |models: &[usize]| {
        models
            .iter()
            .map(|&model| policy.models[model].id.clone())
            .collect()
    };
    let routes = policy.routes.iter().map(|route| v1::PolicyRoute {
        name: route.name.clone(),
        domain: route
            .domain
            .map(|domain| policy.domains[domain].name.clone())
            .unwrap_or_default(),
        description: route.description.clone(),
        model_ids: ids(&route.models),
    });
    let aliases = policy.aliases.iter().map(|(name, models)| v1::PolicyAlias {
        name: name.clone(),
        model_ids: ids(models),
    });
    Ok(v1::GetPolicyResponse {
        version: info.version,
        checksum: info.checksum.clone(),
        source: info.source.clone(),
        load_time: Some(timestamp(info.load_time)),
        last_error,
        models: policy
            .models
            .iter()
            .map(|model| self::model(policy, model))
            .collect(),
        routes: routes.collect(),
        aliases: aliases.collect(),
        tenant: info.tenant.clone(),
        shadow: snapshot.shadow.as_ref().map(|shadow| policy_info(&shadow.info)),
    })
}

fn model(policy: &Policy, model: &Model) -> v1::PolicyModel {
    let route_quality = model
        .quality_by_route
        .iter()
        .map(|&(route, quality)| (policy.routes[route].name.clone(), quality));
    let price = |Price {
                     input,
                     output,
                     cached_input,
                 }: Price| v1::Price {
        input: Some(input),
        output: Some(output),
        cached_input,
    };
    let latency = |Latency {
                       first_token_ms,
                       tokens_per_second,
                   }: Latency| v1::Latency {
        first_token_duration: Some(milliseconds(first_token_ms)),
        tokens_per_second: Some(tokens_per_second),
    };
    v1::PolicyModel {
        id: model.id.clone(),
        family: model.family.clone().unwrap_or_default(),
        parameters_b: model.parameters_b,
        context_window: model.context_window.map(number),
        max_output_tokens: model.max_output_tokens.map(number),
        capabilities: model.capabilities.clone(),
        modalities: model.modalities.clone(),
        price: model.price.map(price),
        latency: model.latency.map(latency),
        quality: model.quality,
        route_quality: route_quality.collect(),
        tiers: model.tiers.clone(),
        regions: model.regions.clone(),
        labels: model.labels.clone(),
    }
}

fn last_error(error: &LastError) -> v1::PolicyError {
    v1::PolicyError {
        checksum: error.checksum.clone(),
        time: Some(timestamp(error.time)),
        diagnostics: error.diagnostics.iter().map(diagnostic).collect(),
    }
}

fn reloaded(report: ReloadReport, dry_run: bool) -> v1::ReloadPolicyResponse {
    let valid = report
        .diagnostics
        .iter()
        .all(|found| found.severity != Severity::Error);
    // Of a dry run, the policy that was checked; it came into force at no time.
    let current = report
        .current
        .filter(|_| valid)
        .map(|current| match (dry_run, policy_info(&current)) {
            (true, checked) => v1::PolicyInfo {
                load_time: None,
                ..checked
            },
            (false, loaded) => loaded,
        });
    let failed = report.tests.iter().flat_map(failed_tests);
    let diagnostics = report.diagnostics.iter().map(diagnostic).chain(failed).collect();
    let churn = v1::Churn {
        decisions: report.churn.decisions,
        changed: report.churn.changed,
        undecidable: report.churn.undecidable,
    };
    let tests = report.tests.as_ref().map(|tests| v1::PolicyTests {
        passed: number(tests.passed() as u64),
        failed: number(tests.failed() as u64),
    });
    v1::ReloadPolicyResponse {
        applied: report.applied,
        previous: report.previous.as_ref().map(policy_info),
        current,
        diagnostics,
        diff: report.diff.map(diff),
        churn: Some(churn),
        tests,
    }
}

fn policy_info(info: &PolicyInfo) -> v1::PolicyInfo {
    v1::PolicyInfo {
        version: info.version,
        checksum: info.checksum.clone(),
        load_time: Some(timestamp(info.load_time)),
        source: info.source.clone(),
        tenant: info.tenant.clone(),
    }
}

fn diagnostic(found: &Diagnostic) -> v1::Diagnostic {
    let severity = match found.severity {
        Severity::Error => v1::Severity::Error,
        Severity::Warning => v1::Severity::Warning,
        Severity::Info => v1::Severity::Info,
    };
    v1::Diagnostic {
        severity: severity.into(),
        code: found.code.to_owned(),
        path: found.path.clone(),
        line: found.line,
        column: found.column,
        message: found.message.clone(),
        hint: found.hint.clone(),
    }
}

/// A test that fails is an error of the policy.
fn failed_tests(report: &TestReport) -> Vec<v1::Diagnostic> {
    let failed = report
        .results
        .iter()
        .enumerate()
        .filter(|(_, result)| !result.failures.is_empty());
    let diagnostic = |(index, result): (usize, &TestResult)| v1::Diagnostic {
        severity: v1::Severity::Error.into(),
        code: "test_failed".to_owned(),
        path: format!("tests[{index}]"),
        line: result.line,
        column: 0,
        message: format!("test `{}` fails: {}", result.name, result.failures.join("; ")),
        hint: "change the policy, or what the test wants".to_owned(),
    };
    failed.map(diagnostic).collect()
}

fn diff(diff: PolicyDiff) -> v1::PolicyDiff {
    let names = |Changes {
                     added,
                     removed,
                     changed,
                 }| {
        Some(v1::NameDiff {
            added,
            removed,
            changed,
        })
    };
    v1::PolicyDiff {
        routes: names(diff.routes),
        models: names(diff.models),
        rules: names(diff.rules),
    }
}

fn failed(error: ReloadError) -> Status {
    let message = error.to_string();
    match error {
        ReloadError::Invalid(diagnostics) => {
            bad_policy(message, diagnostics.iter().map(diagnostic).collect())
        }
        ReloadError::TestsFailed(report) => bad_policy(message, failed_tests(&report)),
        ReloadError::Conflict { expected, current } => status::conflict(&expected, &current),
    }
}

/// The policy is bad: paths into it, the errors first.
pub(super) fn invalid_policy(diagnostics: &[Diagnostic]) -> Status {
    let errors = diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .count();
    let message = format!("policy_yaml: the policy has {errors} error(s)");
    bad_policy(message, diagnostics.iter().map(diagnostic).collect())
}

fn bad_policy(mut message: String, mut diagnostics: Vec<v1::Diagnostic>) -> Status {
    let error = i32::from(v1::Severity::Error);
    diagnostics.retain(|found| found.severity == error);
    let violations: Vec<FieldViolation> = diagnostics.iter().map(violation).collect();
    if let Some(first) = violations.first() {
        message = format!("{message}; first: {}: {}", first.field, first.description);
    }
    Failure::new(Code::InvalidArgument, reason::INVALID_POLICY, message)
        .violations(violations, 0)
        .status()
}

/// `line:column: message (hint)` at its path.
fn violation(found: &v1::Diagnostic) -> FieldViolation {
    let mut description = String::new();
    if found.line > 0 {
        description = format!("{}:{}: ", found.line, found.column);
    }
    description.push_str(&found.message);
    if !found.hint.is_empty() {
        description.push_str(&format!(" ({})", found.hint));
    }
    FieldViolation::new(&found.path, description)
}
