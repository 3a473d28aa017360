"""The programs here that start ranks, called as site files call them; and what they speak to ranks (PMI)."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from deeprc.core.ask import ask
from deeprc.schedulers.slurm_sinfo import SPOKEN

# By the name of the program, where that is enough.
PLAIN = {"ibrun": "ibrun", "jsrun": "jsrun"}


@dataclass(frozen=True)
class LauncherProgram:
    """A program that starts ranks; `launcher` is the word for it in site files, `pmi` what it speaks to ranks; `own` is
    one that came with Deep RC's environment, not with the machine.
    """

    launcher: str
    path: str
    version: str | None = None
    pmi: tuple[str, ...] = ()
    own: bool = False


def launchers() -> list[LauncherProgram]:
    """The first of each name on the PATH, and the `mpiexec` of this environment."""
    found = []
    for name in ("srun", "ibrun", "jsrun", "mpiexec", "mpirun"):
        for path in dict.fromkeys([shutil.which(name), _own(name)]):
            if path:
                found += [program] if (program := examine(path)) else []
    # `mpirun` is most often the same program as `mpiexec`, and the first one found stands for both.
    return list({(program.launcher, Path(program.path).parent): program for program in reversed(found)}.values())[::-1]


def examine(path: str) -> LauncherProgram | None:
    """What the program at `path` is; None for one that nothing is known about."""
    name = Path(path).name
    if name in PLAIN:
        return LauncherProgram(PLAIN[name], path)
    version = ask([path, "--version"]) or ""
    if name == "srun":
        number = re.search(r"slurm\S* (\d\S*)", version)
        return LauncherProgram("srun", path, number and number.group(1), tuple(parse_srun_mpi(_srun_mpi(path))))
    found = what_it_is(path, version)
    return found and replace(found, own=Path(path).is_relative_to(sys.prefix))


def what_it_is(path: str, version: str) -> LauncherProgram | None:
    """An `mpiexec` or `mpirun` by what it answers to `--version`."""
    for pattern, launcher, pmi in (
        (r"Intel\(R\) MPI Library.*?Version ([\d.]+)", "mpirun-intelmpi", ("pmi1", "pmi2")),
        (r"HYDRA build details:\s+Version:\s+(\S+)", "mpiexec-hydra", ("pmi1", "pmi2")),
        (r"Spectrum MPI\)? ([\d.]+)", "mpirun-openmpi", ("orte", "pmix")),
        (r"\(Open MPI\) ([\d.]+)", "mpirun-openmpi", ("pmix",)),
    ):
        if match := re.search(pattern, version, re.S):
            number = match.group(1)
            spoken = (("orte",) if number < "5" else ("prrte",)) + pmi if "Open MPI" in version else pmi
            return LauncherProgram(launcher, path, number, spoken)
    if "/pals/" in str(Path(path).resolve()) or "pals" in version.lower():
        return LauncherProgram("mpiexec-pals", path, None, ("pals", "cray"))
    return None


def _own(name: str) -> str | None:
    path = Path(sys.prefix) / "bin" / name
    return str(path) if name == "mpiexec" and path.is_file() else None


def _srun_mpi(path: str) -> str:
    return ask([path, "--mpi=list"], both=True) or ""  # until Slurm 21.08 on standard error


def parse_srun_mpi(text: str) -> list[str]:
    """What `srun --mpi=list` names, as site files do: `cray_shasta` is cray, `pmix_v4` is pmix.

    The order is that of Slurm's folder of plugins, and says nothing about the default (open-mpi/ompi#13523).
    """
    found = []
    for word in re.findall(r"[a-z]\w*", text):
        name = SPOKEN.get(word.partition("_v")[0])
        if name and name not in found:
            found.append(name)
    return found
