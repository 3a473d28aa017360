"""In the place of a site's launcher: takes the words that its own document knows, and has Hydra start the ranks.

`python stand_in.py HYDRA NAME WORD …`. What the launcher of that NAME does not know, or would refuse,
ends it with 2. Sources:
`ibrun`: TACC, Frontera user guide, "Launching applications" (`-n`, `-o`; `task_affinity` before the program).
`jsrun`: IBM, Job Step Manager, `jsrun(1)`, and OLCF's Summit user guide (resource sets).
`pals`: HPE, PALS, `mpiexec(1)`, and ALCF's Polaris and Aurora user guides (`--ppn`, `--depth`, `--cpu-bind`,
`--hostfile`).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def parser(name: str, *options: str, flags: tuple[str, ...] = ()) -> argparse.ArgumentParser:
    """Takes these options, each with a value, and a command."""
    made = argparse.ArgumentParser(name, allow_abbrev=False, add_help=False)
    for option in options:
        made.add_argument(*option.split("|"), dest=option.split("|")[0].lstrip("-"))
    for flag in flags:
        made.add_argument(flag, action="store_true")
    made.add_argument("command", nargs=argparse.REMAINDER)
    return made


def ibrun(words: list[str]) -> tuple[int, list[str], dict[str, str]]:
    """Ranks from an offset on, in blocks of IBRUN_TASKS_PER_NODE."""
    found = parser("ibrun", "-n", "-o").parse_args(words)
    assert found.command[0] == "task_affinity", found.command
    assert int(os.environ["IBRUN_TASKS_PER_NODE"]) > 0
    assert int(found.o) >= 0
    return int(found.n), found.command[1:], {}


def jsrun(words: list[str]) -> tuple[int, list[str], dict[str, str]]:
    """Resource sets; those of a host are full."""
    options = ("--nrs|-n", "--tasks_per_rs|-a", "--cpu_per_rs|-c", "--gpu_per_rs|-g", "--rs_per_host|-r", "--bind|-b")
    found = parser("jsrun", *options, "--smpiargs|-M").parse_args(words)
    sets = int(found.nrs)
    assert sets % int(found.rs_per_host) == 0, "a host with fewer resource sets"
    kind, _, width = found.bind.partition(":")
    assert (kind, int(width)) == ("packed", int(found.cpu_per_rs) // int(found.tasks_per_rs))
    names = {"OMPI_COMM_WORLD_RANK": "PMI_RANK", "OMPI_COMM_WORLD_LOCAL_RANK": "MPI_LOCALRANKID"}
    return sets * int(found.tasks_per_rs), found.command, {**names, "JSM_NAMESPACE_RANK": "PMI_RANK"}


def pals(words: list[str]) -> tuple[int, list[str], dict[str, str]]:
    """Ranks on the hosts of a file, bound by depth or by a list for the ranks of a node."""
    found = parser("mpiexec", "-n|--np", "--ppn", "--depth|-d", "--cpu-bind", "--hostfile").parse_args(words)
    hosts = Path(found.hostfile).read_text().split()
    assert len(dict.fromkeys(hosts)) * int(found.ppn) >= int(found.n), "more ranks than the hosts take"
    bind = vars(found)["cpu-bind"]
    kind, _, cores = bind.partition(":")
    if kind == "list":
        assert len(cores.split(":")) >= int(found.ppn), "a rank without cores"
        assert all(part.replace("-", "").isdigit() for each in cores.split(":") for part in each.split(","))
    else:
        assert bind in ("depth", "none", "core", "rank", "numa", "socket", "thread"), bind
    return int(found.n), found.command, {"PALS_RANKID": "PMI_RANK", "PALS_LOCAL_RANKID": "MPI_LOCALRANKID"}


def main() -> None:
    """Become Hydra's mpiexec."""
    _, hydra, name, *words = sys.argv
    try:
        ranks, command, names = {"ibrun": ibrun, "jsrun": jsrun, "pals": pals}[name](words)
        assert command, "no command"
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
    told = "; ".join(f'export {each}="${own}"' for each, own in names.items()) or ":"
    os.execv(hydra, [hydra, "-n", str(ranks), "/bin/bash", "-c", f'{told}; exec "$@"', "rank", *command])


if __name__ == "__main__":
    main()
