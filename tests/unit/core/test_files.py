import errno
import json
import os
import signal
import subprocess
import sys

import pytest

from deeprc.core.errors import InputError
from deeprc.core.files import (
    StorageError,
    atomic,
    atomic_large,
    free_megabytes,
    read_json,
    storage_error,
    tail,
    write_json,
    write_text,
)


def test_file_appears_whole(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with atomic(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_failure_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_folder_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "stale").touch()
    with atomic(path) as temporary:
        temporary.mkdir()
        (temporary / "fresh").touch()
    assert [p.name for p in path.iterdir()] == ["fresh"]


def test_a_folder_that_is_replaced_is_never_away(tmp_path):
    """What a kill at any moment would leave: looked at all the time, by another process."""
    path, stop = tmp_path / "folder", tmp_path / "stop"
    path.mkdir()
    (path / "a").touch()
    code = "import os, sys\nprint(flush=True)\nwhile not os.path.exists(sys.argv[2]): os.listdir(sys.argv[1])"
    with subprocess.Popen([sys.executable, "-c", code, path, stop], stdout=subprocess.PIPE) as looking:
        looking.stdout.readline()
        for _ in range(300):
            with atomic(path) as temporary:
                temporary.mkdir()
                (temporary / "a").touch()
        stop.touch()
        assert looking.wait(30) == 0
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "stop"]


BETWEEN = """\
import os, signal, sys
from pathlib import Path
from deeprc.core import files
files._exchange = lambda one, other: False  # as on NFS
rename = Path.rename
def kill(self, target):
    if self.suffix == ".tmp":
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
Path.rename = kill
with files.atomic(sys.argv[1]) as temporary:
    temporary.mkdir()
    (temporary / "new").touch()
"""


def test_a_kill_between_two_renames_leaves_both_folders_and_the_next_run_mends_it(tmp_path):
    """Where two folders cannot change places in one step."""
    path, other = tmp_path / "folder", tmp_path / ".folder.x.0123abcd.old"
    for each in (path, other):
        each.mkdir()
        (each / "old").touch()
    assert subprocess.run([sys.executable, "-c", BETWEEN, path]).returncode == -signal.SIGKILL
    old, new = sorted(each for each in tmp_path.iterdir() if each != other)
    assert [[each.name for each in folder.iterdir()] for folder in (old, new)] == [["old"], ["new"]]
    with atomic(path) as temporary:
        temporary.mkdir()
        (temporary / "newer").touch()
    assert [each.name for each in path.iterdir()] == ["newer"]
    assert sorted(each.name for each in tmp_path.iterdir()) == [other.name, "folder"]


