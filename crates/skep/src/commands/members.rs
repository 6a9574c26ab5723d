//! Administering a hub: its members, invitations and tokens, what was done, and the process itself.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::admin::{Row, ask, done, escaped, list, moment, print_json};
use crate::cli::{
    Audit, Hub, HubAction, Invite, InviteAction, RoleArg, ScopeArg, Token, TokenAction, User, UserAction,
};
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::format::plain;
use crate::when::{Minute, When};

/// A member, as the hub shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Member {
    name: String,
    role: String,
    state: String,
    until: Option<i64>,
    has_passkey: bool,
    torrents_max: Option<u32>,
    clients_per_torrent_max: Option<u32>,
    addresses_max: Option<u32>,
    invited_by: Option<String>,
    created_at: i64,
}

/// An invitation, as the hub shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Invitation {
    id: i64,
    note: String,
    uses_left: u32,
    until: Option<i64>,
    created_by: String,
    created_at: i64,
}

/// A token, as the hub shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Secret {
    name: String,
    scope: String,
    until: Option<i64>,
    created_at: i64,
}

/// An act, as the hub shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Act {
    at: i64,
    who: String,
    address: String,
    act: String,
    object: String,
}

/// `skep user …`
pub(super) async fn user(args: &User, env: &mut Env) -> Outcome {
    match &args.action {
        UserAction::Add(add) => {
            let body =
                json!({"name": add.name, "role": role(add.role), "until": add.until.and_then(When::unix)});
            let made = ask(&add.at, Method::POST, "users", &[], Some(body), env).await?;
            told_passkey(&made, add.json, env)
        }
        UserAction::List(listing) => {
            let columns = ["NAME", "ROLE", "STATE", "UNTIL", "PASSKEY", "SINCE", "INVITED BY"];
            list::<Member>(listing, "users", &[], "users", &columns, env).await
        }
        UserAction::Show(named) => {
            let member = ask(&named.at, Method::GET, &path(&named.name), &[], None, env).await?;
            shown(&member, named.json, env)
        }
        UserAction::Set(set) => {
            let mut body = serde_json::Map::new();
            body.extend(set.role.map(|given| ("role".to_owned(), role(given).into())));
            body.extend(set.until.map(|until| ("until".to_owned(), until.unix().into())));
            for (field, most) in [
                ("torrents_max", set.torrents_max),
                ("clients_per_torrent_max", set.clients_per_torrent_max),
                ("addresses_max", set.addresses_max),
            ] {
                body.extend(most.map(|most| (field.to_owned(), most.number().into())));
            }
            let member = ask(&set.at, Method::PATCH, &path(&set.name), &[], Some(body.into()), env).await?;
            shown(&member, set.json, env)
        }
        UserAction::Disable(named) | UserAction::Enable(named) => {
            let disabled = matches!(args.action, UserAction::Disable(_));
            let body = json!({"disabled": disabled});
            let member = ask(&named.at, Method::PATCH, &path(&named.name), &[], Some(body), env).await?;
            shown(&member, named.json, env)
        }
        UserAction::Rotate(named) => {
            let path = format!("{}/passkey", path(&named.name));
            let member = ask(&named.at, Method::POST, &path, &[], None, env).await?;
            told_passkey(&member, named.json, env)
        }
        UserAction::Revoke(named) => {
            let path = format!("{}/passkey", path(&named.name));
            let member = ask(&named.at, Method::DELETE, &path, &[], None, env).await?;
            shown(&member, named.json, env)
        }
        UserAction::Remove(named) => {
            ask(&named.at, Method::DELETE, &path(&named.name), &[], None, env).await?;
            done(named.json, format_args!("{} is removed", plain(&named.name)), env)
        }
    }
}

/// `skep invite …`
pub(super) async fn invite(args: &Invite, env: &mut Env) -> Outcome {
    match &args.action {
        InviteAction::Create(create) => {
            let body = json!({
                "note": create.note, "uses": create.uses, "until": create.until.and_then(When::unix),
            });
            let made = ask(&create.at, Method::POST, "invites", &[], Some(body), env).await?;
            told_secret(&made, "code", create.json, env)
        }
        InviteAction::List(listing) => {
            let columns = ["NUMBER", "USES LEFT", "UNTIL", "BY", "SINCE", "NOTE"];
            list::<Invitation>(listing, "invites", &[], "invites", &columns, env).await
        }
        InviteAction::Revoke(revoke) => {
            ask(&revoke.at, Method::DELETE, &format!("invites/{}", revoke.id), &[], None, env).await?;
            done(false, format_args!("invitation {} is taken back", revoke.id), env)
        }
        InviteAction::Use(using) => {
            let body = json!({"code": using.code, "name": using.name});
            let made = ask(&using.at, Method::POST, "join", &[], Some(body), env).await?;
            told_passkey(&made, using.json, env)
        }
    }
}

