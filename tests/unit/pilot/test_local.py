"""Sockets of this machine: with a second user, by the name without a place that everybody may call."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deeprc.pilot import started
from deeprc.pilot.worker import local

CALLS = """
caller = socket.socket(socket.AF_UNIX)
try:
    caller.connect(sys.argv[1].replace('@', chr(0)))
    print('connected', flush=True)
    sys.stdin.read()
except OSError as error:
    print(type(error).__name__)
"""
LISTENS = """
listener = socket.socket(socket.AF_UNIX)
listener.bind(chr(0) + sys.argv[1])
listener.listen()
print('listens', flush=True)
for _ in range(2):
    caller, _ = listener.accept()
    print(caller.recv(100))
"""
NOWHERE = Path("/proc")  # holds no sockets


def test_our_own_process_is_ours(tmp_path):
    for folder in (tmp_path, NOWHERE):
        listener, address = local.listen(folder)
        with listener, local.connect(address) as caller:
            peer, _ = listener.accept()
            assert address.startswith(str(tmp_path) if folder == tmp_path else "@deeprc-")
            assert local.ours(peer)
            assert local.ours(caller)
            peer.close()


@pytest.mark.requires("root")
def test_another_users_process_is_not(stranger):
    listener, address = local.listen(NOWHERE)
    process = stranger.start(CALLS, address, modules=("socket",), stdin=subprocess.PIPE)
    assert process.stdout.readline() == "connected\n"
    with listener, listener.accept()[0] as peer:
        assert not local.ours(peer)
    process.communicate("")


@pytest.mark.requires("root")
def test_another_user_does_not_reach_a_socket_in_a_folder(stranger, tmp_path):
    folder = tmp_path / "open"
    folder.mkdir()
    for path in (folder, *folder.parents):  # as far as folders go, it could
        if path.stat().st_mode & 0o005 != 0o005:
            path.chmod(0o755)
    listener, address = local.listen(folder)
    with listener:
        assert stranger.run(CALLS, address, modules=("socket",)) == "PermissionError\n"


@pytest.mark.requires("root")
def test_what_another_user_listens_at_is_told_nothing(stranger):
    """Nor by the `python` of a warm job, which becomes the real one then."""
    name = "deeprc-test-of-strangers"
    process = stranger.start(LISTENS, name, modules=("socket",))
    assert process.stdout.readline() == "listens\n"
    with pytest.raises(PermissionError):
        local.connect(f"@{name}")
    python = Path(sys.executable)
    environment = {
        "DEEPRC_WARM": f"@{name}", "DEEPRC_WARM_PATH": "/nowhere", "DEEPRC_WARM_PYTHON": sys.executable,
        "PATH": str(python.parent),
    }  # fmt: skip
    shim = [sys.executable, "-IS", str(started.PROGRAM / "shim.py"), "-c", "print(6 * 7)"]
    done = subprocess.run(shim, env=environment, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("42\n", "")
    assert process.communicate(timeout=30)[0] == "b''\nb''\n"
