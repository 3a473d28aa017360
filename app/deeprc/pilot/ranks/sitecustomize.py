"""For the ranks of a job: an MPI world of the wrong size, or a stranger in it, ends the job, whoever wrote the program.

The MPI library of another launcher starts every rank as a world of one. Each then does the whole work and exits with 0;
the results are those of one rank, or of none. Here the first import of `mpi4py.MPI` compares the world with the number
of ranks that the job asked for ($DEEPRC_RANKS). `DEEPRC_ANY_WORLD=1` turns that off, for programs that start worlds of
their own.

An exception that a rank does not catch ends all ranks: MPI's own end would wait for the others, and they for it.

A Python that a rank has started has not the rank's line to its launcher: MPI fails there, in words that say nothing of
it. So it is said here.

MPICH's ranks of a node share a file in /dev/shm, whose name others can foretell; where it exists already, they take it,
whoever made it, and with it all that they say to each other. So the owners of what is shared are looked at, too.

Read by Python at its start (PYTHONPATH names this folder), so it stands alone and must not fail.
"""

import contextlib
import importlib.abc
import importlib.util
import os
import sys
import time
from importlib.machinery import PathFinder

EXIT = 70  # EX_SOFTWARE: not a code that programs use for their own errors
SHARED = "/dev/shm/"
LAST_WORDS = 0.5  # seconds for the launcher to pass on what was said: Hydra drops what it has not read at an abort


def check(mpi):
    """Look at the world once it is open: by the import, or by the program itself later."""
    if mpi.Is_initialized():
        look(mpi)
        return
    mpi.Init, mpi.Init_thread = watched(mpi, mpi.Init), watched(mpi, mpi.Init_thread)


def watched(mpi, initialize):
    """`MPI.Init`, with a look at the world after it."""

    def opened(*arguments, **options):
        result = initialize(*arguments, **options)
        look(mpi)
        return result

    return opened


def fall(mpi):
    """Have an exception that is not caught end all ranks, after its traceback."""
    tell = sys.excepthook

    def hook(kind, value, trace):
        tell(kind, value, trace)
        if not (mpi.Is_finalized() or sys.flags.interactive or hasattr(sys, "ps1")):
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):  # it may be closed
                    stream.flush()
            time.sleep(LAST_WORDS)
            mpi.COMM_WORLD.Abort(130 if issubclass(kind, KeyboardInterrupt) else 1)

    hook.tell = tell  # for a hook that takes this one's place, and has its own end (`deeprc.frames.ending`)
    sys.excepthook = hook


def look(mpi):
    """Compare the world's size with what was asked for, and the owners of the memory that it shares with the user."""
    for path, owner in foreign():
        end(
            "another user has made the memory that this rank shares with others",
            f"{path} of user {owner}",
            f"a file of user {os.geteuid()}",
            "run it again, on nodes that nobody else uses (`srun --exclusive`), and tell the machine's operators",
        )
    if mpi.COMM_WORLD.Get_size() > 1:
        fall(mpi)
    ranks = os.environ.get("DEEPRC_RANKS", "1")
    if os.environ.get("DEEPRC_ANY_WORLD") or not ranks.isdigit() or mpi.COMM_WORLD.Get_size() == int(ranks):
        return
    library = mpi.Get_library_version().split("\n")[0].rstrip("\0 ")
    end(
        f"the MPI world has {mpi.COMM_WORLD.Get_size()} ranks, the job {ranks}",
        f"{library}, loaded by {mpi.__file__}",
        "the MPI library that belongs to the launcher of this site",
        "install mpi4py for that MPI, or take the image that is built for this site",
    )


def connected():
    """End where the launcher talks with another process of this rank, which alone can start MPI."""
    line = os.environ.get("PMI_FD", "")
    try:
        if line.isdigit():
            os.fstat(int(line))
    except OSError:
        process, _, why = os.environ.get("DEEPRC_WARM_NOT", "").partition(" ")
        if why and process == str(os.getpid()):
            end(
                "this Python cannot start MPI: a warm gang has, and it could not run this command",
                why,
                "one program at a time, without options but -u, -B, -P, -q, and without variables that are read once",
                "have the command without it (a variable can be exported before `snakemake` instead), or leave `warm`"
                " out of the rule (docs/executor.md, Warm gangs)",
            )
        end(
            "this Python cannot start MPI: the launcher's line belongs to another process of its rank",
            f"PMI_FD={line}, which is not open here",
            "MPI started by the program that the launcher, or the gang, has started",
            f"{'call `python` by that name, or ' * ('DEEPRC_WARM' in os.environ)}start MPI in the rank's first program",
        )


def foreign():
    """Path and owner of what this process shares in /dev/shm, and what neither its user nor root has made.

    What is open is asked for its owner itself, since whoever made a file can unlink it once others have it; what is
    only mapped by its path, if that is still the same file.
    """
    shared = {}
    with open("/proc/self/maps") as maps:
        for line in maps:
            fields = line.rstrip("\n").split(maxsplit=5)
            if len(fields) == 6 and fields[5].startswith(SHARED):
                shared[int(fields[4])] = fields[5]
    known = {}
    for path in [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")] if shared else []:
        note(path, known)
    for path in shared.values():
        note(path, known)
    trusted = (os.geteuid(), 0)
    device = os.stat(SHARED).st_dev
    owners = [(path, known.get((device, inode))) for inode, path in shared.items()]
    return [(path, owner) for path, owner in owners if owner is not None and owner not in trusted]


def note(path, known):
    """Keep in mind who owns the file at `path`, if there is one."""
    try:
        found = os.stat(path)
    except OSError:
        return
    known[found.st_dev, found.st_ino] = found.st_uid


def end(what, found, expected, fix):
    """End this rank, and say why."""
    text = f"error: {what}\n  found: {found}\n  expected: {expected}\n  fix: {fix}"
    print(text, file=sys.stderr, flush=True)
    os._exit(EXIT)


class Mpi4pyFinder(importlib.abc.MetaPathFinder):
    """Calls `connected` right before the first import of `mpi4py.MPI`, `check` after it."""

    def find_spec(self, name, path=None, target=None):
        if name != "mpi4py.MPI":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None:
            load = spec.loader.exec_module

            def exec_module(module):
                connected()
                load(module)
                check(module)

            spec.loader.exec_module = exec_module
        return spec


def others():
    """Run the `sitecustomize` that this one hides: the next one where Python looks."""
    here = os.path.dirname(os.path.abspath(__file__))
    folders = [os.path.abspath(folder or ".") for folder in sys.path]
    spec = PathFinder.find_spec("sitecustomize", folders[folders.index(here) + 1 :] if here in folders else folders)
    if spec is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


sys.meta_path.insert(0, Mpi4pyFinder())
others()
