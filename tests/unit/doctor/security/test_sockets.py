"""What processes listen on, whose it is, and who may call: real sockets and processes of the tests' own."""

import contextlib
import os
import socket
import subprocess
import sys
import threading

import psutil
import pytest

from deeprc.core.ownership import user
from deeprc.doctor.security import sockets
from deeprc.doctor.security.knock import knock
from deeprc.doctor.security.listening import RunningPilot, Socket, owners, pilots
from deeprc.pilot import Task
from deeprc.pilot.processes import TASK
from deeprc.pilot.started import PROGRAM
from here import Here
from pilots import wait_for

ALONE = "expected a socket that its owner alone can call"
NULL = "answers everybody who calls (ZeroMQ, mechanism NULL); expected CURVE"


ZEROMQ = """
context, ports = zmq.Context(), []
for address in sys.argv[1:]:
    server = context.socket(zmq.PULL)
    if address == "curve":
        _, server.curve_secretkey = zmq.curve_keypair()
        server.curve_server, address = True, "127.0.0.1"
    ports.append(server.bind_to_random_port(f"tcp://{address}"))
    sockets.append(server)
say(*ports)
"""
TCP = """
server = socket.create_server(("127.0.0.1", 0))
say(server.getsockname()[1])
server.setblocking(False)
try:
    server.accept()
    say("called")
except BlockingIOError:
    say("not called")
"""
UNIX = """
place, name, mode, folder = sys.argv[1:]
server = socket.socket(socket.AF_UNIX)
server.bind(name.format(os.open(place, os.O_PATH)))
os.chmod(f"{place}/s", int(mode, 8))
os.chmod(place, int(folder, 8))
server.listen()
say("")
"""
ABSTRACT = """
server = socket.socket(socket.AF_UNIX)
server.bind("\\0" + sys.argv[1])
server.listen()
say("")
"""


