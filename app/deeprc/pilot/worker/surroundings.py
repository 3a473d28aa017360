"""The environment of a job: the user's own, byte by byte; of ours only what begins with DEEPRC_ or RP_.

It is kept in a file as the kernel has it (`NAME=value`, each ended by a NUL), since shells drop or change much: names
that are none of theirs, exported functions, what their own options stand in. So no shell stands between it and the job,
or, where one has to (modules of the site, several ranks), a shell whose own settings are put aside until the command.

As a program: `python …/surroundings.py FILE PROGRAM ARGUMENT …` becomes PROGRAM in the environment of FILE. Orphans
among its descendants are then PROGRAM's children, so that it can end what a rank leaves behind.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

# What launchers, batch systems and the pilot tell each process that they start: a job has these from its own rank.
LAUNCHERS = re.compile(
    rb"(PMI2?|PMIX|OMPI|OPAL|PRTE|HYDRA|HYDI|MPIR?|SLURMD?|SLINGSHOT|PALS|FLUX|ALPS|LSB|JSM|PBS|COBALT|RP)_"
    rb"|[A-Z]+_VISIBLE_DEVICES$|ZE_AFFINITY_MASK$|GPU_DEVICE_ORDINAL$|DEEPRC_PILOT$"
)
# What they may set for MPI and the network, where the user has not.
MACHINES = re.compile(rb"(MPICH|I_MPI|MV2|FI|UCX|NCCL|RCCL|CCL|HSA)_|HOSTNAME$")
# Those of an outer workflow, and what RADICAL-Pilot's own processes are told.
OURS = re.compile(rb"DEEPRC_(WARM|TOWARDS|CURVE|KEPT_|DETACHED)")
# What a shell takes as its own, or sets: put aside as DEEPRC_KEPT_<name> while it is not the job's.
SHELLS = (
    "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "POSIXLY_CORRECT", "BASH_XTRACEFD", "BASH_COMPAT", "CDPATH",
    "GLOBIGNORE", "FUNCNEST", "IFS", "UID", "EUID", "PPID", "OPTIND", "OPTERR", "SHLVL", "PWD", "OLDPWD", "_",
    "PS1", "PS2", "PS4",
)  # fmt: skip
KEPT = "DEEPRC_KEPT_"
# Ignored by what is between Snakemake and a job: Python, launchers, shells for what they start in the background.
# A program that is started so would not end by Ctrl-C or `timeout -s INT`, and `… | head` would fail another way.
SIGNALS = (
    signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGTSTP, signal.SIGTTIN,
    signal.SIGTTOU,
)  # fmt: skip
PR_SET_CHILD_SUBREAPER = 36


def dump(environment: Mapping[bytes, bytes]) -> bytes:
    """An environment as the kernel has it."""
    return b"".join(name + b"=" + value + b"\0" for name, value in environment.items())


def read(path: str) -> dict[bytes, bytes]:
    """The environment that is in a file."""
    parts = Path(path).read_bytes().split(b"\0")
    return {name: value for name, is_one, value in (part.partition(b"=") for part in parts) if is_one and name}


def of_job(theirs: Mapping[bytes, bytes] | None, own: Mapping[bytes, bytes], *, shell: bool) -> dict[bytes, bytes]:
    """The environment of a job.

    Parameters
    ----------
    theirs
        The user's; that of this process, if None.
    own
        That of this process, which a launcher has started.
    shell
        Whether a shell of ours comes before the command: what is a shell's own is then put aside.
    """
    made = {name: value for name, value in (own if theirs is None else theirs).items() if not OURS.match(name)}
    made |= {name: value for name, value in own.items() if LAUNCHERS.match(name)}
    made = {name: value for name, value in own.items() if MACHINES.match(name)} | made
    for name in map(str.encode, SHELLS if shell else ()):
        if name in made:
            made[KEPT.encode() + name] = made.pop(name)
    return made


def become_reaper() -> None:
    """Make orphans among the descendants children of this process, instead of init's: none can get away."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def main() -> None:
    """Become the program."""
    _, path, *command = sys.argv
    become_reaper()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    os.execve(command[0], command, of_job(read(path), os.environb, shell=True))


if __name__ == "__main__":
    main()
