//! Keys that do not exist, and the ones that were probably meant.

use figment::value::{Dict, Value};
use hub::config::Config;

use super::CLIENT_SECTION;
use super::layers::{Layer, PREFIX, variable_of};

/// How alike two names must be, from 0 to 1, for one to be proposed for the other.
const ALIKE_MIN: f64 = 0.8;

/// Keys whose value is text even where it looks like a number or has no default to tell.
const TEXTS: [&str; 9] = [
    "admin_token",
    "client.tracker",
    "client.tracker_ca",
    "client.tracker_fingerprint",
    "log.level",
    "state_dir",
    "tls.certificate",
    "tls.client_ca",
    "tls.key",
];

/// Where to look when nothing is alike.
const ADVICE: &str = "`skep config show` lists all keys";

/// How a key's value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A number or a truth value.
    Number,
    /// Text, or a list of texts.
    Text,
}

/// All keys there are.
pub(super) struct Known {
    sections: Vec<&'static str>,
    keys: Vec<(String, Form)>,
}

impl Known {
    pub(super) fn new() -> Self {
        let sections = Config::SECTIONS.iter().chain([&CLIENT_SECTION]);
        let defaults = Value::serialize(Config::default()).ok();
        let form = |key: &str| match defaults.as_ref().and_then(|defaults| defaults.find_ref(key)) {
            _ if TEXTS.contains(&key) => Form::Text,
            Some(Value::String(..) | Value::Array(..)) => Form::Text,
            _ => Form::Number,
        };
        let names: Vec<&'static str> = sections.clone().map(|(name, _)| *name).collect();
        let top = Config::KEYS.iter().map(|key| key.name.to_owned());
        let below = sections
            .flat_map(|(section, keys)| keys.iter().map(move |key| format!("{section}.{}", key.name)));
        let keys = top.chain(below).filter(|key| !names.contains(&key.as_str()));
        let keys = keys.map(|key| (form(&key), key)).map(|(form, key)| (key, form)).collect();
        Self { sections: names, keys }
    }

    /// How `key` is written, if it exists.
    pub(super) fn form(&self, key: &str) -> Option<Form> {
        self.keys.iter().find(|(name, _)| name == key).map(|&(_, form)| form)
    }

    /// What `layer` says of keys that do not exist, a line each.
    pub(super) fn faults(&self, layer: &Layer) -> Vec<String> {
        let mut faults = Vec::new();
        self.section_faults(layer, "", &layer.values, &mut faults);
        faults
    }

    /// The faults of a section's keys, and of the sections in it. `prefix` is the section's name and a dot.
    fn section_faults(&self, layer: &Layer, prefix: &str, keys: &Dict, faults: &mut Vec<String>) {
        for (name, value) in keys {
            let name = format!("{prefix}{name}");
            if self.sections.contains(&name.as_str()) {
                match value {
                    Value::Dict(_, keys) => self.section_faults(layer, &format!("{name}."), keys, faults),
                    _ => faults.push(not_a_value(layer, &name)),
                }
            } else if matches!(value, Value::Dict(..)) && !layer.name.starts_with(PREFIX) {
                faults.push(self.section_fault(layer, &name));
            } else if self.form(&name).is_none() {
                faults.push(self.key_fault(layer, &whole_key(&name, value)));
            }
        }
    }

    fn section_fault(&self, layer: &Layer, section: &str) -> String {
        let alike = |name: &&str| strsim::jaro_winkler(name, section);
        let near = self.sections.iter().copied().max_by(|a, b| alike(a).total_cmp(&alike(b)));
        let advice = match near.filter(|name| alike(name) >= ALIKE_MIN) {
            Some(near) => format!("did you mean [{near}]?"),
            None => ADVICE.to_owned(),
        };
        format!("{}: there is no section [{section}]; {advice}", layer.name)
    }

    fn key_fault(&self, layer: &Layer, key: &str) -> String {
        let spelled = |key: &str| match layer.name.starts_with(PREFIX) {
            true => variable_of(key),
            false => format!("`{key}`"),
        };
        let advice = match self.nearest(key) {
            Some(near) => format!("did you mean {}?", spelled(near)),
            None => ADVICE.to_owned(),
        };
        format!("{}: there is no key `{key}`; {advice}", layer.name)
    }

    /// The key most like `key`, by its whole name or by the last level of it; of several the first in the file.
    fn nearest(&self, key: &str) -> Option<&str> {
        let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
        let alike = |name: &str| {
            let whole = strsim::jaro_winkler(name, key);
            whole.max(strsim::jaro_winkler(&last(name), &last(key)))
        };
        let scored = self.keys.iter().map(|(name, _)| (alike(name), name.as_str()));
        let near = scored.filter(|(score, _)| *score >= ALIKE_MIN);
        // `max_by` would take the last of equals.
        near.rev().max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
    }
}

/// The whole name of the one key that a variable sets, as deep as it is nested.
fn whole_key(name: &str, value: &Value) -> String {
    let mut key = name.to_owned();
    let mut value = value;
    while let Value::Dict(_, below) = value
        && let Some((name, deeper)) = below.iter().next()
    {
        key = format!("{key}.{name}");
        value = deeper;
    }
    key
}

fn not_a_value(layer: &Layer, section: &str) -> String {
    let advice = if section == "tracker" {
        "; the address of the hub that commands talk to is `client.tracker`"
    } else {
        ""
    };
    format!("{}: `{section}` is a section; write [{section}] and its keys below it{advice}", layer.name)
}
