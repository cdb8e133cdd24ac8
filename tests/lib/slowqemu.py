#!/usr/bin/env python3
"""A QEMU that only talks: QMP on descriptor 3. It takes its time to write a state, as a real one does on
a busy machine, and says that it has begun at once."""
import array
import json
import os
import socket
import time

qmp = socket.socket(fileno=3)
text = b""
state = -1


def say(message):
    qmp.sendall(json.dumps(message).encode() + b"\r\n")


def event(name, **data):
    say({"event": name, "timestamp": {"seconds": 0, "microseconds": 0}, "data": data})


def migration(status):
    event("MIGRATION", status=status)


def answer(command):
    global state
    name = command["execute"]
    say({"return": {}, **({"id": command["id"]} if "id" in command else {})})
    if name == "migrate-incoming":
        migration("active")
        migration("completed")
        event("RESUME")
    elif name == "migrate":
        migration("active")
        time.sleep(0.5)
        os.write(state, b"whole")
        migration("completed")


say({"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""}, "capabilities": []}})
while True:
    data, ancillary, _, _ = qmp.recvmsg(65536, socket.CMSG_SPACE(4))
    if not data:
        break
    for level, kind, value in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            state = array.array("i", value[:4])[0]
    text += data
    *lines, text = text.split(b"\n")
    for line in lines:
        if line.strip():
            answer(json.loads(line))
