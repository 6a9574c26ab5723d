"""A tracker of the `chunklist` dialect as people write it: text over UDP. The lists themselves are not kept.

Usage: chunklist_tracker.py ADDRESS PORT [SECONDS]
"""

import socket
import sys
import time

SILENT_MAX = float(sys.argv[3]) if len(sys.argv) > 3 else 30

port = int(sys.argv[2])
tracker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
tracker.bind((sys.argv[1], port))
print("ready", flush=True)
seeders = {}  # name -> (ip, port, size, last heard)
while True:
    data, sender = tracker.recvfrom(65536)
    fields = [field.strip() for field in data.decode(errors="replace").split(";")]
    now = time.time()
    if fields[0] == "register":
        seeders[fields[1]] = (sender[0], int(fields[3]), int(fields[4]), now)
        tracker.sendto(f"get_chunk_list; {port + 1}".encode(), sender)
    elif fields[0] == "heartbeat" and fields[1] in seeders:
        ip, at, size, _ = seeders[fields[1]]
        seeders[fields[1]] = (ip, at, size, now)
    elif fields[0] == "list_seeder":
        seeders = {name: one for name, one in seeders.items() if one[3] > now - SILENT_MAX}
        listed = [(name, ip, at, port + 2, size) for name, (ip, at, size, _) in seeders.items()]
        try:
            tracker.sendto(str(listed).encode(), sender)
        except OSError:
            tracker.sendto(str(listed[:500]).encode(), sender)
