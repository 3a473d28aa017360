"""What another user of the machine can do to MPI's ranks: to the memory that they share, and to their launcher."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deeprc.pilot import launch_scripts
from deeprc.pilot.broker import last_line
from deeprc.pilot.ended import HYDRA
from pilots import wait_for

RANKS = Path(launch_scripts.__file__).with_name("ranks")
PROGRAM = """
from mpi4py import rc
rc.initialize = sys.argv[1] == "at once"
from mpi4py import MPI
if not MPI.Is_initialized():
    MPI.Init()
os.write(1, b"rank %d is in\\n" % MPI.COMM_WORLD.Get_rank())  # one write: what two ranks say is not mixed
"""
# Makes, as MPICH names and prepares them, the segments of an mpiexec that will start in the next seconds.
FORETELL = """
pid, seconds, *unlinked = sys.argv[1:]
libc, made, host = ctypes.CDLL(None), [], socket.gethostname()
for moment in range(int(time.time()), int(time.time()) + int(seconds)):
    libc.srand(moment)
    number = 2166136261
    for sign in f"kvs_{pid}_0_{libc.rand()}_{host}".encode():
        number = (number ^ sign) * 16777619 % 2**32
    made.append(f"/dev/shm/mpich_shm_{number:x}_0")
    with open(os.open(made[-1], os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), "r+b", buffering=0) as file:
        os.fchmod(file.fileno(), 0o666)
        os.ftruncate(file.fileno(), 2118784)
        os.pwrite(file.fileno(), (0x12345678).to_bytes(4, "little"), 8)
print("ready", flush=True)
sys.stdin.read(1)
for path in made:
    os.path.exists(path) and os.unlink(path)
"""


def ranks(tmp_path, when: str, go_first=lambda pid: None) -> tuple[int, str]:
    """The end of two ranks whose mpiexec starts once `go_first` has been told its process."""
    (tmp_path / "program.py").write_text(f"import os, sys\n{PROGRAM}")
    launcher = Path(sys.executable).parent / "mpiexec"
    argv = [str(launcher), "-n", "2", sys.executable, str(tmp_path / "program.py"), when]
    process = subprocess.Popen(
        ["/bin/bash", "-c", 'read -r; exec "$@"', "wait", *argv],
        env={**os.environ, "DEEPRC_RANKS": "2", "PYTHONPATH": str(RANKS)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        go_first(process.pid)
        return (process.communicate("\n", timeout=60)[0], process.returncode)[::-1]
    finally:
        process.kill()


@pytest.mark.parametrize("when", ["at once", "later"])
@pytest.mark.requires("root")
def test_a_segment_of_another_user_ends_the_ranks(tmp_path, stranger, when):
    modules = ("ctypes", "socket", "time")
    started = []

    def plant(pid: int) -> None:
        started.append(stranger.start(FORETELL, pid, 20, modules=modules, stdin=subprocess.PIPE))
        assert started[0].stdout.readline() == "ready\n"

    try:
        code, printed = ranks(tmp_path, when, plant)
    finally:
        for process in started:
            process.communicate("\n", timeout=30)
    assert "error: another user has made the memory that this rank shares with others\n" in printed
    assert f" of user {stranger.UID}\n  expected: a file of user {os.geteuid()}\n  fix: " in printed
    assert "is in" not in printed
    assert code == 70


@pytest.mark.parametrize("when", ["at once", "later"])
def test_ones_own_is_fine(tmp_path, when):
    code, printed = ranks(tmp_path, when)
    assert (code, sorted(printed.splitlines())) == (0, ["rank 0 is in", "rank 1 is in"])


# A file that is unlinked once the ranks have it: its owner is that of what is open.
UNLINKED = """
import mmap, os, sys, sitecustomize
file = os.open(sys.argv[1], os.O_RDWR)
memory = mmap.mmap(file, 4096)
print("open", flush=True)
sys.stdin.read(1)
print([owner for _, owner in sitecustomize.foreign()])
"""
MAKE = """
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
os.fchmod(file, 0o666)
os.ftruncate(file, 4096)
print("made", flush=True)
sys.stdin.read(1)
os.unlink(sys.argv[1])
"""


@pytest.mark.requires("root")
def test_a_segment_that_is_unlinked_meanwhile_is_still_its_makers(stranger):
    path = f"/dev/shm/deeprc_{socket.gethostname()}_{os.getpid()}"
    maker = stranger.start(MAKE, path, stdin=subprocess.PIPE)
    try:
        assert maker.stdout.readline() == "made\n"
        rank = subprocess.Popen(
            [sys.executable, "-c", UNLINKED, path], env={**os.environ, "PYTHONPATH": str(RANKS)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert rank.stdout.readline() == "open\n"
    finally:
        maker.communicate("\n", timeout=30)
    assert not Path(path).exists()
    assert rank.communicate("\n", timeout=30)[0] == f"[{stranger.UID}]\n"


GREET = """
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5) as line:
    line.sendall(b"HYD" + bytes(9))
    line.settimeout(10)
    line.recv(1)
