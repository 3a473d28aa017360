"""The scripts through which a plan becomes a task: one that calls the launcher, and the part that each rank runs.

A task of several ranks, and any task of a batch system, is started by the line that `deeprc.launch` composes. Its
number of nodes, and what depends on that, is known before: RADICAL-Pilot takes whole blocks of ranks only
(`patches/deeprc_launch.py`), since most launchers can lay out ranks evenly only. So one plan is enough, and an error in
it is told before anything starts.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from deeprc.launch import Plan, launcher
from deeprc.launch.launchers import Launcher
from deeprc.launch.modules import KNOWN
from deeprc.launch.text import exports, shell_word
from deeprc.pilot.worker import surroundings
from deeprc.sites import Partition, Site

NAME = "launch.sh"
END = "end"  # the file beside it in which ranks find a word when they are to end (`ranks/watch.sh`)
PLACES = {
    "{hosts}": "${DEEPRC_HOSTS}",
    "{hostfile}": "${DEEPRC_HOSTFILE}",
    "{offset}": "${DEEPRC_OFFSET}",
    "{binding}": "${DEEPRC_BINDING}",
}
# Where launchers put a rank's number in the world. MPI's own first: within Slurm, every process has SLURM_PROCID.
RANKS = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "PALS_RANKID", "JSM_NAMESPACE_RANK", "SLURM_PROCID")
# What the allocation tells `srun` to do for every step: here each step says all of it itself. psij submits with
# `--export=NONE`, which would keep even the PATH from the ranks.
ALLOCATION = (
    "EXPORT_ENV", "GRES", "GPUS", "GPUS_PER_NODE", "GPUS_PER_TASK", "NTASKS_PER_NODE", "CPUS_PER_TASK", "MEM_PER_CPU",
    "MEM_PER_GPU", "MEM_PER_NODE", "TRES_PER_TASK", "DISTRIBUTION", "EXACT", "OVERLAP", "CPU_BIND", "GPU_BIND",
)  # fmt: skip
# What a launcher needs besides what ranks get from it: to be found, and to reach other nodes.
NEEDED = "(PATH|LD_LIBRARY_PATH|HOME|USER|LOGNAME|LANG|SSH_AUTH_SOCK|KRB5CCNAME)$"
BARE = '/usr/bin/env -i "${DEEPRC_LEFT[@]}" '
WORLDLESS = "unset ${!PMI@} ${!PALS@} ${!SLURM_STEP@} SLURM_PROCID SLURM_LOCALID"


def setup(plan: Plan) -> list[str]:
    """Shell lines with the plan's modules and environment."""
    lines = exports(plan)
    return [KNOWN, *lines] if plan.modules else lines


def launch_script(plan: Plan, argv: Sequence[str], folder: Path, *, bare: bool = False) -> str:
    """The script that starts `argv` on the plan's ranks.

    `placement.sh`, beside it in `folder`, says where they are: RADICAL-Pilot's choice.

    Parameters
    ----------
    bare
        Whether the launcher gets only what it needs itself of the environment, as it may tell it to strangers. Its
        ranks read theirs from a file then, and take from it what `surroundings.of_job` lets through.
    """
    words = " ".join(_placed(word) for word in plan.launcher)
    files = [
        f'file={shell_word(path)}; mkdir -p "$(dirname "$file")"; cat > "$file" << "END"\n{text.rstrip()}\nEND'
        for path, text in plan.files.items()
    ]
    return "\n".join(
        [
            "#!/usr/bin/env bash",
            f". {shlex.quote(str(folder / 'placement.sh'))}",
            f"unset {' '.join([*RANKS, *(f'SLURM_{name}' for name in ALLOCATION)])}",
            *setup(plan),
            *files,
            *(_bared(plan.environment) if bare else ()),
            f"exec {BARE if bare else ''}{words} {shlex.join(argv)}",
            "",
        ]
    )


def filled(words: Sequence[str], folder: Path, hosts: Sequence[str] = ()) -> list[str]:
    """The words of a launch line as they were used: `folder` has the task's placement; else `hosts` are known."""
    places = {"hosts": ",".join(dict.fromkeys(hosts))} if hosts else {}
    path = folder / "placement.sh"
    if path.exists():
        values = dict(shlex.split(line)[0].split("=", 1) for line in path.read_text().splitlines())
        places = {place.strip("{}"): values[variable.strip("${}")] for place, variable in PLACES.items()}
    return [re.sub(r"\{(\w+)\}", lambda match: places.get(match[1], match[0]), word) for word in words]


def rank_words(plan: Plan, command: Sequence[str]) -> str:
    """What a rank runs, as shell: the command, in its container where the plan has one."""
    return " ".join([*map(shlex.quote, plan.binding), *map(shell_word, plan.runtime), *map(shlex.quote, command)])


def rank_number(site: Site, partition: Partition) -> str:
    """A shell expression: a rank's number, by the name that its launcher is known to give it, else by any other."""
    expression = "0"
    for name in reversed(list(dict.fromkeys([_launcher(site, partition).rank, *RANKS]))):
        expression = f"${{{name}:-{expression}}}"
    return expression


def rank_setup(site: Site, partition: Partition, plan: Plan, folder: Path) -> list[str]:
    """Shell lines that a rank runs before its command: modules, environment, its accelerators."""
    lines = setup(plan)
    if plan.layout.ranks > 1:
        return lines + devices(site, partition, plan, folder)
    # A worker was started as the rank of a world of its own, which its jobs, one after the other, are not.
    return [WORLDLESS, *lines] if plan.launcher else lines


def devices(site: Site, partition: Partition, plan: Plan, folder: Path) -> list[str]:
    """Shell lines that give the rank $RP_RANK what RADICAL-Pilot has chosen for it, where the launcher does not."""
    if not plan.layout.gpus_per_rank or partition.accelerator is None or _launcher(site, partition).binds_gpus:
        return []
    chosen = shlex.quote(str(folder / ("peers" if plan.gpus_seen > plan.layout.gpus_per_rank else "devices")))
    return [f'export {partition.accelerator.visible}="$(sed -n "$((RP_RANK + 1))p" {chosen})"']


def slots(site: Site, partition: Partition, plan: Plan) -> int:
    """Ranks like the plan's for which a node has room, as the launcher counts."""
    return _launcher(site, partition).slots(plan.layout)


def listens(site: Site, partition: Partition) -> bool:
    """Whether strangers can reach what starts the ranks, and ask it for its environment."""
    return _launcher(site, partition).listens


def _bared(names: Iterable[str]) -> list[str]:
    """Shell lines after which $DEEPRC_LEFT has the few variables that a launcher needs, and `names`, as `env` takes
    them.
    """
    let_through = [surroundings.LAUNCHERS.pattern.decode(), surroundings.MACHINES.pattern.decode()]
    allowed = "|".join([*let_through, NEEDED, *(f"{name}$" for name in names)])
    return [
        "DEEPRC_LEFT=()",
        f"DEEPRC_ALLOWED={shlex.quote(f'^({allowed})')}",
        "while IFS= read -r -d '' DEEPRC_ONE; do",
        '  [[ ${DEEPRC_ONE%%=*} =~ $DEEPRC_ALLOWED ]] && DEEPRC_LEFT+=("$DEEPRC_ONE")',
        "done < <(/usr/bin/env -0)",
    ]


def _launcher(site: Site, partition: Partition) -> Launcher:
    return launcher(site, partition, Path(sys.prefix))


def _placed(word: str) -> str:
    for place, variable in PLACES.items():
        word = word.replace(place, variable)
    return shell_word(word)
