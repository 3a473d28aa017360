"""`deeprc doctor --security` as users run it, beside the process that holds RADICAL-Pilot, which has not been told to
load it: so a pilot stands there at once, with one part that a test makes as it likes.

It looks at a real one in `../pilot/test_failures.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest

from deeprc.pilot import curve
from deeprc.pilot.processes import MARK
from pilots import wait_for

CLIENT = "import subprocess, sys; subprocess.call(sys.argv[1:], start_new_session=True)"
PART = """
import sys, zmq
server = zmq.Context().socket(zmq.PULL)
if sys.argv[1] == "curve":
    _, server.curve_secretkey = zmq.curve_keypair()
    server.curve_server = True
print(server.bind_to_random_port("tcp://127.0.0.1"), flush=True)
sys.stdin.read()
"""
PATH = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
NULL = "answers everybody who calls (ZeroMQ, mechanism NULL); expected CURVE"
OUTCOME = {"check", "subject", "status", "text", "fix", "figures", "launch_line"}


@pytest.fixture
def pilot(tmp_path):
    """A function that starts a pilot with one socket, with CURVE or `null`; its folder, and the socket's port."""
    with contextlib.ExitStack() as stack:

        def start(mechanism):
            folder = tmp_path / ".deeprc" / "runs" / f"20260101T000000-{os.getpid()}" / "pilot-1"
            for each in [*reversed(list(folder.parents)[:3]), folder]:
                each.mkdir(mode=0o700)
            curve.write(folder)
            own = {MARK: uuid.uuid4().hex, curve.VARIABLE: str(folder / curve.NAME)}
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": {**os.environ, **own}}
            broker = [sys.executable, "-m", "deeprc.pilot.broker"]
            # Not pytest itself is its client, which other tests may have listen.
            client, part = (
                subprocess.Popen([sys.executable, *command], cwd=folder, **pipes)
                for command in (["-c", CLIENT, *broker], ["-c", PART, mechanism])
            )
            for process in (client, part):
                stack.callback(process.wait, 20)
                stack.callback(process.stdin.close)  # both end by it
            port = int(part.stdout.readline())
            wait_for(lambda: broker in [each.cmdline() for each in psutil.Process(client.pid).children()], 20)
            return folder, port

        yield start


def test_all_is_well_beside_a_pilot(deeprc, pilot, tmp_path):
    folder, port = pilot("curve")
    done = deeprc("doctor", "--security", "--json", env={"PATH": PATH, "PYTHONPATH": ""}, cwd=tmp_path)
    told = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(told) == {"folder", "pilots", "failed", "seconds", "checks"}
    assert (told["folder"], told["pilots"], told["failed"]) == (str(tmp_path / ".deeprc"), [str(folder)], False)
    assert all(set(one) == OUTCOME for one in told["checks"])
    assert list(dict.fromkeys(one["check"] for one in told["checks"])) == [
        "libzmq", "sockets", "folders", "programs", "umask", "secrets"
    ]  # fmt: skip
    (sockets,) = (one for one in told["checks"] if one["check"] == "sockets" and one["status"] != "not run")
    assert (sockets["subject"], sockets["status"]) == ("RADICAL-Pilot", "ok")
    assert sockets["text"] == f"127.0.0.1:{port}: closed to whoever has not the key of this run (CURVE)"
    (row,) = sockets["figures"]
    assert (row["socket"], row["process"], row["answer"]) == (f"127.0.0.1:{port}", "RADICAL-Pilot", "curve")


def test_a_socket_that_answers_strangers_bad_modes_and_a_secret(deeprc, pilot, tmp_path):
    folder, port = pilot("null")
    (folder / curve.NAME).chmod(0o640)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin").chmod(0o777)
    dead = folder.parent.with_name("20250101T000000-999999999")
    dead.mkdir(mode=0o700)
    (dead / "environment").write_bytes(b"SERVICE_TOKEN=0123456789\0")
    path = f"{PATH}{os.pathsep}{tmp_path / 'bin'}"
    words = ["doctor", "--security", "--json", "--folder", tmp_path / ".deeprc"]
    done = deeprc(*words, env={"PATH": path}, umask=0)
    failed = [one for one in json.loads(done.stdout)["checks"] if one["status"] == "failed"]
    assert done.returncode == 1
    assert [(one["check"], one["subject"], one["text"]) for one in failed] == [
        ("sockets", "RADICAL-Pilot", f"127.0.0.1:{port}: {NULL}"),
        ("folders", "runs", f"{folder / curve.NAME} can be read by others (mode 0640; expected 0600)"),
        ("programs", "PATH", f"{tmp_path / 'bin'} is writable by everybody (mode 0777)"),
        ("umask", "umask", "0000: everybody may change what you make; expected 022"),
        ("secrets", "runs", f"{dead} has ended, and left SERVICE_TOKEN in plain text in 1 file; expected none"),
    ]
    assert all(one["fix"] for one in failed)
    table = deeprc("doctor", "--security", "--checks", "sockets,umask", "--folder", tmp_path / ".deeprc")
    assert table.returncode == 1
    assert f"{tmp_path / '.deeprc'}: 1 pilot on this machine" in table.stdout.replace("\n", "")
    assert "1 ok, 1 failed" in table.stdout.replace(", 1 not run", "")


def test_without_a_pilot(deeprc, tmp_path):
    done = deeprc("doctor", "--security", "--checks", "sockets", "--json", "--folder", tmp_path / "none")
    (found, *_) = json.loads(done.stdout)["checks"]
    assert done.returncode == 0
    assert (found["status"], found["text"]) == ("not run", f"no pilot of {tmp_path / 'none'} runs on this machine")
