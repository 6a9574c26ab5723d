use std::collections::HashSet;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use peer::classic::{Error, Files, Pace, Server, beacon, chunklist, index};
use serde::Serialize;
use swarm::Port;
use swarm::directory::{Extent, FileName};
use tokio::net::TcpListener;
use tokio::time::{Instant, interval_at, timeout};

use super::client::{Client, Role, address, failing};
use super::{name, print_json};
use crate::cli::{ClassicRegister, DialectArg};
use crate::env::{Env, Listening};
use crate::exit::{Failure, Outcome};
use crate::format::{plain, plural};

/// How long the tracker may take to hear that it is over.
const GOODBYE: Duration = Duration::from_secs(3);

/// A file that is offered.
struct Offered {
    name: String,
    path: PathBuf,
    bytes: u64,
}

/// What a script is told.
#[derive(Serialize)]
struct Told<'a> {
    dialect: &'static str,
    tracker: String,
    port: u16,
    files: Vec<&'a str>,
}

/// Offers files, and gives them away until it is told to stop.
pub(super) async fn run(dialect: DialectArg, args: &ClassicRegister, env: &mut Env) -> Outcome {
    let files = survey(dialect, args, env)?;
    if args.once && args.peer_port == 0 {
        return Err(Failure::Misuse(
            "--once needs --peer-port: the port where another program gives the files away".to_owned(),
        ));
    }
    let tracker = address(dialect, &args.tracker).await?;
    let client = Client::new(dialect, Role::Holder, &args.tracker, env).await?;
    let chunks = match dialect {
        DialectArg::Chunklist => hash(&files[0].path).await?,
        _ => Vec::new(),
    };
    let mut stop =
        env.stop.listen().map_err(|error| Failure::Failed(format!("cannot wait for signals: {error}")))?;
    let listener = match args.once {
        true => None,
        false => Some(listen(tracker.ip(), args.peer_port).await?),
    };
    let port = match &listener {
        Some(listener) => listener.local_addr().map_err(Failure::failed)?.port(),
        None => args.peer_port,
    };
    let serving = listener.map(|listener| {
        let pace = args.limit_up.map_or_else(Pace::free, Pace::limit);
        let server = Server::new(Arc::new(shelf(dialect, &files)), pace);
        Serving(tokio::spawn(async move { server.run(listener).await }))
    });
    let port = Port::new(port).ok_or_else(|| Failure::Failed("the system gave no port".to_owned()))?;
    let mut registration = Registration { client, port, files: &files, chunks };
    let registered = tokio::select! {
        registered = registration.register() => failing(registered)?,
        () = stop.next() => return Err(Failure::Failed("interrupted before the tracker answered".to_owned())),
    };
    if !registered {
        env.note("the tracker did not fetch the chunk list: those who ask it for the list will get none");
    }
    let tracker = tracker.to_string();
    if args.json {
        let files = files.iter().map(|file| &*file.name).collect();
        print_json(&Told { dialect: name(dialect), tracker: tracker.clone(), port: port.get(), files }, env)?;
        env.stdout.flush()?;
    }
    let count = plural(files.len() as u64, "file");
    if serving.is_none() {
        env.note(format_args!("{tracker} knows of {count} at port {}", port.get()));
        return Ok(());
    }
    env.note(format_args!("offering {count} at port {} until Ctrl-C", port.get()));
    registration.keep(&mut stop, env).await;
    if timeout(GOODBYE, registration.leave()).await.is_err() {
        env.note("the tracker does not answer: it will forget this peer after a while");
    }
    Ok(())
}

/// A task that ends with this.
struct Serving(tokio::task::JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What the tracker is told again and again.
struct Registration<'a> {
    client: Client,
    port: Port,
    files: &'a [Offered],
    /// In `chunklist`.
    chunks: Vec<[u8; 32]>,
}

