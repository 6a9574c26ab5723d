//! Access rules and bans of a hub.

use hub::policy::lists::List;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::admin::{Row, ask, done, list, moment, print_json};
use crate::cli::{Access, AccessAction, AdminHub, Ban, BanAction, Terms};
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::format::plain;
use crate::when::{Minute, When};

/// An access rule, as the hub shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Rule {
    id: i64,
    list: String,
    entry: String,
    until: Option<i64>,
    note: String,
    created_by: String,
    created_at: i64,
}

/// The same where its list goes without saying.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct Banned(Rule);

/// `skep access …`
pub(super) async fn access(args: &Access, env: &mut Env) -> Outcome {
    match &args.action {
        AccessAction::Add(args) => {
            add(&args.at, args.list.into(), &args.entry, &args.terms, args.json, env).await
        }
        AccessAction::List(listing) => {
            let columns = ["LIST", "ENTRY", "UNTIL", "BY", "SINCE", "NOTE"];
            list::<Rule>(listing, "access", &[], "rules", &columns, env).await
        }
        AccessAction::Remove(args) => remove(&args.at, args.list.into(), &args.entry, env).await,
    }
}

/// `skep ban …`
pub(super) async fn ban(args: &Ban, env: &mut Env) -> Outcome {
    match &args.action {
        BanAction::Add(args) => add(&args.at, List::Banned, &args.network, &args.terms, args.json, env).await,
        BanAction::List(listing) => {
            let filter = [("list", List::Banned.name())];
            let columns = ["NETWORK", "UNTIL", "BY", "SINCE", "NOTE"];
            list::<Banned>(listing, "access", &filter, "rules", &columns, env).await
        }
        BanAction::Lift(args) => remove(&args.at, List::Banned, &args.network, env).await,
    }
}

async fn add(at: &AdminHub, list: List, entry: &str, terms: &Terms, json: bool, env: &mut Env) -> Outcome {
    let body = json!({
        "list": list.name(), "entry": entry, "until": terms.until.and_then(When::unix), "note": terms.note,
    });
    let made = ask(at, Method::POST, "access", &[], Some(body), env).await?;
    if json {
        return print_json(&made, env);
    }
    let rule: Rule = serde_json::from_value(made).map_err(Failure::failed)?;
    let until = rule.until.map(|until| format!(" until {} UTC", Minute(until))).unwrap_or_default();
    done(json, format_args!("{}: {}{until}", plain(&rule.list), plain(&rule.entry)), env)
}

async fn remove(at: &AdminHub, list: List, entry: &str, env: &mut Env) -> Outcome {
    let filter = [("list", list.name()), ("entry", entry)];
    let mut page = ask(at, Method::GET, "access", &filter, None, env).await?;
    let found: Vec<Rule> = serde_json::from_value(page["rules"].take()).map_err(Failure::failed)?;
    let Some(rule) = found.first() else {
        return Err(Failure::failed(format!("`{entry}` is not on the list {}", list.name())));
    };
    ask(at, Method::DELETE, &format!("access/{}", rule.id), &[], None, env).await?;
    done(false, format_args!("{}: {} is taken off", plain(&rule.list), plain(&rule.entry)), env)
}

impl Row for Rule {
    fn cells(&self) -> Vec<String> {
        let mut cells = vec![self.list.clone()];
        cells.extend(self.terms());
        cells
    }
}

impl Row for Banned {
    fn cells(&self) -> Vec<String> {
        self.0.terms().to_vec()
    }
}

impl Rule {
    fn terms(&self) -> [String; 5] {
        [
            self.entry.clone(),
            moment(self.until),
            self.created_by.clone(),
            Minute(self.created_at).to_string(),
            self.note.clone(),
        ]
    }
}
