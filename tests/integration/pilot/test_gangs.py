"""Gangs, started by the real launcher: jobs of two ranks as under the launcher, and nothing of one in the next."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from deeprc.pilot import Task
from started_pilot import SECONDS, Started

pytest.importorskip("mpi4py")


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    one = Started(tmp_path_factory.mktemp("gangs"))
    yield one
    one.pilot.close()


def python(text: str) -> str:
    return f"python -c {shlex.quote(text)}"


WORLD = "from mpi4py import MPI; c = MPI.COMM_WORLD; "
SEEN = WORLD + (
    "import json, os, sys; u = os.umask(0); os.umask(u); print(json.dumps([dict(os.environ), os.getcwd(), sys.argv, u,"
    " c.rank, c.allreduce(1), sys.stdin.read(), sys.flags.safe_path])); print('aside', file=sys.stderr); sys.exit(0)"
)


@pytest.mark.parametrize("through", ["", "true; "])
def test_jobs_see_what_they_see_under_the_launcher(started, through):
    """Without a shell, and with one: output, environment, working directory, arguments, umask, standard input."""
    state, printed, folder = started.run(through + python(SEEN) + " one 'a b'")
    assert state == "DONE"
    for rank, text in enumerate(printed):
        values = json.loads(next(line for line in text.splitlines() if line.startswith("[")))
        environment, *others = values
        assert others == [str(folder), ["-c", "one", "a b"], 0o27, rank, 2, "", False]
        assert (environment["OWN_VALUE"], environment["RP_RANK"]) == ("a b\nc", str(rank))
        assert environment["DEEPRC_RANKS"] == "2"
        assert not {name for name in environment if name.startswith("DEEPRC_KEPT")}
        assert "aside" in text
    start, stop = map(float, (folder / "times").read_text().split())
    assert 0 < start <= stop


def test_redirections_are_the_shells(started):
    line = python(WORLD + "import sys; print('out', c.rank); print('err', file=sys.stderr)")
    state, printed, folder = started.run(f"{line} > out.txt 2>&1; {line} > both.$RP_RANK 2>> aside.$RP_RANK")
    assert (state, printed) == ("DONE", ["", ""])
    assert (folder / "both.1").read_text() == "out 1\n"
    assert (folder / "aside.0").read_text() == "err\n"
    state, printed, folder = started.run(f"{line} > missing/out.txt")
    assert state == "FAILED"
    assert "No such file or directory" in printed[started_rank(folder)]


def started_rank(folder: Path) -> int:
    """The rank that failed first."""
    return int(min(folder.glob("code.*"), key=lambda path: path.stat().st_mtime_ns).suffix[1:])


LEAVES = WORLD + (
    "import os, sys, signal, atexit, logging, tempfile, warnings, threading; import own; print(own.VERSION);"
    "os.chdir('/'); os.environ['LEFT'] = '1'; sys.path.insert(0, '/nowhere'); sys.excepthook = print;"
    "signal.signal(signal.SIGUSR1, signal.SIG_IGN); warnings.simplefilter('error'); logging.basicConfig(level=10);"
    "tempfile.gettempdir(); atexit.register(print, 'at its end'); sys.stdout.flush();"
    "threading.Thread(target=lambda: print('thread')).start();"
    "c.isend('for nobody', 1 - c.rank, 7); import json; json.loads = print; import mpi4py; mpi4py.mine = 1"
)
FINDS = WORLD + (
    "import json, os, sys, signal, logging, warnings, tempfile, mpi4py; import own; print(own.VERSION);"
    "print(os.getcwd() == sys.argv[1], os.environ.get('LEFT'), '/nowhere' in sys.path, sys.excepthook is print,"
    " signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL, logging.root.handlers, tempfile.tempdir,"
    " warnings.filters[0][0] == 'error', c.iprobe(tag=7), json.loads('3'), hasattr(mpi4py, 'mine'))"
)


def test_nothing_of_a_job_reaches_the_next(started):
    """Its directory, environment, modules of the same name in another folder, handlers, messages that nobody took."""
    before = dict(started.pilot._gangs.ended)
    state, printed, _ = started.run(python(LEAVES), own="VERSION = 1")
    assert state == "DONE"
    assert all(text.split("\n")[0] == "1" and "thread" in text and "at its end" in text for text in printed), printed
    task = started.job("", own="VERSION = 2")
    command = f"{python(FINDS)} {shlex.quote(task.folder)}"
    started.submit(Task(**{**vars(task), "argv": ["/bin/bash", "-c", command]}))
    assert started.wait(1)[0].state == "DONE"
    for rank in range(2):
        text = Path(task.folder, f"out.{rank}").read_text()
        assert text == "2\nTrue None False False True [] None False False 3 False\n"
    assert started.pilot._gangs.ended == before  # it was the same gang, but where the machine was too slow for that


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", "1 threads"),
        ("import mpi4py; mpi4py.get_config = print", "has changed the module mpi4py"),
        ("import numpy", "which cannot be undone: name it in `warm`"),
        ("import sys; sys.kept = open('/etc/hostname')", "files open"),
    ],
)
def test_where_something_stays_the_gang_ends_with_its_job(started, line, why):
    before = dict(started.pilot._gangs.ended)
    assert started.run(python(WORLD + line))[0] == "DONE"
    ended = started.pilot._gangs.ended
    assert any(why in words and count > before.get(words, 0) for words, count in ended.items()), ended
    assert sum(why in line for line in started.said) == 1
    assert started.run(python(WORLD + "print(c.allreduce(1))"))[1] == ["2\n", "2\n"]


def test_communicators_that_jobs_keep_do_not_end_their_gang(started):
    """Nor do those that MPI makes for collective calls: the second half of a gang's jobs is as fast as the first."""
    ended = dict(started.pilot._gangs.ended)
    tasks = [started.job(python(WORLD + "k = [c.Dup()]; c.barrier(); print(c.allreduce(1))")) for _ in range(50)]
    started.submit(*tasks)
    assert {outcome.state for outcome in started.wait(50)} == {"DONE"}
    assert started.pilot._gangs.ended == ended


