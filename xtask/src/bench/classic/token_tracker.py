"""A tracker of the `token` dialect as people write it: JSON over TCP, a thread a connection, one request each.

Usage: token_tracker.py ADDRESS PORT [SECONDS]

Nobody is ever forgotten.
"""

import json
import socket
import sys
import threading

lock = threading.Lock()
peers = {}  # peer id -> (ip, port, {name: parts})


def answer(request, ip):
    peer_id = request["peer_id"]
    if request["type"] == "AUTH":
        return {"status": "OK", "token": "token_" + peer_id}
    if request.get("token") != "token_" + peer_id:
        return {"status": "FAIL", "reason": "Invalid token"}
    with lock:
        if request["type"] == "REGISTER":
            peers[peer_id] = (ip, request["port"], request["files"])
            return {"status": "REGISTERED"}
        name = request["file_name"]
        found, parts = [], 0
        for other, (other_ip, port, files) in peers.items():
            if name in files:
                parts = files[name]
                if other != peer_id:
                    found.append({"peer_id": other, "ip": other_ip, "port": port})
        return {"peers": found, "total_parts": parts}


def serve(connection, ip):
    with connection:
        received = b""
        while True:
            data = connection.recv(8192)
            if not data:
                return
            received += data
            try:
                request = json.loads(received)
            except ValueError:
                continue
            connection.sendall(json.dumps(answer(request, ip)).encode())
            return


listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=128)
print("ready", flush=True)
while True:
    client, address = listener.accept()
    threading.Thread(target=serve, args=(client, address[0]), daemon=True).start()