@pytest.fixture
def process():
    """A function that starts a process which listens as `code` says; it, and the words that it says first.

    Not the tests' own process: other tests have it listen, too.
    """
    head = "import os, socket, sys, zmq\nsockets = []\n"
    head += "def say(*words):\n    print(*words, flush=True)\n    sys.stdin.readline()\n"
    with contextlib.ExitStack() as stack:

        def start(code, *arguments):
            started = subprocess.Popen(
                [sys.executable, "-c", head + code, *map(str, arguments)], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            stack.callback(started.wait, 20)
            stack.callback(started.stdin.close)
            return started, started.stdout.readline().split()

        yield start


def found(folder, process, owner):
    return sockets._sockets(RunningPilot(folder, {process.pid: owner}))


def rows(outcomes):
    return [(one.subject, one.status, one.text) for one in outcomes]


def test_a_socket_without_curve_fails_and_those_with_it_are_one_row(tmp_path, process):
    part, ports = process(ZEROMQ, "127.0.0.1", "0.0.0.0", "curve", "curve")
    alone, everywhere, *keyed = map(int, ports)
    told = found(tmp_path, part, "RADICAL-Pilot")
    assert sorted(rows(told[:2])) == [
        ("RADICAL-Pilot", "failed", f"0.0.0.0:{everywhere}: {NULL}; on every network of this machine"),
        ("RADICAL-Pilot", "failed", f"127.0.0.1:{alone}: {NULL}"),
    ]
    between = f"2 ports of 127.0.0.1, between {min(keyed)} and {max(keyed)}"
    assert rows(told[2:]) == [
        ("RADICAL-Pilot", "ok", f"{between}: closed to whoever has not the key of this run (CURVE)")
    ]
    assert [one.fix for one in told] == [sockets.END, sockets.END, None]
    figures = sorted(told[0].figures, key=lambda row: row["socket"])
    assert figures[0] == {
        "socket": f"0.0.0.0:{everywhere}",
        "process": "RADICAL-Pilot",
        "program": psutil.Process(part.pid).name(),
        "pid": part.pid,
        "answer": "open",
    }
    assert sorted(row["answer"] for row in figures) == ["curve", "curve", "open", "open"]


@pytest.mark.parametrize(
    ("owner", "fix"), [("worker", sockets.END), ("Snakemake", f"{sockets.PLUGIN}; else {sockets.END}")]
)
def test_a_port_that_other_machines_can_reach_is_told(owner, fix):
    with socket.create_server(("0.0.0.0", 0)) as server:
        line, _ = f"0.0.0.0:{server.getsockname()[1]}", server.listen()
        threading.Thread(target=lambda: server.accept()[0].sendall(b"SSH-2.0"), daemon=True).start()
        told = sockets.judge(Socket("tcp", line, os.getpid(), "python", owner), None)
    text = "answers, in no way that Deep RC knows; expected CURVE; on every network of this machine"
    assert told == ("failed", text, fix, "unknown")


@pytest.mark.parametrize(
    ("client", "fix"),
    [(123, "look again; if it stays so, the run may hang: `kill 123` ends it"), (None, sockets.GONE)],
)
def test_a_port_that_stays_silent_is_no_proof(monkeypatch, client, fix):
    """Its process hangs, and the kernel takes callers in."""
    monkeypatch.setattr(sockets, "knock", lambda *port: knock(*port, patience=0.2))
    with socket.create_server(("127.0.0.1", 0)) as server:
        line = f"127.0.0.1:{server.getsockname()[1]}"
        told = sockets.judge(Socket("tcp", line, 4567, "python", "RADICAL-Pilot"), client)
    text = "process 4567 does not answer, which is neither well nor proof of a hole; expected CURVE"
    assert told == ("warning", text, fix, "nothing")


def test_a_jobs_own_socket_is_not_tried(tmp_path, process):
    job, (port,) = process(TCP)
    (told,) = found(tmp_path, job, "job")
    name = psutil.Process(job.pid).name()
    assert (told.status, told.text) == ("warning", f"127.0.0.1:{port}: opened by {name}, process {job.pid}")
    job.stdin.write("\n")
    job.stdin.flush()
    assert job.stdout.readline() == "not called\n"


@pytest.mark.parametrize(
    ("folder", "file", "status", "text"),
    [
        ("700", "666", "ok", "closed to everybody but {me} (modes of socket and folder)"),
        ("755", "600", "ok", "closed to everybody but {me} (modes of socket and folder)"),
        ("755", "666", "failed", f"its mode is 0666, its folder's 0755; {ALONE}"),
        ("777", "600", "failed", f"its folder is writable by everybody (mode 0777); {ALONE}"),
    ],
)
@pytest.mark.parametrize("name", ["{place}/s", "/proc/self/fd/{{}}/s"])  # by the folder's number: a name is short
def test_unix_sockets_by_their_modes(tmp_path, process, folder, file, status, text, name):
    place = tmp_path / "place"
    place.mkdir()
    part, _ = process(UNIX, place, name.format(place=place), file, folder)
    (told,) = found(tmp_path, part, "Snakemake")
    assert (told.status, told.text) == (status, f"…/place/s: {text.format(me=user(os.geteuid()))}")
    assert told.figures[0]["socket"] == str(place / "s")


@pytest.mark.parametrize(("name", "status"), [("deeprc-0123", "ok"), ("another", "failed")])
def test_a_socket_without_a_place_is_called_by_everybody_unless_it_is_ours(tmp_path, process, name, status):
    part, _ = process(ABSTRACT, name)
    (told,) = found(tmp_path, part, "worker")
    assert (told.status, told.text.partition(":")[0]) == (status, f"@{name}")


def test_nothing_is_listened_on(tmp_path, process):
    part, _ = process("say('')")
    assert rows(found(tmp_path, part, "worker")) == [(tmp_path.name, "ok", "its processes listen on nothing")]


def test_what_a_worker_has_started_is_a_jobs_and_what_starts_one_too(tmp_path):
    pilot = Here(tmp_path, 1)
    command = "env -i sleep 60 & wait"
    launcher = subprocess.Popen(["sh", "-c", command, "srun", "python", str(PROGRAM)], env={TASK: "worker.1"})
    try:
        pilot.workers.submit([Task("a", ["/bin/sh", "-c", command])])
        wait_for(lambda: pilot.processes, 20)
        (process,) = pilot.processes.values()
        worker = psutil.Process(process.pid)
        wait_for(lambda: len(worker.children(recursive=True)) == 2, 20)
        wait_for(lambda: psutil.Process(launcher.pid).children(), 20)
        shell, sleep = worker.children(recursive=True)
        (own,) = psutil.Process(launcher.pid).children()
        mine = [psutil.Process(), worker, shell, sleep, psutil.Process(launcher.pid), own]
        found = owners(mine)
    finally:
        own.kill()
        launcher.wait(10)
        pilot.close()
    assert [found[each.pid] for each in mine] == ["RADICAL-Pilot", "worker", "job", "job", "job", "job"]


def test_of_a_batch_job_the_processes_on_its_node_are_found(tmp_path):
    """They stand in the pilot's folder; its broker is on another machine."""
    place = tmp_path / ".deeprc" / "runs" / "20260101T000000-1" / "pilot-1" / "sandbox"
    place.mkdir(parents=True)
    code = "import os, subprocess; subprocess.run(['sh', '-c', 'cd /; echo $$; exec sleep 60'])"
    agent = subprocess.Popen([sys.executable, "-c", code], cwd=place, stdout=subprocess.PIPE, text=True)
    try:
        child = int(agent.stdout.readline())
        (pilot,) = (each for each in pilots(tmp_path / ".deeprc") if each.folder.is_relative_to(tmp_path))
    finally:
        psutil.Process(child).kill()
        agent.wait(10)
    assert pilot == RunningPilot(place.parent, {agent.pid: "RADICAL-Pilot", child: "RADICAL-Pilot"})


def test_the_library_keeps_strangers_out():
    (found,) = sockets.libzmq()
    assert (found.status, found.fix) == ("ok", None)
    assert found.text.endswith("has CURVE, and hangs up on callers without a key")
