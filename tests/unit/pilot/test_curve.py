"""Keys of ZeroMQ sockets, on real ones: what goes over the line, and what is refused."""

import os
import subprocess
import sys

import pytest
import zmq
import zmq.utils.z85

from deeprc.core.errors import ConfigError
from deeprc.pilot import Allocation, Pilot, curve
from deeprc.pilot.resource import PATCHES, bootstrap_text
from samples.sites import cluster, laptop

# A question and an answer through a line that is listened to.
PROGRAM = """
import socket, threading, zmq
context = zmq.Context()
server = context.socket(zmq.REP)
port = server.bind_to_random_port("tcp://*")
line = socket.create_server(("127.0.0.1", 0))

def pass_on(source, target):
    while data := source.recv(4096):
        print(data.hex(), flush=True)
        target.sendall(data)

def relay():
    near, far = line.accept()[0], socket.create_connection(("127.0.0.1", port))
    for pair in ((near, far), (far, near)):
        threading.Thread(target=pass_on, args=pair, daemon=True).start()

threading.Thread(target=relay, daemon=True).start()
client = context.socket(zmq.REQ)
client.connect("tcp://127.0.0.1:%d" % line.getsockname()[1])
client.send(b"a word of ours")
server.send(server.recv() + b", answered")
assert client.recv() == b"a word of ours, answered"
import os; os._exit(0)
"""


def python(program: str, **environment: str) -> subprocess.CompletedProcess:
    variables = {**os.environ, "PYTHONPATH": str(PATCHES), "DEEPRC_TOWARDS": "127.0.0.1", **environment}
    return subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, timeout=60)


def test_neither_a_message_nor_a_key_of_the_run_goes_over_the_line_in_clear(tmp_path):
    path = curve.write(tmp_path)
    done = python(PROGRAM, DEEPRC_CURVE=str(path))
    assert done.returncode == 0, done.stderr
    seen = b"".join(map(bytes.fromhex, done.stdout.split()))
    assert b"CURVE" in seen
    assert b"a word of ours" not in seen
    for key in path.read_bytes().split():
        assert len(key) == 40
        assert zmq.utils.z85.decode(key) not in seen
        assert key not in seen


def test_keys_are_readable_by_their_owner_only_and_new_for_each_pilot(tmp_path):
    (tmp_path / "other").mkdir()
    path, other = curve.write(tmp_path), curve.write(tmp_path / "other")
    assert path.stat().st_mode & 0o777 == 0o600
    assert not {*path.read_text().split()} & {*other.read_text().split()}
    with pytest.raises(FileExistsError):  # what somebody else has put there is not taken
        curve.write(tmp_path)


def test_without_the_keys_there_are_no_sockets_instead_of_open_ones(tmp_path):
    for environment in ({}, {"DEEPRC_CURVE": str(tmp_path / "none")}):
        done = python("import zmq; print('open')", **environment)
        assert (done.returncode, done.stdout) == (1, "")


def test_the_bootstrap_of_a_batch_job_names_the_keys(tmp_path):
    lines = bootstrap_text(cluster(), tmp_path, towards="10.0.0.1", environment={}).splitlines()
    assert f"export DEEPRC_CURVE={tmp_path}/curve" in lines


@pytest.mark.parametrize(
    ("version", "has", "found"),
    [((4, 3, 5), False, "libzmq 4.3.5 without CURVE"), ((4, 2, 5), True, "libzmq 4.2.5 with CURVE")],
)
def test_a_libzmq_that_cannot_close_its_sockets_is_refused(tmp_path, monkeypatch, version, has, found):
    monkeypatch.setattr(zmq, "zmq_version_info", lambda: version)
    monkeypatch.setattr(zmq, "has", lambda name: has and name == "curve")
    with pytest.raises(ConfigError) as error:
        Pilot(Allocation(laptop()), tmp_path)
    assert str(error.value) == (
        "pyzmq: the pilot's sockets would be open to everybody on this machine and its network\n"
        f"  found: {found}\n"
        "  expected: libzmq 4.3.3 or later with CURVE\n"
        "  fix: install pyzmq's own wheel, which brings one: pip install --force-reinstall --only-binary pyzmq pyzmq"
    )
    assert not [*tmp_path.iterdir()]
