use std::net::SocketAddr;
use std::path::PathBuf;

use peer::classic::chunklist::{self, Seeder};
use peer::classic::fetch::{self, FetchError, Fetched, Order, Progress};
use serde::Serialize;

use super::client::{Client, Holder, Role, failing};
use super::{nobody, print_json};
use crate::cli::{ClassicFetch, DialectArg};
use crate::env::Env;
use crate::exit::{Failure, Outcome};
use crate::format::plain;

/// Seeders of other names whose chunk lists are looked at, whether theirs is the same file.
const OTHERS_MAX: usize = 16;

/// What a script is told.
#[derive(Serialize)]
struct Told<'a> {
    name: &'a str,
    path: PathBuf,
    bytes: u64,
    verified: bool,
}

/// Gets a file from those who offer it.
pub(super) async fn run(dialect: DialectArg, args: &ClassicFetch, env: &mut Env) -> Outcome {
    let folder = args.output.as_ref().map_or_else(|| env.cwd.clone(), |folder| env.path(folder));
    let own_name = args.own_name.as_deref().unwrap_or(&args.file);
    let client = Client::new(dialect, Role::Asker, &args.tracker, env).await?;
    let mut stop =
        env.stop.listen().map_err(|error| Failure::Failed(format!("cannot wait for signals: {error}")))?;
    let bar = env.bar(0, "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}  {wide_msg}");
    bar.set_message(plain(&args.file).into_owned());
    let progress = |Progress { bytes, bytes_max }: Progress| {
        bar.set_length(bytes_max.unwrap_or(bytes));
        bar.set_position(bytes);
    };
    let order = Order::new(&args.file, &folder, own_name, &progress)
        .map_err(|error| Failure::Misuse(plain(&error.to_string()).into_owned()))?;
    let fetched = tokio::select! {
        fetched = fetch(client, &args.file, &order) => fetched,
        () = stop.next() => Err(Failure::Failed("interrupted before all was there".to_owned())),
    };
    bar.finish_and_clear();
    let Fetched { path, bytes, check } = fetched?;
    if args.json {
        print_json(&Told { name: &args.file, path, bytes, verified: check.is_verified() }, env)?;
    } else {
        writeln!(env.stdout, "{}", plain(&path.to_string_lossy()))?;
    }
    env.note(check);
    Ok(())
}

async fn fetch(mut client: Client, file: &str, order: &Order<'_>) -> Result<Fetched, Failure> {
    if let Client::Chunklist { client, .. } = &client {
        return fetch_chunks(client, file, order).await;
    }
    let holders = client.look_up(file).await?;
    let parts = holders.iter().find_map(|holder| holder.parts).unwrap_or(0);
    let addresses: Vec<SocketAddr> = holders.iter().map(|holder| holder.address).collect();
    failing_fetch(match client {
        Client::Token(_) => fetch::parts(order, parts, &addresses).await,
        Client::Index(_) => fetch::download(order, &addresses).await,
        Client::Beacon(_) | Client::Chunklist { .. } => fetch::whole(order, &addresses).await,
    })
}

/// Seeders have names of their own: those with the same chunk list have the same file.
async fn fetch_chunks(client: &chunklist::Client, file: &str, order: &Order<'_>) -> Result<Fetched, Failure> {
    let seeders = failing(client.list().await)?;
    let (named, others): (Vec<Seeder>, Vec<Seeder>) =
        seeders.into_iter().partition(|seeder| seeder.name == file);
    let Some(first) = named.first() else { return Err(nobody(file)) };
    let chunks = failing(client.chunks(first).await)?;
    let mut same = named.clone();
    // Lists of one size only can be the same.
    for other in others.into_iter().filter(|other| other.size == first.size).take(OTHERS_MAX) {
        if client.chunks(&other).await.is_ok_and(|others| others == chunks) {
            same.push(other);
        }
    }
    let addresses: Vec<SocketAddr> = same.iter().map(|seeder| Holder::from(seeder).address).collect();
    failing_fetch(fetch::chunks(order, &chunks, &addresses).await)
}

fn failing_fetch(fetched: Result<Fetched, FetchError>) -> Result<Fetched, Failure> {
    fetched.map_err(|error| Failure::Failed(plain(&error.to_string()).into_owned()))
}
