"""The message to a person about a job that its own program did not end."""

from __future__ import annotations

from collections.abc import Sequence

from deeprc.pilot.tasks import Outcome, Task

MEMORY = "ended for its memory"
CUT = "ended by its launcher (MPI_Abort?), which says that all is well"
HYDRA = "[mpiexec@"  # how MPICH's mpiexec begins what it says of itself


def for_time(seconds: float) -> str:
    """Its runtime was over."""
    return f"ended after its runtime of {seconds / 60:g} min"


def for_memory(limit_mb: int, used_mb: float, ranks: int = 1) -> str:
    """It, or one of its ranks, took more than it had asked for, as a look at its processes has shown."""
    each = f" for each of {ranks} ranks" if ranks > 1 else ""
    return f"{MEMORY}: {used_mb:.0f} MB were in use, mem_mb allows {limit_mb}{each}"


def by_kernel(limit_mb: int) -> str:
    """A program was killed that nobody here has killed, and the kernel has killed one meanwhile."""
    asked = f"it asks for mem_mb={limit_mb}" if limit_mb else "it asks for no mem_mb"
    return f"killed (SIGKILL), most likely by the kernel, as memory ran out meanwhile; {asked}"


def of_worker(
    task: Task, cores: Sequence, code: int | None, why: str | None, used: float = 0.0, raised: str | None = None
) -> Outcome:
    """The outcome of a job, of which its worker tells the exit code, what else ended it, and what a function raised."""
    state = "CANCELED" if why == "cancel" else "DONE" if code == 0 and why is None else "FAILED"
    if code is None:
        state = "LOST"
    if why == "timeout":
        code, why = None, for_time(task.timeout)
    elif why == "memory":
        code, why = None, for_memory(task.memory_mb, used, task.ranks)
    elif why == "kernel":
        code, why = None, by_kernel(task.memory_mb)
    elif code is not None and why not in (None, "cancel"):  # the system's words: no program has given that code
        code, why = None, f"it could not be started: {why}"
    elif raised is not None:
        why = raised
    return Outcome(task.uid, state, code, list(cores), why)


def of_launcher(code: str, words: str | None) -> str:
    """No rank has failed, what started them has: it, and its `words`, if it said any."""
    cure = "; any user of its node can end this mpiexec, see docs/security.md: run it again, on nodes of your own"
    said = words or "it said nothing"
    return f"{code} of the launcher, and of no rank: {said}{cure if said.startswith(HYDRA) else ''}"
