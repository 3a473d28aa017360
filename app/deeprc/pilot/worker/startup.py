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
TAKEN = "uPBq"  # options of Python that a program gets in a process that runs already


def read(environment: Mapping[str, str]) -> dict[str, str]:
    """Of an environment, what is read once."""
    found = {name: value for name, value in environment.items() if READ.match(name)}
    language = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "C")
    # Python takes UTF-8 where none is chosen (PEP 538).
    coerced = language in ("C", "POSIX") and not environment.get("LC_ALL")
    return {**found, "LANG": "C.UTF-8" if coerced else language}


def options(arguments: list[str]) -> tuple[str, list[str]]:
    """What a command gives Python before its program, as letters, and the program: `-c TEXT`, `-m NAME`, or a script,
    each with its words.

    Raises
    ------
    ValueError
        Where there is no such program, or an option that is read once: by its name.
    """
    flags, others, program, rest = "", [], None, [*arguments]
    while program is None and rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        letters = word[1:]
        if word.startswith("--"):
            others.append(word)
            break
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in "cm":
                program = [f"-{letter}", *([letters] if letters else []), *rest]
                break
            if letter in "WX":
                others.append(f"-{letter} {letters or ''.join(rest[:1])}")
                del rest[: not letters]
                break
            if letter in TAKEN:
                flags += letter
            else:
                others.append(f"-{letter}")
    if others:
        raise ValueError(f"the option{'s' * (len(others) > 1)} {', '.join(others)}")
    program = program or rest
    if program[:1] in (["-"], []):
        raise ValueError("a program read from its input")
    if program[0] in ("-c", "-m") and len(program) == 1:
        raise ValueError(f"the option {program[0]} without its word")
    return flags, program


def differences(wanted: Mapping[str, str], there: Mapping[str, str]) -> str:
    """What of two environments is read once, and is not the same, for people: by name, as values may be secrets."""
    names = [name for name in sorted(wanted.keys() | there.keys()) if wanted.get(name) != there.get(name)]
    return f"{', '.join(names)} of its own" if names else ""


def otherwise(wanted: Held, there: Held) -> str:
    """What one process has otherwise than another, for people."""
    names = ("limits (ulimit)", "a priority (nice)", "cores (taskset)", "ignored signals (trap)")
    found = [name for name, one, other in zip(names, wanted, there, strict=True) if one != other]
    return f"{', '.join(found)} of its own" if found else ""


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
