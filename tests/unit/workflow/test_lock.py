"""Who holds the results: told by process, start, machine; taken over where it is dead for certain, and never else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from deeprc.core import holder as held
from deeprc.core.holder import Holder, began
from deeprc.core.ownership import OwnershipError
from deeprc.workflow import lock
from deeprc.workflow.lock import LockedError, hold, holder, release

TWO = """
import sys, time
from pathlib import Path
from deeprc.workflow.lock import LockedError, hold
try:
    with hold("results", print, Path(sys.argv[1])):
        print("mine", flush=True)
        time.sleep(float(sys.argv[2]))
except LockedError as error:
    print(error)
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    """A `.snakemake` with the locks of a run in results/ and of one in others/."""
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "0.input.lock").write_text("mine.csv\nresults/forecasting/prepared\n")
    (tmp_path / "locks" / "0.output.lock").write_text("results/report.html\n")
    (tmp_path / "locks" / "1.output.lock").write_text("others/report.html\n")
    return tmp_path


def locks(folder: Path) -> set[str]:
    return {path.name for path in (folder / "locks").iterdir()}


def left_behind(folder: Path, found: Holder) -> Path:
    """The record of a holder that did not take it away."""
    record = lock._record("results", folder)
    record.write_text(json.dumps(asdict(found)))
    return record


def gone() -> Holder:
    """A process of this machine that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return replace(Holder.me(), pid=child.pid)


@pytest.mark.parametrize(
    "dead",
    [
        gone,
        lambda: replace(Holder.me(), pid=1, started=Holder.me().started),  # its number is another process's now
        lambda: replace(Holder.me(), boot="earlier", machine=Holder.me().machine or "m"),  # the machine started anew
    ],
)
def test_a_dead_holders_lock_is_taken_over_and_says_so(folder, dead, monkeypatch):
    if not Holder.me().machine:
        line = held._line
        monkeypatch.setattr(held, "_line", lambda path: "m" if "machine-id" in path else line(path))
    left_behind(folder, replace(dead(), since="2026-11-25 23:01:02"))
    said: list[str] = []
    with hold("results", said.append, folder):
        assert locks(folder) == {"1.output.lock"}  # another run's, in other results, stays
    assert len(said) == 1 and "the run that began 2026-11-25 23:01:02 (process " in said[0]
    assert "was killed: its lock is taken over" in said[0]
    assert holder("results", folder) is None


@pytest.mark.parametrize(
    ("living", "cure"),
    [
        (lambda: replace(Holder.me(), pid=os.getppid(), started=began(os.getppid())), "`kill "),
        (lambda: replace(Holder.me(), host="node-7"), "`--unlock`"),
        (lambda: replace(Holder.me(), boot="other", machine="other"), "`--unlock`"),  # two machines of one name
        (lambda: replace(Holder.me(), boot="other", machine=""), "`--unlock`"),
        (lambda: replace(gone(), namespace="pid:[1]"), "`--unlock`"),  # in a container of its own
    ],
)
def test_a_holder_that_may_live_is_told_and_left_alone(folder, living, cure):
    record = left_behind(folder, replace(living(), command="snakemake --profile site/x"))
    with pytest.raises(LockedError) as caught, hold("results", print, folder):
        pass
    assert "another run holds these results: process " in str(caught.value)
    assert "found: snakemake --profile site/x" in str(caught.value) and cure in str(caught.value)
    assert record.exists() and len(locks(folder)) == 3
    release("results", folder)
    with hold("results", print, folder):
        pass


def test_a_record_that_is_not_whole_is_nobodys(folder):
    lock._record("results", folder).write_text("{")
    with hold("results", print, folder):
        assert len(locks(folder)) == 3


def test_of_many_that_start_at_once_over_a_dead_one_one_gets_it(folder):
    left_behind(folder, gone())
    command = [sys.executable, "-c", TWO, str(folder), "3"]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    said = [child.communicate(timeout=60)[0] for child in children]
    assert sum("mine\n" in text for text in said) == 1, said
    assert sum("another run holds these results" in text for text in said) == 5
    assert sum("is taken over" in text for text in said) == 1


def test_nothing_is_held_where_everybody_may_write_to_what_is_made(folder):
    command = [sys.executable, "-c", TWO, str(folder), "0"]
    done = subprocess.run(command, umask=0, stderr=subprocess.PIPE, text=True, timeout=60)
    assert "umask: everybody may write to what you make" in done.stderr and "`umask 022`" in done.stderr
    assert not (folder / "deeprc").exists()


FOREIGN = """
from pathlib import Path
from deeprc.core.errors import DeepRCError
from deeprc.workflow.lock import hold
for place in sys.argv[1:]:
    os.chdir(place)
    try:
        with hold("results", print):
            print("mine")
    except DeepRCError as error:
        print(error)
