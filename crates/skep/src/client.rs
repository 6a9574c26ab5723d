//! The hub's HTTP API, as commands see it.

mod download;
mod error;
mod token;
mod url;

use std::collections::BTreeMap;
use std::time::Duration;

use peer::trust::{Trust, distrust};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use wire::metainfo::METAINFO_BYTES_MAX;

use crate::exit::Failure;
use crate::settings::Settings;
pub(crate) use download::download;
pub(crate) use error::ClientError;
pub(crate) use token::Token;
pub(crate) use url::HubUrl;

/// How long a hub has for an answer, unless a command says otherwise.
pub(crate) const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// How long a connection may take to come about, within the time for the answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that an answer may have.
const REPLY_BYTES_MAX: usize = 64 << 20;

/// Torrents of one name that one request asks for, and that are told apart at most.
const NAMED_PER_PAGE: usize = 20;
const NAMED_MAX: usize = 100;

/// Digits of a passkey.
const PASSKEY_DIGITS: usize = 32;

/// Bytes of a refusal that are read for its reason.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// One hub, talked to over HTTP.
pub(crate) struct Client {
    hub: HubUrl,
    trust: Option<Trust>,
    http: reqwest::Client,
    token: Token,
    passkey: Option<String>,
    timeout: Duration,
}

/// Whether a request shows who sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auth {
    /// It does not.
    Nobody,
    /// With the admin token, if there is one.
    Admin,
}

/// A request's body.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    /// Its media type.
    pub(crate) media_type: &'static str,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

/// A torrent as the hub lists it, and as `--json` prints it. What a hub does not say is absent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Torrent {
    /// The info hash, 40 hexadecimal digits.
    pub(crate) info_hash: String,
    /// Its name.
    #[serde(default)]
    pub(crate) name: String,
    /// Bytes of all its files.
    pub(crate) size: Option<u64>,
    /// Peers that have everything.
    #[serde(default)]
    pub(crate) seeders: u64,
    /// Peers that do not.
    #[serde(default)]
    pub(crate) leechers: u64,
    /// Downloads that were ever completed.
    #[serde(default)]
    pub(crate) completed: u64,
    /// Its magnet link.
    pub(crate) magnet: Option<String>,
    /// Where its .torrent file is.
    pub(crate) torrent_url: Option<String>,
}

/// A page of the catalogue; `T` is what a torrent is read as.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Page<T> {
    /// The torrents.
    pub(crate) torrents: Vec<T>,
    /// What to ask for the next page with; `None` on the last.
    #[serde(default)]
    pub(crate) next: Option<String>,
}

/// A page of the names that are offered in the classic dialects.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Directory {
    /// The names.
    pub(crate) names: Vec<OfferedName>,
    /// What to ask for the next page with; `None` on the last.
    #[serde(default)]
    pub(crate) next: Option<String>,
}

/// A name that is offered in a classic dialect, as the hub lists it, and as `--json` prints it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OfferedName {
    /// The file's name.
    pub(crate) name: String,
    /// Bytes, if somebody says it.
    pub(crate) size: Option<u64>,
    /// Parts of 64 KiB, if somebody says it.
    pub(crate) parts: Option<u32>,
    /// How many peers can serve the clients of each dialect.
    #[serde(default)]
    pub(crate) holders: BTreeMap<String, u64>,
}

