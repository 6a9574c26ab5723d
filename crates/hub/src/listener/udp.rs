//! The UDP tracker (BEP 15): a thread a core, each with a socket of its own on every address.

mod batch;
mod connection_id;
mod service;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::sockets::{self, Transport};
use crate::config::UdpConfig;
use crate::tracker::{Metric, Tracker};
use batch::Batch;
pub use connection_id::ConnectionIds;
pub use service::Service;

/// How long a thread waits for a datagram before it looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(200);

/// Bound sockets, not yet served.
pub struct UdpListener {
    addresses: Vec<SocketAddr>,
    sockets: Vec<UdpSocket>,
}

/// Threads that serve UDP. Dropping it lets them go on; [`Serving::stop`] ends them.
pub struct Serving {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl UdpListener {
    /// Binds every address of `listen`.
    ///
    /// # Errors
    ///
    /// An address cannot be listened on: which, why, and what to do.
    pub fn bind(listen: &[SocketAddr], config: &UdpConfig) -> io::Result<Self> {
        let workers = match config.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let mut listener = Self { addresses: Vec::new(), sockets: Vec::new() };
        for address in sockets::possible(listen) {
            let shared = sockets::bind(address, Transport::Udp, workers, sockets::FLAG)?;
            listener.addresses.push(shared.first().map_or(Ok(address), sockets::local_address)?);
            for socket in shared {
                // The kernel grants what its own limit allows; less is no error.
                socket.set_recv_buffer_size(config.buffer_bytes)?;
                socket.set_send_buffer_size(config.buffer_bytes)?;
                socket.set_read_timeout(Some(PATIENCE))?;
                listener.sockets.push(socket.into());
            }
        }
        Ok(listener)
    }

    /// The addresses bound, with the ports that the system chose.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Starts answering.
    ///
    /// # Errors
    ///
    /// Those of starting a thread.
    pub fn serve(self, tracker: &Arc<Tracker>) -> io::Result<Serving> {
        let stop = Arc::<AtomicBool>::default();
        let connections = ConnectionIds::random();
        let start = |socket: UdpSocket| {
            let address = socket.local_addr()?;
            let service = Service::new(tracker.clone(), connections.clone());
            let stop = stop.clone();
            let run = move || serve(&socket, Batch::new(address), service, &stop);
            std::thread::Builder::new().name("udp".into()).spawn(run)
        };
        let threads = self.sockets.into_iter().map(start).collect::<io::Result<_>>()?;
        Ok(Serving { stop, threads })
    }
}

impl Serving {
    /// Lets each thread answer what it has in hand, and ends it.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a UDP thread ended in a panic");
            }
        }
    }
}

fn serve(socket: &UdpSocket, mut batch: Batch, mut service: Service, stop: &AtomicBool) {
    let mut failing = false;
    while !stop.load(Ordering::Relaxed) {
        match batch.receive(socket) {
            Ok(()) => failing = false,
            Err(error) if is_passing(&error) => continue,
            Err(error) => {
                // Said once, not for each try.
                if !failing {
                    tracing::error!(%error, "cannot receive UDP datagrams");
                }
                failing = true;
                std::thread::sleep(PATIENCE);
                continue;
            }
        }
        service.tick();
        service.prefetch(batch.requests());
        batch.answer(|datagram, from, answer| service.answer(datagram, from, answer));
        let unsent = batch.send(socket);
        service.counters().add(Metric::SendFailed, unsent);
    }
}

/// Whether the next try may well succeed: nothing came, a signal, or a client that was not there for its answer.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted | ConnectionRefused | ConnectionReset)
}
