"""A tracker of the `beacon` dialect as people write it: JSON over UDP.

Usage: beacon_tracker.py ADDRESS PORT [SECONDS]
"""

import json
import socket
import sys
import time

SILENT_MAX = float(sys.argv[3]) if len(sys.argv) > 3 else 30

tracker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
tracker.bind((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
files = {}  # name -> set of (ip, port)
heard = {}  # (ip, port) -> when
swept = time.time()
while True:
    data, sender = tracker.recvfrom(65536)
    ip = sender[0]
    message = json.loads(data)
    now = time.time()
    if now > swept + 1:
        swept = now
        gone = {peer for peer, at in heard.items() if at < now - SILENT_MAX}
        for peer in gone:
            del heard[peer]
        for holders in files.values():
            holders -= gone
    peer = (ip, message.get("port"))
    if message["action"] == "REGISTER":
        files.setdefault(message["filename"], set()).add(peer)
        heard[peer] = now
    elif message["action"] == "HEARTBEAT":
        heard[peer] = now
    elif message["action"] == "EXIT":
        heard.pop(peer, None)
        for holders in files.values():
            holders.discard(peer)
    elif message["action"] == "REQUEST":
        holders = [list(one) for one in files.get(message["filename"], ())]
        try:
            tracker.sendto(json.dumps(holders).encode(), sender)
        except OSError:
            tracker.sendto(json.dumps(holders[:500]).encode(), sender)