impl Client {
    /// A client of the hub that `settings` name.
    ///
    /// # Errors
    /// [`Failure::Misuse`] if the address is none.
    pub(crate) fn new(settings: &Settings, timeout: Duration) -> Result<Self, Failure> {
        let hub = HubUrl::parse(&settings.client.tracker).map_err(Failure::misuse)?;
        // Fails only if a provider is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("skep/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            // A redirect could carry the token elsewhere; it is told instead.
            .redirect(reqwest::redirect::Policy::none());
        if hub.is_this_machine() {
            builder = builder.no_proxy();
        }
        let trust = settings.trust(&hub.join(""))?;
        if let Some(trust) = &trust {
            builder = builder.tls_backend_preconfigured(trust.tls());
        }
        let http = builder
            .build()
            .map_err(|error| Failure::Failed(format!("cannot set up HTTP: {}", error::cause(&error))))?;
        let token = Token::find(settings, &hub);
        let passkey = settings.client.passkey.clone();
        if let Some(passkey) = passkey.as_ref().filter(|passkey| !is_passkey(passkey)) {
            // Itself a secret, so it is not quoted.
            let source = settings.source("client.passkey").unwrap_or_default();
            let len = passkey.len();
            return Err(Failure::Misuse(format!(
                "{source}: this is no passkey: 32 hexadecimal digits are expected, and it has {len} characters"
            )));
        }
        Ok(Self { hub, trust, http, token, passkey, timeout })
    }

    /// The passkey that is shown to the hub, if there is one.
    #[must_use]
    pub(crate) fn passkey(&self) -> Option<&str> {
        self.passkey.as_deref()
    }

    /// Whether there is an admin token to show.
    #[must_use]
    pub(crate) fn has_token(&self) -> bool {
        self.token.value().is_some()
    }

