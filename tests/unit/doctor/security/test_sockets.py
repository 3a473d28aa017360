"""What processes listen on, whose it is, and who may call: real sockets and processes of the tests' own."""

import contextlib
import os
import socket
import subprocess
import sys

import psutil
import pytest
import zmq

from deeprc.doctor.security import sockets
from deeprc.doctor.security.listening import Pilot, Socket, owners, pilots
from deeprc.ownership import user
from deeprc.pilot import Task
from deeprc.pilot.processes import TASK
from deeprc.pilot.workers import PROGRAM
from here import Here
from pilots import wait_for

ALONE = "expected a socket that its owner alone can call"
NULL = "answers everybody who calls (ZeroMQ, mechanism NULL); expected CURVE"


@pytest.fixture
def bound():
    """A function that binds a ZeroMQ socket at an address, with CURVE or without; its port."""
    with zmq.Context() as context, contextlib.ExitStack() as stack:

        def bind(address, *, curve=False):
            server = stack.enter_context(context.socket(zmq.PULL))
            if curve:
                _, server.curve_secretkey = zmq.curve_keypair()
                server.curve_server = True
            return server.bind_to_random_port(f"tcp://{address}")

        yield bind


def rows(outcomes, *, sort=False):
    found = [(one.subject, one.status, one.text) for one in outcomes]
    return sorted(found) if sort else found


def test_a_socket_without_curve_fails_and_those_with_it_are_one_row(tmp_path, bound):
    alone, everywhere = bound("127.0.0.1"), bound("0.0.0.0")
    low, high = sorted(bound("127.0.0.1", curve=True) for _ in range(2))
    found = sockets._sockets(Pilot(tmp_path, {os.getpid(): "RADICAL-Pilot"}))
    assert rows(found[:2], sort=True) == [
        ("RADICAL-Pilot", "failed", f"0.0.0.0:{everywhere}: {NULL}; on every network of this machine"),
        ("RADICAL-Pilot", "failed", f"127.0.0.1:{alone}: {NULL}"),
    ]
    curve = "closed to whoever has not the key of this run (CURVE)"
    assert rows(found[2:]) == [
        ("RADICAL-Pilot", "ok", f"2 ports of 127.0.0.1, between {low} and {high}: {curve}"),
    ]
    assert [one.fix for one in found] == [sockets.END, sockets.END, None]
    told = sorted(found[0].figures, key=lambda row: row["socket"])
    assert told[0] == {
        "socket": f"0.0.0.0:{everywhere}",
        "process": "RADICAL-Pilot",
        "program": psutil.Process().name(),
        "pid": os.getpid(),
        "answer": "open",
    }
    assert sorted(row["answer"] for row in told) == ["curve", "curve", "open", "open"]


def test_a_port_that_other_machines_can_reach_is_told(tmp_path):
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        status, text, _, answer = sockets.judge(Socket("tcp", f"0.0.0.0:{port}", os.getpid(), "python", "worker"))
    assert (status, answer) == ("failed", "nothing")
    assert text == "accepts everybody who calls, and waits; expected CURVE; on every network of this machine"


def test_a_jobs_own_socket_is_not_tried(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        (found,) = sockets._sockets(Pilot(tmp_path, {os.getpid(): "job"}))
        me = f"{psutil.Process().name()}, process {os.getpid()}"
        assert (found.status, found.text) == ("warning", f"{address}: opened by {me}")
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize(
    ("folder", "file", "status", "text"),
    [
        (0o700, 0o666, "ok", "closed to everybody but {me} (modes of socket and folder)"),
        (0o755, 0o600, "ok", "closed to everybody but {me} (modes of socket and folder)"),
        (0o755, 0o666, "failed", f"its mode is 0666, its folder's 0755; {ALONE}"),
        (0o777, 0o600, "failed", f"its folder is writable by everybody (mode 0777); {ALONE}"),
    ],
)
@pytest.mark.parametrize("by_number", [False, True])  # of the folder: a socket's name is short
def test_unix_sockets_by_their_modes(tmp_path, folder, file, status, text, by_number):
    place = tmp_path / "place"
    place.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        held = os.open(place, os.O_PATH)
        server.bind(f"/proc/self/fd/{held}/s" if by_number else str(place / "s"))
        os.close(held)
        server.listen()
        (place / "s").chmod(file)
        place.chmod(folder)
        (found,) = sockets._sockets(Pilot(tmp_path, {os.getpid(): "Snakemake"}))
    assert (found.status, found.text) == (status, f"…/place/s: {text.format(me=user(os.geteuid()))}")
    assert found.figures[0]["socket"] == str(place / "s")


@pytest.mark.parametrize(("name", "status"), [("deeprc-0123", "ok"), ("another", "failed")])
def test_a_socket_without_a_place_is_called_by_everybody_unless_it_is_ours(tmp_path, name, status):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{name}")
        server.listen()
        (found,) = sockets._sockets(Pilot(tmp_path, {os.getpid(): "worker"}))
    assert (found.status, found.text.partition(":")[0]) == (status, f"@{name}")


def test_nothing_is_listened_on(tmp_path):
    assert rows(sockets._sockets(Pilot(tmp_path, {os.getpid(): "worker"}))) == [
        (tmp_path.name, "ok", "its processes listen on nothing")
    ]


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
    assert pilot == Pilot(place.parent, {agent.pid: "RADICAL-Pilot", child: "RADICAL-Pilot"})


def test_the_library_keeps_strangers_out():
    (found,) = sockets.libzmq()
    assert (found.status, found.fix) == ("ok", None)
    assert found.text.endswith("has CURVE, and hangs up on callers without a key")
