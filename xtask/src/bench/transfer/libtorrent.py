"""libtorrent with one torrent: what other clients built on it do, without their windows.

Its arguments: ADDRESS TORRENT FOLDER

Prints `ready` once the session listens at ADDRESS, waits for SIGUSR1 so that Python's own start is not measured, adds
TORRENT over FOLDER, and prints `complete` when all of it is there and verified. Then it shares until it is ended.
"""

import signal
import sys

import libtorrent

address, torrent, folder = sys.argv[1:]
# Before the session starts its threads, which inherit it.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
session = libtorrent.session(
    {
        "listen_interfaces": f"{address}:6881",
        "alert_mask": libtorrent.alert.category_t.status_notification
        | libtorrent.alert.category_t.error_notification,
        # Peers are heard of from the tracker alone.
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        # Else it speaks uTP with its like, at a fraction of the rate.
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
    }
)
print("ready", flush=True)
signal.sigwait([signal.SIGUSR1])
session.add_torrent({"ti": libtorrent.torrent_info(torrent), "save_path": folder})
while True:
    session.wait_for_alert(1000)
    for alert in session.pop_alerts():
        if isinstance(alert, libtorrent.torrent_finished_alert):
            print("complete", flush=True)
        elif isinstance(alert, (libtorrent.torrent_error_alert, libtorrent.listen_failed_alert)):
            print(alert.message(), flush=True)
            sys.exit(1)
