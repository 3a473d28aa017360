"""Tasks as an engine is told of them: with the launch script of each that needs one."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from deeprc.core.threads import variables
from deeprc.pilot import fitness, inside
from deeprc.pilot.allocation import Allocation
from deeprc.pilot.engine import Launch
from deeprc.pilot.launch_scripts import (
    END,
    NAME,
    devices,
    launch_script,
    listens,
    rank_number,
    rank_setup,
    setup,
    slots,
)
from deeprc.pilot.planner import Planner
from deeprc.pilot.started import PROGRAM
from deeprc.pilot.tasks import Shape, Task
from deeprc.pilot.worker import surroundings

RANKS = PROGRAM.with_name("ranks")  # what Python reads first in each of several ranks


class Scripts:
    """Writes them.

    Parameters
    ----------
    folder
        The pilot's.
    sees
        Folders that workers in an image see beside it.
    """

    def __init__(self, allocation: Allocation, planner: Planner, folder: Path, sees: Sequence[Path]) -> None:
        self._site, self._partition, self._planner = allocation.site, allocation.partition, planner
        self._folder, self._sees, self._workers = folder, sees, 0

    def launch(self, task: Task, node: int | None = None) -> Launch:
        """What the engine is told about a task, with the number of its node where that is chosen.

        On this machine one rank needs no launcher: its plan has none.
        """
        plan = self._planner.plan(task)
        # No memory is requested where the site file does not say how much a node has.
        asked = task.ranks, task.cores_per_rank, task.gpus_per_rank, plan.layout.memory_mb
        if not plan.launcher:
            return Launch(task.uid, task.argv, *asked, task.nodes, node)
        folder = Path(task.folder) if task.folder else self._folder / "tasks" / task.uid
        folder.mkdir(parents=True, exist_ok=True)
        chosen = devices(self._site, self._partition, plan, folder) if task.ranks == 1 else []
        wrapped = (
            ["/bin/bash", "-c", f'RP_RANK=0; {chosen[0]}; exec "$@"', "worker", *task.argv] if chosen else task.argv
        )
        bare = task.ranks > 1 and task.environment is not None and listens(self._site, self._partition)
        (folder / END).touch()  # from the start: what is not there, a network file system looks for less often
        (folder / NAME).write_text(launch_script(plan, wrapped, folder, bare=bare))
        room = slots(self._site, self._partition, plan)
        return Launch(task.uid, task.argv, *asked, plan.layout.nodes, node, str(folder / NAME), room)

    def worker(self, shape: Shape, command: list[str]) -> list[str]:
        """The command of a worker, in the image: its jobs then cost no container of their own."""
        task = Task("", command, 1, shape.cores, shape.gpus, shape.warm, shape.memory_mb, contained=True)
        plan = self._planner.plan(task)
        binds = inside.folders([self._folder, PROGRAM, *self._sees])
        started = inside.contained(self._site, plan, command, binds, [])
        script = self._folder / "tasks" / f"worker.{self._workers}.sh"  # RADICAL-Pilot would expand its words
        script.write_text("\n".join([*setup(plan), started, ""]))
        self._workers += 1
        return ["/bin/bash", str(script)]

    def gang(self, task: Task, name: str, address: str, keyfile: Path) -> Task:
        """A gang for jobs like `task`: workers that call there, one a rank, each by its name and rank."""
        plan, folder = self._planner.plan(task), self._folder / "tasks" / name
        folder.mkdir(parents=True, exist_ok=True)
        python = "python3" if plan.runtime else sys.executable
        words = [python, str(PROGRAM), address, str(keyfile), f"{name}:RANK", *task.warm]
        started, needs = shlex.join(words), fitness.images(plan)
        told = {**variables(task.cores_per_rank), "DEEPRC_RANKS": str(task.ranks)}
        if plan.runtime:
            binds = inside.folders([self._folder, PROGRAM, RANKS, *self._sees])
            started = inside.contained(self._site, plan, words, binds, [*told, "PYTHONPATH"])
        lines = [
            "#!/usr/bin/env bash",
            f"export RP_RANK={rank_number(self._site, self._partition)}",
            *rank_setup(self._site, self._partition, plan, folder),
            *(f"export {variable}={value}" for variable, value in told.items()),
            f"export PYTHONPATH={shlex.quote(str(RANKS))}${{PYTHONPATH:+:$PYTHONPATH}}",
            *([fitness.check(needs, shlex.quote(str(folder)), several=True)] if needs else []),
            f"builtin cd {shlex.quote(str(folder))} || exit 1",
            started.replace(f"{name}:RANK", f'{name}:"$RP_RANK"'),
            "DEEPRC_CODE=$?",
            "[[ $DEEPRC_CODE == 0 ]] || builtin kill -TERM 0",  # Hydra waits for ranks that did not open MPI
            "exit $DEEPRC_CODE",
        ]
        script = folder / "gang.sh"
        script.write_text("\n".join([*lines, ""]))
        argv = ["/bin/bash", str(script)]
        if task.environment is not None:
            argv = [sys.executable, "-IS", surroundings.__file__, task.environment, *argv]
            argv = fitness.ranks(argv, folder, rank_number(self._site, self._partition))
        return replace(task, uid=name, argv=argv, folder=str(folder), timeout=None, workdir=None, repeats=1)
