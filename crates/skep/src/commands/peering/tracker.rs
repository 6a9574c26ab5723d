//! Whom `--tracker` names: a hub, or any other tracker.

use std::time::Duration;

use peer::trust::Trust;
use reqwest::Url;

use crate::client::{Client, HubUrl, TIMEOUT_DEFAULT};
use crate::commands::serve::address;
use crate::exit::Failure;
use crate::settings::Settings;

/// How long each other address of a hub on this machine is tried.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Who introduces peers to each other.
pub(in crate::commands) enum Tracker {
    /// A hub, or another tracker over HTTP: only asking for the catalogue shows which.
    Http {
        client: Box<Client>,
        /// Where to announce, if that was spelled out.
        announce: Option<Url>,
    },
    /// A tracker over UDP. It may be a hub's, but its catalogue is not to be found this way.
    Udp(String),
}

impl Tracker {
    /// Whom the settings name.
    ///
    /// # Errors
    /// [`Failure::Misuse`] if that is no address.
    pub(in crate::commands) fn new(settings: &Settings) -> Result<Self, Failure> {
        let text = settings.client.tracker.trim();
        if text.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("udp://")) {
            return match Url::parse(text) {
                Ok(url) if url.port().is_some_and(|port| port != 0) && url.has_host() => {
                    settings.trust(&url)?;
                    Ok(Self::Udp(url.into()))
                }
                _ => Err(Failure::Misuse(format!(
                    "`{text}` is not a tracker's address: udp://HOST:PORT is expected"
                ))),
            };
        }
        let client = Box::new(Client::new(settings, TIMEOUT_DEFAULT)?);
        let announce = Url::parse(text).ok().filter(|url| url.has_host() && is_spelled_out(url));
        Ok(Self::Http { client, announce })
    }

    /// Who may have a catalogue.
    pub(in crate::commands) fn client(&self) -> Option<&Client> {
        match self {
            Self::Http { client, .. } => Some(client),
            Self::Udp(_) => None,
        }
    }

    /// By what the hub's certificate is known, if not by the system's authorities.
    pub(in crate::commands) fn trust(&self) -> Option<&Trust> {
        self.client().and_then(Client::trust)
    }

    /// The same for whoever announces: a hub on this machine is itself at the machine's other addresses too.
    pub(in crate::commands) fn trust_to_announce(&self) -> Option<Trust> {
        let (client, trust) = self.client().and_then(|client| Some((client, client.trust()?.clone())))?;
        let own = if client.hub().is_loopback() { address::own() } else { Vec::new() };
        let others = own.into_iter().filter_map(|ip| client.hub().at(ip));
        Some(others.fold(trust, |trust, hub| trust.also_at(&hub.join(""))))
    }

    /// Whether a member's passkey is shown to it: its torrents are private (BEP 27).
    pub(in crate::commands) fn is_for_members(&self) -> bool {
        self.client().is_some_and(|client| client.passkey().is_some())
    }

    /// The same addresses for others: a member's passkey is for nobody else.
    pub(in crate::commands) fn told(&self, announce: &[String]) -> Vec<String> {
        let own = self.client().and_then(Client::passkey).map(|passkey| format!("/{passkey}/announce"));
        let told = |url: &String| match own.as_deref().and_then(|own| url.strip_suffix(own)) {
            Some(hub) => format!("{hub}/announce"),
            None => url.clone(),
        };
        announce.iter().map(told).collect()
    }

    /// Where to announce, an address for each network that this machine is in if the tracker is on it: it learns our
    /// addresses from where the announces come, and what it learns from loopback nobody else could use.
    pub(in crate::commands) async fn announce_urls(&self) -> Vec<String> {
        match self {
            Self::Udp(url) => vec![url.clone()],
            Self::Http { announce: Some(url), .. } => vec![url.to_string()],
            Self::Http { client, announce: None } => {
                let seen = seen_from_outside(client.hub(), client.trust()).await;
                seen.iter().map(|hub| announce_url(hub, client.passkey())).collect()
            }
        }
    }
}

/// Whether it is an announce URL and not only a hub's address.
fn is_spelled_out(url: &Url) -> bool {
    let last = url.path_segments().and_then(|mut segments| segments.next_back());
    url.query().is_some() || last.is_some_and(|last| last.contains("announce"))
}

/// Where to announce to a hub: a member, with its passkey.
fn announce_url(hub: &HubUrl, passkey: Option<&str>) -> String {
    match passkey {
        Some(passkey) => hub.join(&format!("{passkey}/announce")).into(),
        None => hub.join("announce").into(),
    }
}

/// The addresses at which others reach a hub, as far as this machine knows them.
async fn seen_from_outside(hub: &HubUrl, trust: Option<&Trust>) -> Vec<HubUrl> {
    if !hub.is_loopback() {
        return vec![hub.clone()];
    }
    let mut seen = Vec::new();
    for ip in address::own() {
        if let Some(other) = hub.at(ip)
            && answers(&other, trust).await
        {
            seen.push(other);
        }
    }
    if seen.is_empty() { vec![hub.clone()] } else { seen }
}

async fn answers(hub: &HubUrl, trust: Option<&Trust>) -> bool {
    let url = hub.join("health");
    let asked = async {
        let mut client = reqwest::Client::builder().no_proxy();
        if let Some(trust) = trust {
            client = client.tls_backend_preconfigured(trust.tls());
        }
        let client = client.build()?;
        client.get(url).send().await?.error_for_status()
    };
    matches!(tokio::time::timeout(PROBE_TIMEOUT, asked).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use crate::settings::Flags;

    fn tracker(text: &str) -> Result<Tracker, Failure> {
        let env = Env::new(Vec::new(), Vec::new(), "/".into());
        let flags = Flags { tracker: Some(text.to_owned()), ..Flags::default() };
        Tracker::new(&Settings::load(&env, &flags)?)
    }

    #[tokio::test]
    async fn where_to_announce_is_what_was_spelled_out_or_the_hubs_place_for_it() {
        for (text, announce, may_be_hub) in [
            ("udp://t.example:6969", "udp://t.example:6969", false),
            ("UDP://t.example:6969/x?y=1", "udp://t.example:6969/x?y=1", false),
            ("192.0.2.1", "http://192.0.2.1:6969/announce", true),
            ("http://192.0.2.1:7000", "http://192.0.2.1:7000/announce", true),
            ("https://hub.example/skep", "https://hub.example/skep/announce", true),
            ("http://t.example/announce.php?passkey=s", "http://t.example/announce.php?passkey=s", true),
            ("https://t.example/secret/announce", "https://t.example/secret/announce", true),
        ] {
            let tracker = tracker(text).unwrap();
            assert_eq!(tracker.announce_urls().await, [announce], "{text}");
            assert_eq!(tracker.client().is_some(), may_be_hub, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_quoted() {
        for text in ["udp://", "udp://host", "udp://host:0", "udp://:1"] {
            let expected = format!("`{text}` is not a tracker's address: udp://HOST:PORT is expected");
            assert_eq!(tracker(text).err(), Some(Failure::Misuse(expected)));
        }
        assert!(matches!(tracker("wss://host:1"), Err(Failure::Misuse(_))));
    }
}
