"""The message to a person about a job that its own program did not end."""

from __future__ import annotations

MEMORY = "ended for its memory"
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


def of_launcher(code: str, words: str | None) -> str:
    """No rank has failed, what started them has: it, and its `words`, if it said any."""
    cure = "; any user of its node can end this mpiexec, see docs/security.md: run it again, on nodes of your own"
    said = words or "it said nothing"
    return f"{code} of the launcher, and of no rank: {said}{cure if said.startswith(HYDRA) else ''}"
