"""What Python and libraries read once, when they start, and what a process is given by what has started it.

A program that wants it otherwise than the worker has it cannot be run in the worker, nor in a fork: it gets a Python of
its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
from collections.abc import Mapping
from pathlib import Path

# Read by the interpreter (but for those that `program` reads anew), the loader, threads of kernels, and libraries at
# their import.
READ = re.compile(
    r"PYTHON(?!PATH$|UNBUFFERED$|DONTWRITEBYTECODE$)"
    r"|(LD|MALLOC|OMP|KMP|GOMP|MKL|OPENBLAS|GOTO|BLIS|NUMEXPR|NUMBA|POLARS|RAYON|ARROW|DUCKDB|TF|TENSORFLOW|XLA"
    r"|KERAS|TORCH\w*|PYTORCH|JAX|CUDA|CUBLAS|CUDNN|NVIDIA|HIP|ROCR?|HSA|SYCL|ZE|ONEAPI|NCCL|RCCL|CCL|GLOO|MPICH|I_MPI"
    r"|MV2|OMPI|MPI4PY|UCX|FI|HF|HDF5|GDAL|PROJ)_|(GLIBC_TUNABLES|MPLBACKEND|MPLCONFIGDIR)$",
    re.ASCII,
)
LIMITS = [value for name, value in vars(resource).items() if name.startswith("RLIMIT_")]
ALWAYS = {signal.SIGPIPE, signal.SIGXFSZ}  # Python ignores them itself
Held = tuple[list[tuple[int, int]], int, set[int], set[int]]


def read(environment: Mapping[str, str]) -> dict[str, str]:
    """Of an environment, what is read once."""
    found = {name: value for name, value in environment.items() if READ.match(name)}
    language = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "C")
    # Python takes UTF-8 where none is chosen (PEP 538).
    coerced = language in ("C", "POSIX") and not environment.get("LC_ALL")
    return {**found, "LANG": "C.UTF-8" if coerced else language}


def held(pid: int = 0) -> Held:
    """The limits, the priority, the cores and the ignored signals of a process."""
    limits = [resource.prlimit(pid, each) for each in LIMITS]
    return limits, os.getpriority(os.PRIO_PROCESS, pid), os.sched_getaffinity(pid), _ignored(pid)


def take(wanted: Held) -> None:
    """Give this process what another one has."""
    limits, priority, cores, ignored = wanted
    for which, pair in zip(LIMITS, limits, strict=True):
        if resource.getrlimit(which) != pair:
            with contextlib.suppress(OSError, ValueError):  # above what it may have: its shell could not either
                resource.setrlimit(which, pair)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, priority)
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, cores)
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


def _ignored(pid: int) -> set[int]:
    text = Path(f"/proc/{pid or 'self'}/status").read_text()
    mask = int(next(line for line in text.splitlines() if line.startswith("SigIgn:")).split()[1], 16)
    return {number for number in range(1, 32) if mask >> (number - 1) & 1} - ALWAYS