impl Registration<'_> {
    /// Whether the tracker has got all that it is given.
    async fn register(&mut self) -> Result<bool, Error> {
        let (port, files) = (self.port, self.files);
        match &mut self.client {
            Client::Token(client) => {
                let parts = |file: &Offered| Extent::Bytes(file.bytes).parts().unwrap_or(0);
                let files: Vec<_> = files.iter().map(|file| (file.name.clone(), parts(file))).collect();
                client.register(port, &files).await?;
            }
            Client::Index(client) => {
                let files: Vec<_> = files.iter().map(|file| (file.name.clone(), file.bytes)).collect();
                client.register(port, &files).await?;
            }
            Client::Chunklist { client, name } => {
                let name = name.as_ref().unwrap_or(&files[0].name);
                return client.register(name, port, &self.chunks).await;
            }
            Client::Beacon(client) => {
                for file in files {
                    client.register(&file.name, port).await?;
                }
            }
        }
        Ok(true)
    }

    /// Beats until it is told to stop. A tracker that has forgotten, after a restart say, is told again.
    async fn keep(&mut self, stop: &mut Listening, env: &mut Env) {
        let every = match &self.client {
            Client::Token(_) => return stop.next().await,
            Client::Index(_) => index::HEARTBEAT,
            Client::Chunklist { .. } => chunklist::HEARTBEAT,
            Client::Beacon(_) => beacon::HEARTBEAT,
        };
        let mut beats = interval_at(Instant::now() + every, every);
        let mut is_known = true;
        loop {
            let beat = async {
                beats.tick().await;
                let beaten = if is_known { self.beat().await } else { Ok(()) };
                if beaten.is_ok() && is_known { Ok(()) } else { self.register().await.map(drop) }
            };
            let kept = tokio::select! {
                kept = beat => kept,
                () = stop.next() => return,
            };
            match &kept {
                Ok(()) if !is_known => env.note("the tracker knows of this peer again"),
                Err(error) if is_known => env.note(plain(&error.to_string())),
                _ => {}
            }
            is_known = kept.is_ok();
        }
    }

    async fn beat(&mut self) -> Result<(), Error> {
        match &mut self.client {
            Client::Token(_) => Ok(()),
            Client::Index(client) => client.keep_alive().await,
            Client::Chunklist { client, name } => {
                client.heartbeat(name.as_ref().unwrap_or(&self.files[0].name)).await
            }
            Client::Beacon(client) => client.heartbeat(self.port).await,
        }
    }

    /// Says goodbye.
    async fn leave(&mut self) {
        // It goes in any case.
        let _ = match &mut self.client {
            Client::Token(client) => client.exit(self.port).await,
            Client::Index(client) => client.exit().await,
            Client::Chunklist { client, name } => {
                client.exit(name.as_ref().unwrap_or(&self.files[0].name)).await
            }
            Client::Beacon(client) => client.exit(self.port).await,
        };
    }
}

/// Sees that everything named is a file that can be offered, before anything is begun.
fn survey(dialect: DialectArg, args: &ClassicRegister, env: &Env) -> Result<Vec<Offered>, Failure> {
    if dialect == DialectArg::Chunklist && args.files.len() > 1 {
        return Err(Failure::Misuse(
            "in `chunklist` a peer gives one file away, since its chunks are asked for by number alone"
                .to_owned(),
        ));
    }
    let (mut files, mut names) = (Vec::new(), HashSet::new());
    for given in &args.files {
        let path = env.path(given);
        let cannot = |why: String| Failure::Misuse(format!("cannot offer {}: {why}", path.display()));
        let metadata = std::fs::metadata(&path).map_err(|error| cannot(error.to_string()))?;
        if !metadata.is_file() {
            return Err(cannot("it is no file; these dialects know files only".to_owned()));
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| cannot("its name is no UTF-8".to_owned()))?;
        FileName::new(name).map_err(|error| cannot(error.to_string()))?;
        if !names.insert(name.to_owned()) {
            return Err(cannot("another file of that name is offered already".to_owned()));
        }
        files.push(Offered { name: name.to_owned(), bytes: metadata.len(), path });
    }
    Ok(files)
}

fn shelf(dialect: DialectArg, files: &[Offered]) -> Files {
    let mut shelf = Files::default();
    for file in files {
        // `survey` has seen that it is a name.
        let _ = shelf.add(&file.name, file.path.clone());
        if dialect == DialectArg::Chunklist {
            shelf.give_chunks_of(&file.name);
        }
    }
    shelf
}

async fn hash(path: &std::path::Path) -> Result<Vec<[u8; 32]>, Failure> {
    let at = path.to_owned();
    let hashing = tokio::task::spawn_blocking(move || chunklist::hash_chunks(&mut File::open(at)?));
    let hashed = hashing.await.map_err(Failure::failed)?;
    hashed.map_err(|error| Failure::Failed(format!("cannot hash {}: {error}", path.display())))
}

/// Listens for peers, on all addresses of the tracker's family.
async fn listen(tracker: IpAddr, port: u16) -> Result<TcpListener, Failure> {
    let any: IpAddr =
        if tracker.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    TcpListener::bind((any, port)).await.map_err(|error| match port {
        0 => Failure::Failed(format!("cannot listen for peers: {error}")),
        port => Failure::Misuse(format!(
            "cannot listen for peers on port {port}: {error}; choose another with --peer-port"
        )),
    })
}
