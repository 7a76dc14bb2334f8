//! `signalbox healthcheck`: asks the server on the configured address, for container probes that have no other program. Under
//! TLS it would need a name and a certificate of its own; there it asks the listener for metrics.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use signalbox_client::{Client, Health, Options};

use crate::cli::{SettingArgs, print};

/// Probes are usually given one second.
const DEADLINE: Duration = Duration::from_secs(1);

/// Exit code 0 when the server is ready, else 1.
///
/// # Errors
/// When a setting is wrong or the server cannot be reached.
pub fn run(settings: SettingArgs) -> anyhow::Result<ExitCode> {
    let (config, _) = settings.load()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let health = runtime.block_on(async {
        match (&config.tls, config.metrics) {
            (None, _) => over_grpc(config.listen).await,
            (Some(_), Some(metrics)) => over_http(metrics).await,
            (Some(_), None) => anyhow::bail!(
                "with `tls.cert` set, readiness is asked from the listener for metrics; set `metrics` to an address"
            ),
        }
    })?;
    let (word, code) = match health {
        Health::Serving => ("serving", ExitCode::SUCCESS),
        Health::NotServing => ("not serving", ExitCode::FAILURE),
        Health::Unknown => ("unknown", ExitCode::FAILURE),
    };
    print(&format!("{word}\n"))?;
    Ok(code)
}

async fn over_grpc(listen: SocketAddr) -> anyhow::Result<Health> {
    let options = Options {
        deadline: DEADLINE,
        retries: 0,
        ..Options::default()
    };
    let client = Client::connect_with(format!("http://{}", reachable(listen)), options)?;
    Ok(client.health("").await?)
}

async fn over_http(metrics: SocketAddr) -> anyhow::Result<Health> {
    let client = reqwest::Client::builder().no_proxy().timeout(DEADLINE).build()?;
    let answer = client
        .get(format!("http://{}/readyz", reachable(metrics)))
        .send()
        .await?;
    Ok(match answer.status() {
        reqwest::StatusCode::OK => Health::Serving,
        reqwest::StatusCode::SERVICE_UNAVAILABLE => Health::NotServing,
        _ => Health::Unknown,
    })
}

/// A listener on all addresses is reached through loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_asked_on_loopback() {
        let asked = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:5"), "127.0.0.1:5");
        assert_eq!(asked("[::]:5"), "[::1]:5");
        assert_eq!(asked("10.0.0.1:5"), "10.0.0.1:5");
    }
}