def test_a_rank_that_fails_ends_its_job_alone(started):
    """The other one would wait for ever in a collective call; the exit code is the program's."""
    fails = started.job(python(WORLD + "c.rank and exit(7); c.barrier()"))
    good = started.job(python(WORLD + "c.barrier()"))
    started.submit(fails, good)
    states = {outcome.uid: (outcome.state, outcome.code) for outcome in started.wait(2)}
    assert states == {fails.uid: ("FAILED", 7), good.uid: ("DONE", 0)}
    assert Path(fails.folder, "code.1").read_text() == "7\n"
    assert started.run(python(WORLD + "c.Abort(5)"))[0] == "FAILED"
    assert started.outcome.code == 5


@pytest.mark.parametrize("through", ["", "true; "])
def test_options_that_a_rank_can_have_work(started, through):
    """Output is not kept back: what ends the program so loses nothing of it."""
    before = dict(started.pilot._gangs.ended)
    text = WORLD + "import os, sys; print(c.allreduce(1), sys.dont_write_bytecode); os.write(1, b'after\\n')"
    state, printed, _ = started.run(f"{through}python -u -B -c {shlex.quote(text)}")
    assert (state, printed) == ("DONE", ["2 True\nafter\n"] * 2)
    assert started.pilot._gangs.ended == before


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("python -O -c", "the option -O"),
        ("python -uX dev -WerrorO -vc", "the options -X dev, -W errorO, -v"),
        ("PYTHONHASHSEED=3 python -c", "PYTHONHASHSEED of its own"),
        ("HF_TOKEN=a_secret OMP_NUM_THREADS=7 python -c", "HF_TOKEN, OMP_NUM_THREADS of its own"),
        ("ulimit -n 100; python -c", "limits (ulimit) of its own"),
        ("nice -n 3 taskset -c 0 python -c", "a priority (nice)"),
        (f"{shlex.quote(str(Path(sys.executable).parent))}/python -c", "PMI_FD="),
    ],
)
def test_what_a_rank_cannot_have_is_named(started, command, why):
    state, printed, _ = started.run(f"{command} {shlex.quote(WORLD)}")
    assert (state, started.outcome.code) == ("FAILED", 70)
    said = "".join(printed)
    assert f"  found: {why}" in said and "a_secret" not in said and "  fix: " in said, said
    assert ("leave `warm` out of the rule" in said) == (why != "PMI_FD="), said


def test_an_option_under_which_python_reads_nothing_of_ours_is_named_before_mpi_fails(started):
    state, printed, _ = started.run(f"python -OE -c {shlex.quote(WORLD)}")
    assert state == "FAILED"
    assert "note: the options -O, -E: its warm gang could not run this Python" in "".join(printed), printed
    assert started.run("python -I -c 'print(3)' 2>&1 | grep -v note")[1] == ["3\n", "3\n"]


def test_a_program_cannot_fork(started):
    state, printed, _ = started.run(python(WORLD + "import os; os.fork()"))
    assert state == "FAILED"
    assert "cannot fork, since MPI has started: leave `warm` out of its rule" in "".join(printed)


def test_a_lost_rank_takes_one_job_with_it_and_each_is_counted_once(started):
    """Members are killed by `kill -9` while jobs run."""
    tasks = [started.job(python(WORLD + "import time; time.sleep(0.05); print(c.allreduce(1))")) for _ in range(30)]
    started.submit(*tasks)
    found, kills = [], 0
    deadline = time.monotonic() + SECONDS
    while len(found) < len(tasks):
        assert time.monotonic() < deadline, found
        found += started.pilot.outcomes()
        if len(found) >= 5 * (kills + 1) and kills < 3 and (members := started.members()):
            os.kill(members[kills % len(members)], signal.SIGKILL)
            kills += 1
        time.sleep(0.01)
    time.sleep(0.2)
    found += started.pilot.outcomes()
    assert Counter(outcome.uid for outcome in found) == Counter(task.uid for task in tasks)
    states = Counter(outcome.state for outcome in found)
    assert kills == 3
    assert states["DONE"] >= len(tasks) - kills
    for outcome in found:
        if outcome.state == "DONE":
            assert (started.folder / outcome.uid / "out.0").read_text() == "2\n"


def test_a_runtime_that_is_over_and_a_cancellation(started):
    task = started.job(python(WORLD + "import time; time.sleep(100)"))
    started.submit(Task(**{**vars(task), "timeout": 0.5}))
    (outcome,) = started.wait(1)
    assert (outcome.state, outcome.code) == ("FAILED", None)
    assert outcome.reason.startswith("ended after its runtime")
    task = started.job(python(WORLD + "import time; print('began', flush=True); time.sleep(100)"))
    started.submit(task)
    deadline = time.monotonic() + SECONDS
    while not (out := Path(task.folder, "out.1")).exists() or not out.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    started.pilot.cancel([task.uid])
    assert started.wait(1)[0].state == "CANCELED"


def test_modules_that_do_not_import_fail_their_jobs_with_the_reason(started):
    task = started.job("true")
    started.submit(Task(**{**vars(task), "warm": ("no_such_module",)}))
    (outcome,) = started.wait(1)
    assert outcome.state == "FAILED"
    assert "No module named 'no_such_module'" in outcome.reason
