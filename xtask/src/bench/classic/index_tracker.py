"""A tracker of the `index` dialect as people write it: JSON lines over TCP, a thread a connection.

Usage: index_tracker.py ADDRESS PORT [SECONDS]
"""

import json
import socket
import sys
import threading
import time

SILENT_MAX = float(sys.argv[3]) if len(sys.argv) > 3 else 15

lock = threading.Lock()
peers = {}  # user name -> [ip, port, {name: size}, last heard]


def answer(request, ip):
    user = request.get("username")
    with lock:
        if request["command"] == "register":
            peers[user] = [ip, request["port"], dict.fromkeys(request["files"], 0), time.time()]
            return {"status": "ok"}
        if request["command"] == "keep_alive":
            peers[user][3] = time.time()
            return {"status": "ok"}
        if request["command"] == "exit":
            peers.pop(user, None)
            return {"status": "ok"}
        name = request["filename"]
        found = [
            {"username": other, "ip": other_ip, "port": port, "size": files[name]}
            for other, (other_ip, port, files, _) in peers.items()
            if name in files and other != user
        ]
        return {"status": "ok" if found else "not_found", "filename": name, "peers": found}


def forget():
    while True:
        time.sleep(1)
        with lock:
            for user in [user for user, peer in peers.items() if peer[3] < time.time() - SILENT_MAX]:
                del peers[user]


def serve(connection, ip):
    with connection, connection.makefile("rwb") as stream:
        for line in stream:
            stream.write(json.dumps(answer(json.loads(line), ip)).encode() + b"\n")
            stream.flush()


threading.Thread(target=forget, daemon=True).start()
listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=128)
print("ready", flush=True)
while True:
    client, address = listener.accept()
    threading.Thread(target=serve, args=(client, address[0]), daemon=True).start()
