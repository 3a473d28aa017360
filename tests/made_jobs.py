"""Jobs as Snakemake makes them of a Snakefile, without running any."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.types import (
    DAGSettings,
    DeploymentMethod,
    DeploymentSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
    WorkflowSettings,
)


def jobs(folder: Path, text: str, *, methods=frozenset(DeploymentMethod), cache: list[str] | None = None, **groups):
    """The jobs of a workflow, as Snakemake makes them, and the workflow."""
    (folder / "Snakefile").write_text(text)
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        made = api.workflow(
            resource_settings=ResourceSettings(nodes=1),
            deployment_settings=DeploymentSettings(deployment_method=set(methods)),
            workflow_settings=WorkflowSettings(cache=cache),
            snakefile=folder / "Snakefile",
            workdir=folder,
        )
        with contextlib.redirect_stdout(io.StringIO()):
            made.dag(DAGSettings()).printrulegraph()
        return list(made._workflow.dag.jobs), made._workflow
