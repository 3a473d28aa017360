"""A batch job for each stage, all of them submitted at once; the launch line is that of `deeprc plan`."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from deeprc.bench.batch.stages import BatchStage
from deeprc.core.ask import ask
from deeprc.core.errors import DeepRCError
from deeprc.core.threads import variables
from deeprc.launch import Layout, compose
from deeprc.launch.text import exports, launch_line
from deeprc.pilot.batch import give_back
from deeprc.sites import Partition, Site

LOOK = 0.1  # seconds between two looks for results
ASK = 3.0  # and between two questions whether any job is left


def run(stages: Sequence[BatchStage], folder: Path, site: Site, partition: Partition, nodes: int) -> None:
    """Run them on the same nodes; what a stage has found is in a file of its name.

    It returns when the last file is there, or no job is left: nobody is charged for how soon a user would notice.
    """
    batch, name = site.scheduler.system, f"deeprc-{uuid.uuid4().hex[:8]}"
    elsewhere = batch.without(_beyond(partition, nodes))
    missing = [folder / f"{stage.name}.json" for stage in stages]
    try:
        for stage in stages:
            _submit(stage, folder, site, partition, [*batch.named.format(name).split(), *elsewhere])
        asked = time.monotonic()
        while missing := [path for path in missing if not path.exists()]:
            if time.monotonic() - asked > ASK:
                if not batch.left(name):
                    return
                asked = time.monotonic()
            time.sleep(LOOK)
    finally:
        give_back(batch.name, name)


def _beyond(partition: Partition, nodes: int) -> list[str]:
    """The nodes of the queue that are not to be used: all but the first."""
    queue = partition.queue or partition.name
    told = ask(["sinfo", "--noheader", "--Node", f"--partition={queue}", "--format=%N"]) or ""
    return [*dict.fromkeys(told.split())][nodes:]


def _submit(stage: BatchStage, folder: Path, site: Site, partition: Partition, more: Sequence[str]) -> None:
    own = partition.usable_cores
    layout = Layout(stage.ranks, nodes=-(-stage.ranks // own))
    command = [sys.executable, "-P", "-m", "deeprc.bench.batch.work", stage.op, str(stage.rows), f"{stage.name}.json"]
    plan = compose(site, partition, layout, command)
    told = {**variables(1), "DEEPRC_RANKS": str(stage.ranks)}
    lines = [f"export {name}={value}" for name, value in told.items()]
    script = folder / f"{stage.name}.sh"
    script.write_text("\n".join(["#!/bin/bash", *lines, *exports(plan), f"exec {launch_line(plan)}", ""]))
    line = ["sbatch", "--parsable", f"--output={stage.name}.log", *plan.scheduler_options, *more, script.name]
    done = subprocess.run(line, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise DeepRCError("sbatch failed", where=" ".join(line), found=done.stderr.strip())
