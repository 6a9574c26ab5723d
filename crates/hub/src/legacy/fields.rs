//! Fields of JSON objects whose writer was not careful about types.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Map, Value};
use swarm::{Endpoint, Port};

/// Characters of somebody's text that a message quotes.
const QUOTED_CHARS_MAX: usize = 80;

/// A number that is not negative, without its fraction; also if it comes as text.
pub(super) fn unsigned(object: &Map<String, Value>, name: &str) -> Option<u64> {
    match object.get(name)? {
        Value::Number(number) => number.as_u64().or_else(|| floor(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok().or_else(|| floor(text.trim().parse().ok()?)),
        _ => None,
    }
}

pub(super) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// The endpoint of `ip` and `port`, if one can connect to it.
pub(super) fn endpoint(object: &Map<String, Value>) -> Result<Endpoint, &'static str> {
    let ip =
        text(object, "ip").and_then(|ip| ip.trim().parse::<IpAddr>().ok()).ok_or("`ip` is no address")?;
    let ip = ip.to_canonical();
    if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::from([255; 4]) {
        return Err("`ip` is no address of a peer");
    }
    let port = unsigned(object, "port").and_then(|port| Port::new(u16::try_from(port).ok()?));
    Ok(Endpoint::new(ip, port.ok_or("`port` is no number from 1 to 65535")?))
}

/// `text` between backquotes, shortened, on one line.
pub(super) fn quoted(text: &str) -> String {
    let printable = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let shown: String = text.chars().take(QUOTED_CHARS_MAX).map(printable).collect();
    let rest = if text.chars().nth(QUOTED_CHARS_MAX).is_some() { "…" } else { "" };
    format!("`{shown}{rest}`")
}

/// The standard library's seconds do the conversion, and refuse what has no place in a `u64`.
fn floor(number: f64) -> Option<u64> {
    Duration::try_from_secs_f64(number).ok().map(|seconds| seconds.as_secs())
}
