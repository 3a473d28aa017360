"""`deeprc simulate`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from deeprc.core.errors import DeepRCError
from deeprc.core.files import atomic
from deeprc.sites.load import known_sites


def simulate(
    site: Annotated[str, typer.Option(help="a known site, or the path of a site.yaml", autocompletion=known_sites)],
    nodes: Annotated[int, typer.Option(min=1, help="of the pilot")] = 1,
    workflow: Annotated[
        str, typer.Option(help="mixed, a Snakefile, a YAML file of stages, or the events.jsonl of a run that was")
    ] = "mixed",
    jobs: Annotated[
        int | None, typer.Option(min=1, help="so many in all, in proportion; else as many as the workflow has")
    ] = None,
    partition: Annotated[str | None, typer.Option(help="the site's partition; its first one if not given")] = None,
    seed: Annotated[int, typer.Option(help="of the jobs' times and their order")] = 1,
    launches: Annotated[
        float, typer.Option(min=0, help="workers and jobs of several ranks started in a second; 0: no limit")
    ] = 20.0,
    picture: Annotated[Path | None, typer.Option(help="a file (.svg) for the timeline of utilisation")] = None,
    output: Annotated[Path | None, typer.Option(help="a file for the JSON, whatever is printed")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Run the pilot's own schedule on a simulated machine: utilisation, makespan, what limits. Nothing is measured.

    Example: `deeprc simulate --site frontier --nodes 1024 --jobs 10000 --picture frontier.svg`

    Example: `deeprc simulate --site frontier --nodes 9408 --jobs 1000000 --launches 0 --json`

    Example: `deeprc simulate --site frontera --nodes 64 --workflow .deeprc/runs/<run>/events.jsonl --jobs 5000`

    Example: `deeprc simulate --site frontera --nodes 4 --workflow workflows/Snakefile --picture pipelines.svg`

    Of a Snakefile, all jobs of its first target, as `snakemake -n` tells them in this folder: what their rules ask for,
    which come after which; each takes its `runtime`, or 60 s.

    A file of stages (only `name` and `jobs` must be there; `rows` makes it a sort of frames, with the time of a model;
    times are log-normal, with `median` in seconds and `sigma`):

    `stages: [{name: prepare, jobs: 4, ranks: 64, rows: 1000000000}, {name: train, jobs: 500, cores: 7, gpus: 1, median:
    900, sigma: 0.5, after: [prepare]}]`
    """
    from deeprc.bench.simulate import run
    from deeprc.bench.simulate.machine import Costs
    from deeprc.bench.simulate.picture import svg

    if picture is not None and picture.suffix != ".svg":
        raise DeepRCError("a picture of another kind", found=str(picture), expected="a name that ends in .svg")
    with tempfile.TemporaryDirectory(prefix="deeprc-simulate-") as folder:
        figures = run.run(
            site, partition, nodes, workflow, jobs, seed, Costs(launches=launches), Path(folder),
            lambda line: typer.echo(line, err=True),
        )  # fmt: skip
    if output is not None:
        with atomic(output) as new:
            new.write_text(json.dumps(figures, indent=1) + "\n")
    if picture is not None:
        with atomic(picture) as new:
            new.write_text(svg(figures))
    typer.echo(json.dumps(figures, indent=1) if as_json else text(figures))


def text(figures: dict) -> str:
    """The figures in a few lines."""
    own, other = figures["schedule"], figures["simulator"]
    lines = [
        f"SIMULATED, nothing of this was measured: {figures['site']}, partition {figures['partition']},"
        f" {figures['nodes']:,} nodes, {figures['cores']:,} cores, {figures['gpus']:,} accelerators",
        f"{figures['jobs']:,} jobs of {figures['workflow']}, seed {figures['seed']}",
        f"makespan        {figures['makespan_s']:,.0f} s; no schedule is below {figures['bound_s']:,.0f} s"
        f" ({figures['bound_by']})",
        f"utilisation     {figures['utilisation']:.2%} of the cores over the makespan,"
        f" {figures['utilisation_while_waiting']:.2%} until the last job began ({figures['last_job_began_s']:,.0f} s)",
        f"schedule        {own['cpu_us_per_job']} µs of CPU per job on this machine, {own['decisions']:,} decisions",
        f"memory          {other['peak_mb']:,} MB of the simulator, all jobs at once",
        f"workers         {figures['workers']['started']:,} started, {figures['workers']['at_once']:,} at once",
        *(f"limit           {line}" for line in figures["limits"]),
    ]
    for stage in figures["stages"]:
        files = stage["files"]
        lines += [
            f"{stage['name']:<15} {stage['jobs']:,} jobs of {stage['ranks']} ranks x {stage['cores']} cores,"
            f" {stage['gpus']} accelerators each: {' '.join(stage['launch'])}",
            *([f"{'':<15} times: {stage['times']}"] if stage["times"] else []),
            f"{'':<15} image starts {files['image_starts']:,} ({files['image_starts_warm']:,} where jobs are warm),"
            f" metadata operations {files['metadata_in_image']:,}; without an image {files['metadata_without']:,}"
            f" (with torch {files['metadata_without_torch']:,})",
        ]
    return "\n".join(lines)