def test_failure_in_a_folder_keeps_the_old_one(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "kept").touch()
    with pytest.raises(RuntimeError), atomic(path) as temporary:
        temporary.mkdir()
        raise RuntimeError
    assert [p.name for p in path.iterdir()] == ["kept"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.mark.requires("tmpfs")
def test_full_disk_is_named_and_the_old_file_stays(tmpfs):
    folder = tmpfs("64k")
    path = folder / "a.txt"
    path.write_text("old")
    with pytest.raises(StorageError, match=r"a\.txt: no space left to write this file"):
        write_text(path, "x" * 200_000)
    assert path.read_text() == "old"
    assert [p.name for p in folder.iterdir()] == ["a.txt"]


@pytest.mark.requires("tmpfs")
def test_read_only_folder_is_named(tmpfs):
    with pytest.raises(StorageError, match="cannot write here: the disk is mounted read-only") as caught:
        write_text(tmpfs("64k", "ro") / "a.txt", "x")
    assert "let you write" not in str(caught.value), "no right helps there"


@pytest.mark.requires("tmpfs")
def test_a_disk_that_holds_as_many_files_as_it_may_is_told_from_a_full_one(tmpfs):
    disk = tmpfs("64m", "nr_inodes=3")
    (disk / "a").touch()
    (disk / "b").touch()
    with pytest.raises(StorageError) as caught:
        write_text(disk / "c.txt", "x")
    assert caught.value.found == "67 MB free, but not one file more can be made"


@pytest.mark.parametrize(
    ("number", "problem", "fix"),
    [
        (errno.ENOSPC, "no space left to write this file", "make room, or name B"),
        (errno.EDQUOT, "your quota there is used up", "make room, or name B"),
        (errno.EROFS, "cannot write here: the disk is mounted read-only", "name B"),
        (errno.EACCES, "cannot write here: you may not", "have its owner let you write there, or name B"),
    ],
)
def test_why_a_file_cannot_be_written_has_its_own_advice(tmp_path, number, problem, fix):
    error = storage_error(OSError(number, os.strerror(number)), tmp_path / "a", room="make room", other="name B")
    assert (error.problem, error.fix) == (problem, fix)
    assert storage_error(odd := OSError(errno.EIO, "x"), tmp_path) is odd


LARGE = """\
import sys, time
from deeprc.core.files import atomic_large
with atomic_large(sys.argv[1]) as file:
    file.write_bytes(b"half")
    print(flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_has_left_of_a_large_file_goes_with_the_next_try(tmp_path):
    path, processes = tmp_path / "x.tar", []
    (tmp_path / ".y.tar.0123abcd.tmp").write_text("another file's")
    for _ in range(2):
        processes.append(subprocess.Popen([sys.executable, "-c", LARGE, path], stdout=subprocess.PIPE))
        processes[-1].stdout.readline()
    assert len(list(tmp_path.glob(".x.tar.*.tmp"))) == 2
    processes[0].kill()
    processes[0].wait()
    with atomic_large(path) as file:
        file.write_text("whole")
    assert path.read_text() == "whole" and len(list(tmp_path.glob(".x.tar.*.tmp"))) == 1, "the other one goes on"
    processes[1].kill()
    processes[1].wait()
    with atomic_large(path) as file:
        file.write_text("again")
    assert sorted(each.name for each in tmp_path.iterdir()) == [".y.tar.0123abcd.tmp", "x.tar"]


def test_of_two_who_write_a_new_large_file_the_second_is_refused(tmp_path, monkeypatch):
    """With hard links and on a file system that has none."""

    def none(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    for name in ("links", "none"):
        path = tmp_path / name / "x.tar"
        with pytest.raises(StorageError, match="there is something already"), atomic_large(path, new=True) as second:
            with atomic_large(path, new=True) as first:
                first.write_text("first")
            second.write_text("second")
        assert path.read_text() == "first" and [*path.parent.iterdir()] == [path]
        monkeypatch.setattr(os, "link", none)


def test_json_round_trip(tmp_path):
    write_json(tmp_path / "a.json", {"unit": "µg/m³"})
    assert read_json(tmp_path / "a.json") == {"unit": "µg/m³"}
    assert "µg/m³" in (tmp_path / "a.json").read_text()
    assert json.loads((tmp_path / "a.json").read_text())


def test_free_space_of_a_folder_that_is_not_there_yet(tmp_path):
    assert free_megabytes(tmp_path / "a" / "b") > 0


def test_tail_is_the_end_of_the_log(tmp_path):
    log = tmp_path / "x.log"
    assert tail(log) == []
    log.write_text("".join(f"{i}\n" for i in range(40)))
    assert tail(log) == [str(i) for i in range(25, 40)]
    log.write_bytes(b"x" * 10**6 + "\nµ \xff\n\n".encode("latin-1"))
    assert tail(log)[-1] == "\N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER}"


def test_the_temporary_name_cannot_be_foretold(tmp_path):
    with atomic(tmp_path / "a.txt") as first, atomic(tmp_path / "a.txt") as second:
        first.touch()
        second.touch()
        assert first != second, "where others may write, one could put a link there"


def test_a_number_that_is_not_finite_is_told_with_its_key(tmp_path):
    for value, keys, found in (
        ({"loss": [0.5, {"test": float("nan")}]}, "loss.1.test", "nan"),
        ({"a": {"b": float("-inf")}}, "a.b", "-inf"),
    ):
        with pytest.raises(InputError) as caught:
            write_json(tmp_path / "metrics.json", value)
        assert str(caught.value) == (
            f"{tmp_path}/metrics.json: key '{keys}': a number that is not finite, which JSON cannot hold\n"
            f"  found: {found}\n"
            "  expected: a finite number, or null where there is none"
        )
    assert [*tmp_path.iterdir()] == []
