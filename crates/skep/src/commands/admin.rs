//! What the commands that administer a hub have in common: asking its API, and tables of what it answers.

mod table;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli::{AdminHub, Listing};
use crate::client::{Auth, Client, TIMEOUT_DEFAULT};
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::settings::{Flags, Settings};
use crate::when::Minute;
use table::Table;

/// Rows that one request asks for.
const PAGE_ROWS: u32 = 200;

/// A row of a table.
pub(super) trait Row {
    fn cells(&self) -> Vec<String>;
}

/// Prints the rows that the hub has under `key` at `path`, page by page; `filter` says which.
pub(super) async fn list<T: Row + Serialize + for<'de> Deserialize<'de>>(
    listing: &Listing,
    path: &str,
    filter: &[(&str, &str)],
    key: &str,
    columns: &[&str],
    env: &mut Env,
) -> Outcome {
    let client = client(&listing.at, env)?;
    let (mut rows, mut cursor): (Vec<T>, Option<String>) = (Vec::new(), None);
    let most = listing.limit.unwrap_or(u32::MAX) as usize;
    loop {
        let limit = u32::try_from(most - rows.len()).unwrap_or(u32::MAX).min(PAGE_ROWS).to_string();
        let mut query = filter.to_vec();
        query.push(("limit", limit.as_str()));
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let mut page: Value =
            client.ask(Method::GET, &format!("api/v1/{path}"), &query, None, Auth::Admin).await?;
        let found: Vec<T> = serde_json::from_value(page[key].take()).map_err(Failure::failed)?;
        let is_empty = found.is_empty();
        rows.extend(found);
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() || is_empty || rows.len() >= most {
            break;
        }
    }
    rows.truncate(most);
    if listing.json {
        serde_json::to_writer_pretty(&mut env.stdout, &rows).map_err(Failure::failed)?;
        writeln!(env.stdout)?;
        return Ok(());
    }
    if rows.is_empty() {
        env.note("there are none");
        return Ok(());
    }
    let mut table = Table::new(columns, env.colors_stdout());
    for row in &rows {
        table.add(&row.cells());
    }
    write!(env.stdout, "{table}")?;
    Ok(())
}

/// Asks the hub for something, and tells what it answers.
pub(super) async fn ask(
    at: &AdminHub,
    method: Method,
    path: &str,
    query: &[(&str, &str)],
    body: Option<Value>,
    env: &Env,
) -> Result<Value, Failure> {
    let path = format!("api/v1/{path}");
    Ok(client(at, env)?.ask(method, &path, query, body.as_ref(), Auth::Admin).await?)
}

/// Says that something is done, to people.
pub(super) fn done(json: bool, words: std::fmt::Arguments<'_>, env: &mut Env) -> Outcome {
    if !json {
        env.note(words);
    }
    Ok(())
}

/// Prints what the hub answered.
pub(super) fn print_json(value: &Value, env: &mut Env) -> Outcome {
    writeln!(env.stdout, "{value}")?;
    Ok(())
}

/// When something ends.
pub(super) fn moment(at: Option<i64>) -> String {
    at.map_or_else(|| "never".to_owned(), |at| Minute(at).to_string())
}

/// A name as a segment of a path; what no name has is left to the hub to refuse.
pub(super) fn escaped(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn client(at: &AdminHub, env: &Env) -> Result<Client, Failure> {
    let flags = Flags {
        config: at.config.config.clone(),
        state_dir: at.state.state_dir.clone(),
        tracker: at.hub.tracker.clone(),
        trust: at.hub.trust.clone(),
        admin_token: at.admin.admin_token.clone(),
        ..Flags::default()
    };
    Client::new(&Settings::load(env, &flags)?, TIMEOUT_DEFAULT)
}