/// `skep token …`
pub(super) async fn token(args: &Token, env: &mut Env) -> Outcome {
    match &args.action {
        TokenAction::Create(create) => {
            let body = json!({
                "name": create.name, "scope": scope(create.scope), "until": create.until.and_then(When::unix),
            });
            let made = ask(&create.at, Method::POST, "tokens", &[], Some(body), env).await?;
            told_secret(&made, "token", create.json, env)
        }
        TokenAction::List(listing) => {
            list::<Secret>(listing, "tokens", &[], "tokens", &["NAME", "SCOPE", "UNTIL", "SINCE"], env).await
        }
        TokenAction::Revoke(named) => {
            ask(&named.at, Method::DELETE, &format!("tokens/{}", escaped(&named.name)), &[], None, env)
                .await?;
            done(named.json, format_args!("token {} is taken back", plain(&named.name)), env)
        }
    }
}

/// `skep audit`
pub(super) async fn audit(args: &Audit, env: &mut Env) -> Outcome {
    list::<Act>(&args.listing, "audit", &[], "acts", &["WHEN (UTC)", "WHO", "FROM", "ACT", "ON"], env).await
}

/// `skep hub …`
pub(super) async fn hub(args: &Hub, env: &mut Env) -> Outcome {
    let (at, path, done) = match &args.action {
        HubAction::Reload(at) => (at, "reload", "the certificate and the access lists are read anew"),
        HubAction::Save(at) => (at, "save", "the swarms and all counts are on disk"),
        HubAction::Stop(at) => (at, "shutdown", "the hub is stopping"),
    };
    ask(at, Method::POST, path, &[], None, env).await?;
    env.note(done);
    Ok(())
}

impl Row for Member {
    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.role.clone(),
            self.state.clone(),
            moment(self.until),
            if self.has_passkey { "yes" } else { "none" }.to_owned(),
            Minute(self.created_at).to_string(),
            self.invited_by.clone().unwrap_or_default(),
        ]
    }
}

impl Row for Invitation {
    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.uses_left.to_string(),
            moment(self.until),
            self.created_by.clone(),
            Minute(self.created_at).to_string(),
            self.note.clone(),
        ]
    }
}

impl Row for Secret {
    fn cells(&self) -> Vec<String> {
        vec![self.name.clone(), self.scope.clone(), moment(self.until), Minute(self.created_at).to_string()]
    }
}

impl Row for Act {
    fn cells(&self) -> Vec<String> {
        vec![
            Minute(self.at).to_string(),
            self.who.clone(),
            self.address.clone(),
            self.act.clone(),
            self.object.clone(),
        ]
    }
}

fn path(name: &str) -> String {
    format!("users/{}", escaped(name))
}

fn shown(member: &Value, json: bool, env: &mut Env) -> Outcome {
    if json {
        return print_json(member, env);
    }
    let member: Member = serde_json::from_value(member.clone()).map_err(Failure::failed)?;
    let names = ["name", "role", "state", "until", "passkey", "since", "invited by"];
    for (name, value) in names.iter().zip(member.cells()).filter(|(_, value)| !value.is_empty()) {
        writeln!(env.stdout, "{name:<10}  {}", plain(&value))?;
    }
    for (what, most) in [
        ("torrents", member.torrents_max),
        ("clients in a torrent", member.clients_per_torrent_max),
        ("addresses", member.addresses_max),
    ] {
        if let Some(most) = most {
            writeln!(env.stdout, "at most     {most} {what}")?;
        }
    }
    Ok(())
}

/// A member with the passkey that it was given.
fn told_passkey(member: &Value, json: bool, env: &mut Env) -> Outcome {
    told_secret(member, "passkey", json, env)?;
    if !json {
        for url in member["announce"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            writeln!(env.stdout, "announce    {}", plain(url))?;
        }
    }
    Ok(())
}

/// What was made, with its secret under `key`.
fn told_secret(made: &Value, key: &str, json: bool, env: &mut Env) -> Outcome {
    if json {
        return print_json(made, env);
    }
    let secret = made[key].as_str().unwrap_or_default();
    writeln!(env.stdout, "{key:<10}  {}", plain(secret))?;
    env.note(format_args!("it is told this once, and kept nowhere: note it down"));
    Ok(())
}

fn role(role: RoleArg) -> &'static str {
    match role {
        RoleArg::Member => "member",
        RoleArg::Uploader => "uploader",
        RoleArg::Admin => "admin",
    }
}

fn scope(scope: ScopeArg) -> &'static str {
    match scope {
        ScopeArg::Read => "read",
        ScopeArg::Torrents => "torrents",
        ScopeArg::Users => "users",
        ScopeArg::Admin => "admin",
    }
}