"""


@pytest.mark.requires("root")
def test_hydra_ends_by_a_strangers_greeting_and_says_so(stranger):
    """What docs/security.md tells of it is true; where a newer one does not, the page can be better."""
    argv = [str(Path(sys.executable).parent / "mpiexec"), "-n", "2", "sleep", "60"]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: len(psutil.Process(process.pid).children(recursive=True)) >= 3, 30)
        ports = [each.laddr.port for each in psutil.Process(process.pid).net_connections() if each.status == "LISTEN"]
        stranger.run(GREET, *ports, modules=("socket", "encodings.idna"))
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 255
    assert last_line(said).startswith(HYDRA)
    assert "assert" in last_line(said)


def test_a_traceback_that_was_cut_off_does_not_hide_the_one_that_ended():
    whole = 'Traceback (most recent call last):\n  File "a.py", line 1\n    import x\nModuleNotFoundError: no x\n'
    for cut in ("Traceback (most recent call last):\n", 'Traceback (most recent call last):\n  File "a.py", l', ""):
        assert last_line(f"{whole}{cut}mpiexec has ended\n") == "ModuleNotFoundError: no x"
    assert last_line("Traceback (most recent call last):\n") == "Traceback (most recent call last):"
    assert last_line("") == ""


def test_a_python_without_the_line_to_the_launcher_says_so_before_mpi_fails():
    told = {"PMI_FD": "99", "PMI_RANK": "0", "PMI_SIZE": "2", "DEEPRC_RANKS": "2", "PYTHONPATH": str(RANKS)}
    for more, fix in (({}, "start MPI in"), ({"DEEPRC_WARM": "@x"}, "call `python` by that name, or start")):
        done = subprocess.run(
            [sys.executable, "-c", "from mpi4py import MPI"], env={**os.environ, **told, **more},
            capture_output=True, text=True,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (70, "")
        assert done.stderr.startswith("error: this Python cannot start MPI: the launcher's line belongs to another")
        assert "  found: PMI_FD=99, which is not open here\n" in done.stderr and f"  fix: {fix}" in done.stderr


@pytest.mark.parametrize("when", ["at once", "later"])
def test_an_exception_of_one_rank_ends_the_others_that_wait_for_it(tmp_path, monkeypatch, when):
    """MPI's own end waits for them, and they for it: for ever."""
    wait = "comm = MPI.COMM_WORLD\ncomm.Get_rank() and {}['which is not there']\ncomm.Barrier()\n"
    monkeypatch.setattr(sys.modules[__name__], "PROGRAM", f"{PROGRAM}{wait}")
    code, output = ranks(tmp_path, when)
    assert code == 1, output
    assert "KeyError: 'which is not there'" in output


def test_ranks_that_leave_together_with_a_code_have_their_last_words(tmp_path, monkeypatch):
    """As a training that is asked to end: one of them saves, and the others do not cut it short."""
    leave = (
        "import time\nif not MPI.COMM_WORLD.Get_rank():\n    time.sleep(2)\n    os.write(1, b'saved\\n')\nsys.exit(75)"
    )
    monkeypatch.setattr(sys.modules[__name__], "PROGRAM", f"{PROGRAM}{leave}\n")
    code, output = ranks(tmp_path, "at once")
    assert (code, output.count("saved")) == (75, 1), output


def test_frames_end_the_ranks_in_their_own_words(tmp_path, monkeypatch):
    fail = "from deeprc.frames import Communicator\nassert Communicator.world().rank == 0\nMPI.COMM_WORLD.Barrier()"
    monkeypatch.setattr(sys.modules[__name__], "PROGRAM", f"{PROGRAM}{fail}\n")
    code, output = ranks(tmp_path, "at once")
    assert (code, "rank 1 of 2 ends all ranks" in output) == (1, True), output
