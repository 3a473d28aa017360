"""One training at a time in a folder of checkpoints: each holder is a process of its own."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from deeprc.learning.checkpoints.lock import HeldError, held, place
from deeprc.learning.peers import Alone
from samples.peers import on_ranks

HOLD = """
import os, sys, time
from pathlib import Path
from deeprc.learning.checkpoints.lock import held
from deeprc.learning.peers import Alone
with held(Path(sys.argv[1]), Alone()):
    if sys.argv[2:] == ["fork"] and os.fork() == 0:
        os.close(1)
        time.sleep(60)
    print(os.getpid(), flush=True)
    sys.stdin.read()
"""


@contextmanager
def holding(folder, *how):
    """A process that holds the folder until its input ends."""
    command = [sys.executable, "-c", HOLD, str(folder), *how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().strip() == str(process.pid)
        try:
            yield process
        finally:
            process.kill()


def test_the_second_is_refused_by_one_error_that_names_the_first(tmp_path):
    folder = tmp_path / "checkpoints" / "NHITS"
    with holding(folder) as first:
        with pytest.raises(HeldError) as error, held(folder, Alone()):
            pass
        told = str(error.value).splitlines()
        assert told[0] == f"{folder}: another training is saved in this folder"
        assert told[1].startswith(f"  found: process {first.pid} on {socket.gethostname()}, since 20")
        assert told[1].endswith(f"-c {folder}")
        assert told[3].startswith(f"  fix: wait until it has ended, or stop it: `kill {first.pid}`; or give another")
        first.stdin.close()
        assert first.wait(10) == 0
    assert list(folder.parent.iterdir()) == []
    with held(folder, Alone()):
        pass


@pytest.mark.parametrize("how", [(), ("fork",)])
def test_one_that_was_killed_is_in_nobodys_way(tmp_path, how):
    """Nor is what it has forked, which lives on."""
    with holding(tmp_path / "c", *how) as first:
        os.kill(first.pid, signal.SIGKILL)
        first.wait(10)
    assert place(tmp_path / "c").exists()
    with held(tmp_path / "c", Alone()):
        pass
    assert not place(tmp_path / "c").exists()


def test_the_folder_may_be_renamed_or_removed_while_it_is_held(tmp_path):
    folder = tmp_path / "c"
    folder.mkdir()
    with holding(folder):
        folder.rename(tmp_path / "c.previous")
        with pytest.raises(HeldError), held(folder, Alone()):
            pass


def test_who_has_opened_the_file_of_one_that_ends_looks_for_it_again(tmp_path, monkeypatch):
    """Else two hold: the one a file that has no name any more, the other one the next file of that name."""
    lockf, path = fcntl.lockf, place(tmp_path / "c")

    def as_the_first_ends(file: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "lockf", lockf)
        path.unlink()
        lockf(file, how)

    monkeypatch.setattr(fcntl, "lockf", as_the_first_ends)
    with held(tmp_path / "c", Alone()):
        assert path.exists()


def test_the_first_rank_holds_it_for_all(tmp_path):
    def work(peers) -> bool:
        with held(tmp_path / "c", peers):
            found = place(tmp_path / "c").exists()
            peers.allgather(None)
        return found

    assert on_ranks(3, work) == [True] * 3


def test_where_nothing_is_saved_nothing_is_held():
    with held(None, Alone()):
        pass


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch):
    def lockf(file: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", lockf)
    said = []
    with held(tmp_path / "c", Alone(), said.append):
        pass
    assert said == [
        f"{tmp_path / 'c'}: no lock, which this file system has not got: start no other training in this folder"
    ]