"""


@pytest.mark.requires("root")
def test_where_we_may_not_write_it_is_told_and_what_to_do(sticky, stranger):
    """In somebody else's checkout, and where root has run in the user's own folder."""
    checkout, own, run_by_root = sticky / "checkout", sticky / "own", sticky / "run by root"
    for place in (checkout, own / ".snakemake" / "locks", run_by_root / ".snakemake" / "deeprc"):
        place.mkdir(parents=True)
    guard = Path(lock._record(str(run_by_root / "results"), run_by_root / ".snakemake")).with_suffix(".guard")
    guard.touch(0o600)
    for mine in (own, own / ".snakemake", run_by_root, run_by_root / ".snakemake", guard.parent):
        os.chown(mine, stranger.UID, stranger.UID)
    for place in (checkout, own / ".snakemake" / "locks"):
        place.chmod(0o755)
    expected = "".join(
        f"{place}: you may not write here\n  found: owned by root (mode 0755)\n"
        "  expected: a folder that uid 64023 may write to\n  fix: run in a working directory that is yours:"
        f" `--directory FOLDER`; or, if it should be yours, `chown -R 64023 {place}` by root\n"
        for place in (checkout, own / ".snakemake" / "locks")
    )
    expected += f"{guard}: this file is not yours\n  found: owned by root\n"
    expected += f"  fix: `rm '{guard}'`, if no other run goes on here\n"
    assert stranger.run(FOREIGN, checkout, own, run_by_root, modules=("deeprc.workflow.lock",)) == expected


def test_other_results_are_another_lock_and_one_folder_has_one_name(folder):
    with hold("results", print, folder), hold("others", print, folder):
        assert holder("results", folder) is None  # this process's own
    assert lock._record("./results/", folder) == lock._record(str(Path.cwd() / "results"), folder)


def test_one_results_folder_is_held_against_runs_of_other_working_directories(tmp_path, monkeypatch):
    results, one, two = tmp_path / "shared", tmp_path / "one", tmp_path / "two"
    for folder in (results, one, two):
        folder.mkdir()
    program = TWO.replace('"results", print, Path(sys.argv[1])', "sys.argv[1], print, None")
    command = [sys.executable, "-c", program, str(results), "60"]
    child = subprocess.Popen(command, cwd=one, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "mine\n"
        monkeypatch.chdir(two)
        assert holder("../shared").pid == child.pid
        with pytest.raises(LockedError, match=f"`kill {child.pid}`"), hold("../shared", print, None):
            pass
    finally:
        child.kill()
        child.wait()
    with hold("../shared", print, None):  # killed: it is taken over
        assert holder("../shared") is None
    assert {path.name for path in results.iterdir()} == {".holder.guard"}


@pytest.mark.requires("root")
def test_nothing_is_written_where_a_stranger_has_put_a_link_or_the_folder_itself(sticky, stranger, monkeypatch):
    monkeypatch.chdir(sticky)
    ours = sticky.parent / "ours"
    ours.write_text("kept")
    stranger.run("os.chdir(sys.argv[1])\nos.symlink(sys.argv[2], '.holder.guard')", sticky, ours)
    with pytest.raises(OSError, match=r"symbolic link|Permission"), hold(".", print, None):
        pass
    new = f".holder.json.{os.getpid()}.{Holder.me().host}"
    stranger.run(f"os.chdir(sys.argv[1])\nos.remove('.holder.guard')\nos.symlink(sys.argv[2], {new!r})", sticky, ours)
    with hold(".", print, None):  # root may remove it
        assert holder(".", sticky) is None
    stranger.run("os.umask(0)\nos.mkdir(sys.argv[1] + '/.snakemake')", sticky)
    with pytest.raises(OwnershipError, match=r"uid 64023, who owns \.snakemake"), hold("results", print):
        pass
    assert ours.read_text() == "kept"
