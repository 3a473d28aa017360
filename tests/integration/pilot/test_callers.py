"""Who calls workers and their client without being asked: nothing of theirs runs, and the work goes on."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import time

import pytest

from deeprc.pilot import Task
from here import shell
from pilots import wait_for

# Calls every warm worker whose name everybody can read, and the one that it is told, as a job's `python` does.
ATTACK = """
request = {"arguments": ["-c", f"open({sys.argv[2]!r}, 'w')"], "cwd": "/", "umask": 18, "environment": {}}
request = json.dumps(request).encode()
names = [line.split()[-1] for line in open('/proc/net/unix') if 'deeprc-warm' in line]
for name in [sys.argv[1], *names]:
    caller = socket.socket(socket.AF_UNIX)
    caller.settimeout(5)
    try:
        caller.connect(name.replace('@', chr(0)))
        socket.send_fds(caller, [len(request).to_bytes(8, 'big')], [0, 1, 2])
        caller.sendall(request)
        print(caller.recv(16))
    except OSError as error:
        print(type(error).__name__)
"""
WORDS = (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", os.urandom(5000))


def waits(uid: str) -> Task:
    """A job that tells the address of its worker, waits for the file `go`, and then says who its Python's parent is."""
    python = 'PATH=$DEEPRC_WARM_PATH:$PATH; python -c "import os; print(os.getppid())"'
    line = f"echo $DEEPRC_WARM > {uid}.address; while [[ ! -e {uid}.go ]]; do sleep 0.05; done; {python} > {uid}"
    return shell(uid, line, warm=("json",))


def address_of(uid: str, folder) -> str:
    path = folder / f"{uid}.address"
    wait_for(lambda: path.exists() and path.read_text().endswith("\n"), 30)
    return path.read_text().strip()


@pytest.mark.requires("root")
def test_another_user_has_a_warm_worker_run_nothing(here, stranger, tmp_path):
    pilot = here()
    pilot.workers.submit([waits("job")])
    address = address_of("job", tmp_path)
    assert stranger.run(ATTACK, address, tmp_path / "ran", modules=("json", "socket")) == "PermissionError\n"
    (tmp_path / "job.go").touch()
    assert pilot.get(20).state == "DONE"
    (process,) = pilot.processes.values()
    assert (tmp_path / "job").read_text() == f"{process.pid}\n"  # it stayed warm
    assert not (tmp_path / "ran").exists()


def test_who_asks_a_warm_worker_for_nothing_holds_nobody_up(here, tmp_path):
    """Silent ones, half a request, and what is none; not even from processes of our own user."""
    pilot = here()
    pilot.workers.submit([waits("job"), shell("long", "touch began; sleep 100", warm=("json",))])
    address = address_of("job", tmp_path).replace("@", "\0")
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(short(address))
        callers = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(200)]
        for index, caller in enumerate(callers):
            caller.settimeout(30)
            wait_for(lambda caller=caller: caller.connect_ex(place) == 0, 20)
            with contextlib.suppress(BrokenPipeError):  # hung up on already
                if index % 8 == 7:
                    socket.send_fds(caller, [(100).to_bytes(8, "big") + b'{"arguments": '], [0, 1, 2])
                else:
                    caller.sendall(WORDS[index % 4])
        (tmp_path / "job.go").touch()
        assert pilot.get(20).state == "DONE"
        (process,) = pilot.processes.values()
        assert (tmp_path / "job").read_text() == f"{process.pid}\n"
        wait_for((tmp_path / "began").exists, 20)
        last = stack.enter_context(socket.socket(socket.AF_UNIX))
        last.settimeout(30)
        last.connect(place)
        began = time.monotonic()
        assert last.recv(1) == b""
        assert time.monotonic() - began > 4
        pilot.workers.cancel(["long"])
        assert pilot.get(20).state == "CANCELED"
        assert not [caller for caller in callers if silent(caller)]


@contextlib.contextmanager
def short(address: str):
    """A short name of a socket's path."""
    if address[0] == "\0":
        yield address
        return
    folder, _, name = address.rpartition("/")
    number = os.open(folder, os.O_PATH)
    try:
        yield f"/proc/self/fd/{number}/{name}"
    finally:
        os.close(number)


def silent(caller: socket.socket) -> bool:
    """Whether the other side has not hung up, once it has said why."""
    caller.settimeout(0.1)
    try:
        while caller.recv(4096):
            pass
        return False
    except ConnectionResetError:
        return False
    except TimeoutError:
        return True


def test_strangers_at_the_clients_port_keep_no_worker_out(here):
    pilot = here(4, address="127.0.0.1")
    pilot.workers.submit([shell("first", "true")])
    assert pilot.get(20).state == "DONE"
    (process,) = pilot.processes.values()
    host, _, port = next(word for word in process.args if word.startswith("127.0.0.1:")).partition(":")
    with contextlib.ExitStack() as stack:
        for index in range(300):
            peer = stack.enter_context(socket.create_connection((host, port), timeout=10))
            with contextlib.suppress(OSError):  # hung up on already
                peer.sendall(WORDS[index % 8] if index % 8 < 4 else b"")
        with pytest.raises(OSError):
            tls = stack.enter_context(socket.create_connection((host, port), timeout=10))
            ssl.create_default_context().wrap_socket(tls, server_hostname="here")
        # More cores than the first has: others have to come.
        pilot.workers.submit([shell(str(index), "true", cores_per_rank=2) for index in range(2)])
        assert [pilot.get(20).state for _ in range(2)] == ["DONE"] * 2
