"""The jobs of a workflow as a load for `deeprc simulate` and `bench pipeline`: a start with `-n` writes it if asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError

from deeprc.core.errors import DeepRCError
from deeprc.core.files import write_json
from snakemake_executor_plugin_radical_pilot import direct
from snakemake_executor_plugin_radical_pilot.asking import asks
from snakemake_executor_plugin_radical_pilot.resources import UNKNOWN, Request

VARIABLE = "DEEPRC_LOAD"  # the file that it is to be written to


def wanted() -> Path | None:
    """Where it is to be written; None where nobody has asked."""
    return Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def write(path: Path, dag: Any, jobs: list) -> None:
    """Write what each job asks for, what it runs and makes, and the numbers of those that it comes after.

    What only is known once others have run is left out, and the job is marked (`unknown`). Where a run would be
    refused for what a job asks for, that is written instead (`refused`).
    """
    numbers = {job: number for number, job in enumerate(jobs)}
    rows = []
    for job in jobs:
        try:
            asked, unknown = asks(job), False
        except WorkflowError:
            asked, unknown = Request(), True
        except DeepRCError as error:
            write_json(path, {"refused": str(error)})
            return
        unknown |= any(value == UNKNOWN for name, value in job.resources.items() if name != "tmpdir")
        rows.append(
            {
                "rule": direct.rule_name(job), "ranks": asked.ranks, "cores": asked.cores_per_rank,
                "gpus": asked.gpus_per_rank, "memory_mb": -(-asked.memory_mb // asked.ranks), "nodes": asked.nodes,
                "seconds": asked.minutes * 60, "unknown": unknown,
                "after": sorted(numbers[other] for other in direct.before(dag, job, numbers)),
                "label": direct.label(job), "command": _command(job),
                "files": [] if job.is_group() else [str(file) for file in (*job.output, *job.log)],
            }
        )  # fmt: skip
    write_json(path, {"jobs": rows, "more": any(job.rule.is_checkpoint for job in jobs)})


def _command(job: Any) -> str | None:
    """The whole shell command; None of a job that has none, or whose command only is known once others have run."""
    if job.is_group() or not job.is_shell:
        return None
    try:
        return direct.command(job, direct.formatted(job))
    except WorkflowError:
        return None
