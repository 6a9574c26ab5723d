"""One torrent, shared through libtorrent: libtorrent.py FOLDER SOURCE

SOURCE is a .torrent file or a magnet link. What is in FOLDER already is verified; the rest is fetched; then it is seeded
until the process is killed. Peers are heard of from the torrent's trackers alone.
"""

import sys
import time

import libtorrent as lt

folder, source = sys.argv[1:]
session = lt.session({
    "listen_interfaces": "0.0.0.0:6881,[::]:6881",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    # uTP is tried first and given up late where nobody speaks it.
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "min_announce_interval": 1,
    "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.tracker_notification
    | lt.alert.category_t.status_notification | lt.alert.category_t.peer_notification,
})
if source.startswith("magnet:"):
    parameters = lt.parse_magnet_uri(source)
else:
    parameters = lt.add_torrent_params()
    parameters.ti = lt.torrent_info(source)
parameters.save_path = folder
parameters.flags |= lt.torrent_flags.disable_pex
torrent = session.add_torrent(parameters)
while True:
    session.wait_for_alert(1000)
    for alert in session.pop_alerts():
        print(f"{time.strftime('%T')} {alert.message()}", flush=True)