    /// Asks for `path` with `query` and reads the answer as JSON.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        let mut url = self.hub.join(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let response = self.send(self.http.request(Method::GET, url), Auth::Nobody).await?;
        self.json(response).await
    }

    /// Sends `body` to `path` and reads the answer as JSON.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Body,
        auth: Auth,
    ) -> Result<(StatusCode, T), ClientError> {
        let request = self.http.request(Method::POST, self.hub.join(path));
        let request = request.header(header::CONTENT_TYPE, body.media_type).body(body.bytes);
        let response = self.send(request, auth).await?;
        let status = response.status();
        Ok((status, self.json(response).await?))
    }

    /// Sends `body` to `path` with `query` and reads the answer as JSON; `null` where it has no body.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
        auth: Auth,
    ) -> Result<Value, ClientError> {
        let mut url = self.hub.join(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = self.send(request, auth).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        self.json(response).await
    }

    /// A page of the catalogue: torrents that match `words`, at most `limit`, from `cursor` on.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(crate) async fn torrents<T: DeserializeOwned>(
        &self,
        words: Option<&str>,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<T>, ClientError> {
        let limit = limit.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(words.map(|words| ("query", words)));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page: Page<T> = self.get("api/v1/torrents", &query).await?;
        match &page.next {
            Some(next) if Some(next.as_str()) == cursor || page.torrents.is_empty() => {
                Err(self.not_a_hub("its catalogue has no end"))
            }
            _ => Ok(page),
        }
    }

    /// A page of the names that are offered in the classic dialects, or of those that have all of `words`. A page may be
    /// empty though there are more.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(crate) async fn directory(
        &self,
        words: Option<&str>,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Directory, ClientError> {
        let limit = limit.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(words.map(|words| ("query", words)));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page: Directory = self.get("api/v1/directory", &query).await?;
        match &page.next {
            Some(next) if Some(next.as_str()) == cursor => Err(self.not_a_hub("its directory has no end")),
            _ => Ok(page),
        }
    }

    /// The torrents of the catalogue that are called exactly `name`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(crate) async fn named(&self, name: &str) -> Result<Vec<Torrent>, ClientError> {
        let (mut same, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = self.torrents::<Torrent>(Some(name), NAMED_PER_PAGE, cursor.as_deref()).await?;
            let found = page.torrents.len();
            same.extend(page.torrents.into_iter().filter(|torrent| torrent.name == name));
            cursor = page.next;
            // What is called so comes first, so a page of others is the last that is asked for.
            if cursor.is_none() || same.len() < found || same.len() >= NAMED_MAX {
                return Ok(same);
            }
        }
    }

    /// The hub.
    #[must_use]
    pub(crate) fn hub(&self) -> &HubUrl {
        &self.hub
    }

    /// By what the hub's certificate is known, if not by the system's authorities.
    #[must_use]
    pub(crate) fn trust(&self) -> Option<&Trust> {
        self.trust.as_ref()
    }

    /// A torrent's file, by its info hash; `None` if the hub does not have it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(crate) async fn torrent_file(&self, info_hash: &str) -> Result<Option<Vec<u8>>, ClientError> {
        let url = self.hub.join(&format!("t/{info_hash}.torrent"));
        match self.send(self.http.request(Method::GET, url), Auth::Nobody).await {
            Ok(mut response) => Ok(Some(self.read(&mut response, METAINFO_BYTES_MAX).await?)),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn send(&self, request: RequestBuilder, auth: Auth) -> Result<Response, ClientError> {
        let request = request.timeout(self.timeout).header(header::ACCEPT, "application/json");
        let shown = match (auth, self.token.value(), self.passkey()) {
            (Auth::Admin, Some(token), _) => Some(token),
            (_, _, passkey) => passkey,
        };
        // A hub for members shows strangers nothing: whoever runs it has the token.
        let is_look = |request: &reqwest::Request| request.method() == Method::GET && auth == Auth::Nobody;
        let look = request.try_clone().and_then(|request| request.build().ok()).filter(is_look);
        let is_look = look.is_some();
        let again = look.zip(self.token.value().filter(|_| shown.is_none()));
        let request = match shown {
            Some(secret) => request.bearer_auth(secret),
            None => request,
        };
        let mut response = request.send().await.map_err(|error| self.transport(&error))?;
        if let Some((again, token)) = again.filter(|_| response.status() == StatusCode::UNAUTHORIZED) {
            let again = RequestBuilder::from_parts(self.http.clone(), again).bearer_auth(token);
            response = again.send().await.map_err(|error| self.transport(&error))?;
        }
        tracing::debug!(url = %response.url(), status = response.status().as_u16(), "the hub answered");
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response, is_look).await) }
    }

    async fn json<T: DeserializeOwned>(&self, mut response: Response) -> Result<T, ClientError> {
        let bytes = self.read(&mut response, REPLY_BYTES_MAX).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| self.not_a_hub(format!("its answer cannot be read: {error}")))
    }

    /// Reads a body, but no more than `bytes_max` of it.
    async fn read(&self, response: &mut Response, bytes_max: usize) -> Result<Vec<u8>, ClientError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport(&error))? {
            if bytes.len() + chunk.len() > bytes_max {
                return Err(self.not_a_hub(format!("its answer has more than {bytes_max} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    async fn refusal(&self, mut response: Response, is_look: bool) -> ClientError {
        let status = response.status();
        let headers = response.headers();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let retry_after =
            text(header::RETRY_AFTER).and_then(|secs| secs.parse().ok()).map(Duration::from_secs);
        let location = text(header::LOCATION);
        let body = self.read(&mut response, REFUSAL_BYTES_MAX).await.unwrap_or_default();
        let (mut reason, explained) = error::reason(status, &body, location.as_deref());
        if status == StatusCode::UNAUTHORIZED {
            reason = match is_look {
                false => format!("{reason}; {}", self.token.advice()),
                true => format!("{reason}; members give theirs with --passkey or SKEP_PASSKEY"),
            };
        }
        ClientError::Refused { status, reason, explained, retry_after }
    }

    fn transport(&self, error: &reqwest::Error) -> ClientError {
        let url = self.hub.to_string();
        if error.is_timeout() && !error.is_connect() {
            ClientError::Timeout { url, after: self.timeout }
        } else if let Some(why) = distrust(error) {
            ClientError::Distrusted { url, why }
        } else if error.is_connect() {
            ClientError::NoHub { url, cause: error::cause(error) }
        } else {
            ClientError::Broken { url, cause: error::cause(error) }
        }
    }

    fn not_a_hub(&self, what: impl Into<String>) -> ClientError {
        ClientError::NotAHub { url: self.hub.to_string(), what: what.into() }
    }
}

/// Whether a hub could have given it. It becomes part of an address.
fn is_passkey(text: &str) -> bool {
    text.len() == PASSKEY_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
