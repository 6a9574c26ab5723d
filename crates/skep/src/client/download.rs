//! A .torrent file from any web server.

use peer::trust::{Trust, distrust};
use reqwest::Url;
use wire::metainfo::METAINFO_BYTES_MAX;

use super::{CONNECT_TIMEOUT, TIMEOUT_DEFAULT, error, url};
use crate::exit::Failure;

/// Reads the .torrent file at `url`, to which redirects may lead; of `trust` as far as that covers it. No token is shown.
///
/// # Errors
/// A sentence that quotes the address.
pub(crate) async fn download(url: Url, trust: Option<&Trust>) -> Result<Vec<u8>, Failure> {
    read(&url, trust).await.map_err(|why| Failure::Failed(format!("cannot fetch {url}: {why}")))
}

async fn read(url: &Url, trust: Option<&Trust>) -> Result<Vec<u8>, String> {
    // Fails only if a provider is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("skep/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT_DEFAULT);
    if url::is_this_machine(url) {
        builder = builder.no_proxy();
    }
    if let Some(trust) = trust.filter(|trust| trust.covers(url)) {
        builder = builder.tls_backend_preconfigured(trust.tls());
    }
    let client = builder.build().map_err(|error| words(&error))?;
    let mut response = client.get(url.clone()).send().await.map_err(|error| words(&error))?;
    let status = response.status();
    if !status.is_success() {
        let name = status.canonical_reason().map_or(String::new(), |name| format!(" {name}"));
        return Err(format!("it answered {}{name}", status.as_u16()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| words(&error))? {
        if bytes.len() + chunk.len() > METAINFO_BYTES_MAX {
            return Err(format!("a .torrent file has {METAINFO_BYTES_MAX} bytes at most"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn words(error: &reqwest::Error) -> String {
    match distrust(error) {
        Some(why) => why,
        None if error.is_timeout() => "no answer in time".to_owned(),
        None => error::cause(error),
    }
}
