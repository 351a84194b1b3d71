//! The HTTP clients: TLS, proxy, certificates, connections.
//!
//! In: a link. Out: clients of the vendor crate. Invariant: redirects are never
//! followed, so credentials stay with the origin they are for; connections are
//! given up before the server closes them. Deliberately absent: decompression,
//! which hides lengths; limits on silence but for the connecting, since only who sends
//! and reads knows when the server is waited for. Leaves nothing behind.

use super::fault::unsupported;
use crate::adapters::remote::Link;
use crate::ports::PortResult;
use reqwest::{Certificate, Client, Identity, Proxy, redirect};
use std::time::Duration;

/// Makes a client. It waits for an answer for ever.
///
/// # Errors
/// `Unsupported` when the proxy or the certificate file cannot be used.
pub(crate) fn build(link: &Link, agent: &str) -> PortResult<Client> {
    // A second installation is refused, which is fine: the first one is the same.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = Client::builder()
        .user_agent(agent)
        .redirect(redirect::Policy::none())
        .referer(false)
        .http1_only()
        .tcp_nodelay(true)
        .tcp_keepalive(KEEP_ALIVE)
        .pool_idle_timeout(POOL_IDLE)
        .connect_timeout(link.timeout)
        .tls_danger_accept_invalid_certs(link.trust_ssl);
    builder =
        match &link.proxy {
            None => builder.no_proxy(),
            Some(proxy) => builder.proxy(Proxy::all(proxy.expose()).map_err(|error| {
                unsupported(format!("no usable proxy: {}", error.without_url()))
            })?),
        };
    if let Some(file) = &link.ca_file {
        let name = file.display();
        let pem = std::fs::read(file)
            .map_err(|error| unsupported(format!("the certificates in `{name}`: {error}")))?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .ok()
            .filter(|found| !found.is_empty())
            .ok_or_else(|| unsupported(format!("`{name}` holds no certificates")))?;
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(file) = &link.client_cert {
        let name = file.display();
        let pem = std::fs::read(file)
            .map_err(|error| unsupported(format!("the certificate in `{name}`: {error}")))?;
        let identity = Identity::from_pem(&pem)
            .map_err(|_| unsupported(format!("`{name}` holds no certificate with its key")))?;
        builder = builder.identity(identity);
    }
    builder
        .build()
        .map_err(|error| unsupported(format!("no HTTP client: {}", error.without_url())))
}

/// Below the four seconds after which servers close.
const POOL_IDLE: Duration = Duration::from_millis(3500);
const KEEP_ALIVE: Duration = Duration::from_secs(30);
