"""Where workers call: real sockets, and callers of all kinds."""

from __future__ import annotations

import queue
import resource
import secrets
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from deeprc.pilot import gate
from deeprc.pilot.gate import Gate
from deeprc.pilot.worker.line import NONCE, PROOF, Line, read

LATE = 0.2  # seconds


class Door:
    """A gate that is listened to, and callers of it."""

    def __init__(self, folder) -> None:
        self.gate, self.lines = Gate(folder, "127.0.0.1"), queue.SimpleQueue()
        self.thread = threading.Thread(target=lambda: [*map(self.lines.put, self.gate.workers())])
        self.thread.start()
        self.key = self.gate.keyfile.read_bytes()

    def call(self) -> socket.socket:
        return socket.create_connection(self.gate.address.rsplit(":", 1), timeout=10)

    def prove(self, key: bytes) -> Line:
        peer = self.call()
        theirs, own = read(peer, NONCE), secrets.token_bytes(NONCE)
        line = Line(peer, key, theirs + own, worker=True)
        peer.sendall(own + line.proof)
        assert read(peer, PROOF) == line.expected
        return line


@pytest.fixture
def door(tmp_path):
    made = Door(tmp_path)
    yield made
    made.gate.close()
    made.thread.join(10)
    assert not made.thread.is_alive()


def test_who_knows_the_key_gets_in_and_both_hear_each_other(door):
    worker, client = door.prove(door.key), door.lines.get(timeout=10)
    for text in ("one", "two"):
        worker.send({"text": text})
        assert client.receive() == {"text": text}
        client.send({"answer": text})
        assert worker.receive() == {"answer": text}


def test_who_does_not_is_hung_up_on(door):
    with pytest.raises(EOFError):
        door.prove(secrets.token_bytes(32))
    assert door.lines.empty()


def test_our_own_words_are_no_proof(door):
    """What the client says is of no use to a caller: a proof is the worker's, for this nonce."""
    peer, other = door.call(), door.call()
    said = read(peer, NONCE)
    other.sendall(said + said)
    with pytest.raises(EOFError):
        read(other, NONCE + PROOF)


@pytest.mark.parametrize("change", ["repeated", "changed", "another's"])
def test_a_message_that_is_not_the_workers_ends_the_line(door, change):
    worker, client = door.prove(door.key), door.lines.get(timeout=10)
    sent = bytearray()
    peer, worker._peer = worker._peer, type("Tap", (), {"sendall": lambda _, data: sent.extend(data)})()
    worker.send({"code": 1})
    if change == "another's":
        other, _ = door.prove(door.key), door.lines.get(timeout=10)
        other._peer.sendall(sent)
        client = _
    elif change == "changed":
        peer.sendall(sent.replace(b"1", b"0"))
    else:
        peer.sendall(sent * 2)
        assert client.receive() == {"code": 1}
    with pytest.raises(EOFError):
        client.receive()


def test_who_is_silent_or_slow_is_hung_up_on(door, monkeypatch):
    monkeypatch.setattr(gate, "PATIENCE", LATE)
    for words in (b"", b"GET"):
        peer = door.call()
        peer.sendall(words)
        with pytest.raises(EOFError):
            read(peer, NONCE + 1)


def test_where_too_many_are_silent_the_oldest_goes(door, monkeypatch):
    monkeypatch.setattr(gate, "STRANGERS", 3)
    silent = [door.call() for _ in range(5)]
    for peer in silent:
        read(peer, NONCE)
    for peer in silent[:2]:
        assert peer.recv(1) == b""
    door.prove(door.key)  # for which one more has to go
    assert silent[2].recv(1) == b""
    silent[3].settimeout(LATE)
    with pytest.raises(TimeoutError):
        silent[3].recv(1)


def test_strangers_leave_files_for_our_own_work(door):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    code = "import socket, sys\nmade = [socket.create_connection(sys.argv[1:], 10) for _ in range(200)]\n"
    code += "print(flush=True)\ninput()"
    callers = subprocess.Popen(
        [sys.executable, "-c", code, *door.gate.address.rsplit(":", 1)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    open_ones = len([*Path("/proc/self/fd").iterdir()])
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_ones + 80, before[1]))
    try:
        assert callers.stdout.readline() == b"\n"
        subprocess.run(["true"], check=True)
        door.prove(door.key)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        callers.communicate(b"\n")


def test_a_local_one_is_closed_to_others_and_its_folder_may_be_deep(tmp_path):
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()
    made = Gate(folder, None)
    (place,) = folder.glob("*.socket")
    assert made.address == str(place)
    assert place.stat().st_mode & 0o777 == 0o600
    made.close()
    assert [*made.workers()] == []
