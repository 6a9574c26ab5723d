//! Whether holders that send no heartbeats are still there: somebody must answer at their own address and port.

use std::sync::Arc;
use std::time::Duration;

use swarm::Endpoint;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::classic::Registrar;

/// How long a holder may take to let a probe in.
const PROBE: Duration = Duration::from_secs(5);

/// Begins as many probes as are due and may be under way.
pub(super) fn begin(registrar: &Arc<Registrar>, probes: &mut JoinSet<()>) {
    while let Some(probe) = registrar.next_probe() {
        let registrar = registrar.clone();
        probes.spawn(async move { registrar.probed(probe.ticket, is_there(probe.endpoint).await) });
    }
}

async fn is_there(endpoint: Endpoint) -> bool {
    let connecting = TcpStream::connect(std::net::SocketAddr::from(endpoint));
    match timeout(PROBE, connecting).await {
        Ok(Ok(stream)) => !is_itself(&stream),
        _ => false,
    }
}

/// Whether a connection has met itself, as one to a port of this machine can that nobody listens at.
pub(super) fn is_itself(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(local), Ok(peer)) if local == peer)
}
