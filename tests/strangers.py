"""What a second user of the machine tries with the ports of a run: code for `conftest.Stranger`, and what listens."""

from __future__ import annotations

import json
from pathlib import Path

import psutil

from conftest import Stranger
from pilots import survivors

MODULES = ("json", "random", "socket", "time", "encodings.idna", "msgpack", "zmq", "zmq.utils.monitor")
# To each port a socket of every kind that RADICAL-Pilot's may answer, in so many seconds: who was let in, and what they
# were told.
TALK = """
key, seconds, *ports = sys.argv[1:]
key = key.encode()
put = {"cmd": "put", "args": ["stranger", "was here"], "kwargs": {}}
ask = {"cmd": "keys", "args": [], "kwargs": {}}
cancel = {"cmd": "cancel_pilots", "arg": {"uids": ["pilot.0000"]}}
found = {"let in": [], "told": []}
for kind in (zmq.REQ, zmq.SUB, zmq.PUSH, zmq.PUB):
    context, poller, monitors, sockets = zmq.Context(), zmq.Poller(), {}, {}
    for port in ports:
        socket = context.socket(kind)
        socket.linger = 0
        if key:
            socket.curve_serverkey = key
            socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        if kind == zmq.SUB:
            socket.subscribe(b"")
        monitors[socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)] = port
        socket.connect(f"tcp://127.0.0.1:{port}")
        sockets[socket] = port
        words = {zmq.REQ: msgpack.packb(ask if key else put), zmq.PUSH: None if key else b"\\xc1"}.get(kind)
        try:
            if words is not None:
                socket.send(words, zmq.NOBLOCK)
        except zmq.Again:
            pass  # turned away before it could say anything
    for socket in [*monitors, *sockets]:
        if socket in monitors or kind in (zmq.REQ, zmq.SUB):
            poller.register(socket, zmq.POLLIN)
    end = time.monotonic() + float(seconds)
    while (left := end - time.monotonic()) > 0:
        for socket, _ in poller.poll(1000 * left):
            if socket in monitors:
                zmq.utils.monitor.recv_monitor_message(socket)
                found["let in"].append(monitors[socket])
                end = time.monotonic() + 1
            else:
                found["told"].append(repr(socket.recv_multipart()))
    if kind == zmq.PUB and not key:
        for socket in sockets:
            socket.send(b"control_pubsub " + msgpack.packb(cancel))
        time.sleep(0.5)
    context.destroy(linger=0)
print(json.dumps(found))
"""
# What each port says of itself to one who begins as ZeroMQ does, without keys.
GREET = """
greeting = b"\\xff" + bytes(8) + b"\\x7f\\x03\\0"  # without a mechanism: one that is not theirs ends the talk
said = {}
for port in sys.argv[1:]:
    with socket.create_connection(("127.0.0.1", int(port)), 5) as line:
        line.settimeout(2)
        line.sendall(greeting)
        answer = b""
        try:
            while len(answer) < 64:
                answer += line.recv(64 - len(answer)) or bytes(64)
        except OSError:
            pass
        said[port] = answer[12:32].rstrip(b"\\0").decode(errors="replace")
print(json.dumps(said))
"""
COMMAND = """
answers = []
for port in sys.argv[1:]:
    with socket.create_connection(("127.0.0.1", int(port)), 5) as line:
        line.settimeout(0.05)
        line.sendall(b'{"cmd": "nothing", "arg": {}}')
        try:
            answers.append(line.recv(100))
        except OSError:
            pass
print(json.dumps([repr(answer) for answer in answers if not b"\\xff\\0".startswith(answer[:2])]))
"""
SCAN = """
hello = b"\\x16\\x03\\x01\\x02\\x00\\x01\\x00\\x01\\xfc\\x03\\x03" + random.randbytes(506)
for port in sys.argv[1:]:
    for data in (hello, b"GET / HTTP/1.0\\r\\n\\r\\n", random.randbytes(300)):
        try:
            with socket.create_connection(("127.0.0.1", int(port)), 5) as line:
                line.settimeout(0.02)
                line.sendall(data)
                line.recv(100)
        except OSError:
            pass
print(json.dumps(len(sys.argv) - 1))
"""


def listening(folder: Path, *, besides: int | None = None) -> list[int]:
    """The TCP ports on which the processes of a run in `folder` listen, `besides` one of them and those of Slurm."""
    found: set[int] = set()
    for pid in survivors(folder).keys() - {besides}:
        try:
            process = psutil.Process(pid)
            sockets = [] if process.name() == "srun" else process.net_connections(kind="tcp")
        except (psutil.Error, OSError):  # it has just ended
            continue
        found |= {each.laddr.port for each in sockets if each.status == psutil.CONN_LISTEN}
    return sorted(found)


def attempt(stranger: Stranger, code: str, *arguments: object) -> object:
    """What one of these finds."""
    return json.loads(stranger.run(code, *arguments, modules=MODULES, timeout=180).splitlines()[-1])
