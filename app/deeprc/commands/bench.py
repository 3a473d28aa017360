"""`deeprc bench …`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from deeprc.applications.registry import applications
from deeprc.core.commandline import CommandLine
from deeprc.core.files import atomic

app = CommandLine(no_args_is_help=True, help="Measure this machine.")

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
ENTRANT = (
    "arrow or cylon; polars or duckdb with as many threads, dask with as many workers, pandas; "
    "ENGINE:RANKS with others; arrow:2:text with text as keys"
)
ANSWERS = (
    "arrow; polars or duckdb with as many threads; ENGINE:RANKS with others; arrow:2:pruned by columns chosen by hand"
)
WAY = (
    "one: one command after another; many: as many at once as cores; or a site of this machine; may be given again "
    "[default: one, many, localhost]"
)
Against = Annotated[
    str | None, typer.Option(help="another such engine, measured in turns with the first: their ratio is told")
]
Output = Annotated[Path | None, typer.Option(help="a file for the JSON, whatever is printed")]


@app.command("frames")
def bench_frames(
    rows: Annotated[int, typer.Option(min=1, help="rows of each table, over all ranks")] = 1_000_000,
    ranks: Annotated[int, typer.Option(min=1, help="MPI ranks on this machine")] = 2,
    op: Annotated[str, typer.Option(help="join, sort, groupby or pipeline")] = "join",
    engine: Annotated[str, typer.Option(help=ENTRANT)] = "arrow",
    against: Against = None,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Rows per second of an operation of the distributed dataframes.

    Example: `deeprc bench frames --rows 5000000 --ranks 2 --op join --against polars --json`

    Example: `deeprc bench frames --rows 5000000 --ranks 2 --op pipeline --against dask`
    """
    from deeprc.bench import frames

    show(kept(frames.run(rows, ranks, op, engine, against, repeats), output), as_json)


@app.command("pdsh")
def bench_pdsh(
    scale: Annotated[float, typer.Option("--sf", min=0.001, help="scale factor; 0.01, 0.1 and 1 have answers")] = 0.1,
    ranks: Annotated[int, typer.Option(min=1, help="MPI ranks on this machine")] = 2,
    query: Annotated[int | None, typer.Option(help="one query alone")] = None,
    engine: Annotated[str, typer.Option(help=ANSWERS)] = "arrow",
    against: Against = None,
    data: Annotated[Path | None, typer.Option(help="a folder to keep the tables of this scale factor in")] = None,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """The 22 queries of PDS-H from Parquet, against reference answers; exit 1 when one is wrong.

    Example: `deeprc bench pdsh --sf 1 --ranks 2 --json`

    Example: `deeprc bench pdsh --sf 1 --ranks 2 --against arrow:2:pruned`
    """
    from deeprc.bench.pdsh import run

    figures = run.run(scale, ranks, query, engine, data, repeats, against)
    kept(figures, output)
    show(
        figures if as_json else {**figures, "queries": {f"q{row['query']}": row for row in figures["queries"]}}, as_json
    )
    if any(row["right"] is False for row in figures["queries"]):
        raise typer.Exit(1)


@app.command("pilot")
def bench_pilot(
    tasks: Annotated[int, typer.Option(min=1, help="short jobs in the workflow")] = 200,
    as_json: Json = False,
) -> None:
    """Start-up, tasks per second, latency and close of a pilot, beside the local executor.

    Example: `deeprc bench pilot --tasks 200 --json`
    """
    from deeprc.bench import pilot

    show(pilot.run(tasks), as_json)


@app.command("many")
def bench_many(
    jobs: Annotated[list[int] | None, typer.Option(min=1, help="in a workflow; may be given again")] = None,
    option: Annotated[list[str] | None, typer.Option(help="a word more for Snakemake; may be given again")] = None,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Short jobs per second of workflows that have many, and what Snakemake's own process takes for each.

    16,000 jobs take two minutes on two idle cores.

    Example: `deeprc bench many --jobs 1000 --jobs 4000 --json`

    Example: `deeprc bench many --jobs 4000 --option=--scheduler --option=greedy`
    """
    from deeprc.bench import many

    figures = kept(many.run(jobs or [1000], option or [], progress), output)
    show(figures if as_json else {**figures, "runs": {str(row["jobs"]): row for row in figures["runs"]}}, as_json)


@app.command("pipeline")
def bench_pipeline(
    way: Annotated[list[str] | None, typer.Option(help=WAY)] = None,
    repeats: Annotated[int, typer.Option(min=1, help="turns of each way")] = 3,
    option: Annotated[list[str] | None, typer.Option(help="a word more for Snakemake; may be given again")] = None,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """A whole workflow by Snakemake and its pilot, beside its commands in fresh processes without either.

    Each way makes all results from the same data, in turns; exit 1 where a turn failed or came to other metrics.

    Example: `deeprc bench pipeline --json`

    Example: `deeprc bench pipeline --way many --way localhost --way localhost-apptainer`

    Example: `deeprc bench pipeline --option=--configfile --option=mine.yaml --output mine.json`
    """
    from deeprc.bench.pipeline import run

    figures = kept(run.run(way or ["one", "many", "localhost"], repeats, option or [], progress), output)
    show(figures, as_json)
    if not figures["same"] or any(each["failures"] for each in figures["ways"].values()):
        raise typer.Exit(1)


@app.command("gangs")
def bench_gangs(
    jobs: Annotated[int, typer.Option(min=1, help="jobs by gangs")] = 500,
    cold: Annotated[int, typer.Option(min=1, help="jobs that the launcher starts one by one")] = 50,
    ranks: Annotated[int, typer.Option(min=2, help="MPI ranks of each job")] = 2,
    as_json: Json = False,
) -> None:
    """Jobs of several ranks per second, by warm gangs, beside those that the launcher starts one by one.

    Example: `deeprc bench gangs --jobs 500 --json`
    """
    from deeprc.bench import gangs

    show(gangs.run(jobs, cold, ranks), as_json)


@app.command("functions")
def bench_functions(
    count: Annotated[int, typer.Option("--calls", min=1, help="calls, and as many once more with the kills")] = 10_000,
    kills: Annotated[int, typer.Option(min=0, help="workers that get a `kill -9` meanwhile")] = 5,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Calls of a Python function per second on a pilot, and whether each counts once where workers are killed.

    Exit 1 where the effect of a call is there twice, or is missing though it was told as done.

    Example: `deeprc bench functions --calls 10000 --kills 5 --json`
    """
    from deeprc.bench import functions

    figures = kept(functions.run(count, kills), output)
    show(figures, as_json)
    if figures["killed"]["twice"] or figures["killed"]["missing"]:
        raise typer.Exit(1)


@app.command("checkpoint")
def bench_checkpoint(
    mb: Annotated[int, typer.Option(min=1, help="size of the state, MB (10^6 bytes)")] = 200,
    ranks: Annotated[int, typer.Option(min=1, help="MPI ranks on this machine")] = 2,
    as_json: Json = False,
) -> None:
    """What a checkpoint costs the training that it is of: time blocked, time of its steps, memory.

    Example: `deeprc bench checkpoint --mb 200 --ranks 2 --json`
    """
    from deeprc.bench import checkpoint

    show(checkpoint.run(mb, ranks), as_json)


@app.command("resume")
def bench_resume(
    kills: Annotated[int, typer.Option(min=1, help="`kill -9` of all ranks, at the same steps for each engine")] = 20,
    engine: Annotated[
        list[str] | None, typer.Option(help="one of deeprc, deeprc-fixed, lightning, accelerate, …; all when left out")
    ] = None,
    python: Annotated[str, typer.Option(help="the Python that has the other libraries")] = sys.executable,
    as_json: Json = False,
) -> None:
    """What `kill -9` costs a training, ours and those of other libraries: samples lost, replayed, weights, seconds.

    One network, one schedule of kills, each library used as its documentation says. What is not installed is skipped;
    the others live in an environment of their own:

    `python -m venv others`

    `others/bin/pip install torch==2.13.0 lightning==2.6.6 accelerate==1.15.0 torchdata==0.11.0`

    A start takes some 3 to 8 seconds on two idle cores: twenty kills of one engine, two minutes.

    Example: `deeprc bench resume --kills 20 --python others/bin/python --json`

    Example: `deeprc bench resume --kills 3 --engine deeprc`
    """
    from deeprc.bench.resume import run

    show(run.run(kills, engine, python, progress), as_json)


@app.command("tensorflow")
def bench_tensorflow(
    ranks: Annotated[int, typer.Option(min=2, help="MPI ranks on this machine")] = 2,
    batch: Annotated[int, typer.Option(min=1, help="windows of each rank in a step")] = 256,
    steps: Annotated[int, typer.Option(min=1, help="steps of a turn; one rank and all take turns")] = 3,
    as_json: Json = False,
) -> None:
    """Windows per second of a training in TensorFlow on ranks beside one rank, by MPI and by TensorFlow's own strategy.

    Example: `deeprc bench tensorflow --ranks 2 --json`
    """
    from deeprc.bench import tensorflow

    show(tensorflow.run(ranks, batch, steps), as_json)


@app.command("synchronisation")
def bench_synchronisation(
    ranks: Annotated[int, typer.Option(min=4, help="MPI ranks on this machine, every two taken for a node")] = 4,
    steps: Annotated[int, typer.Option(min=20, help="steps of each training")] = 300,
    repeats: Annotated[int, typer.Option(min=1, help="trainings by each way")] = 3,
    as_json: Json = False,
) -> None:
    """Time, bytes and accuracy of each way in which ranks synchronise, and what slower networks would add.

    Each repeat takes some four minutes on 2 cores.

    Example: `deeprc bench synchronisation --json`
    """
    from deeprc.bench import synchronisation

    show(synchronisation.run(ranks, steps, repeats, progress), as_json)


def progress(line: str) -> None:
    """Say how far a measurement is, where it does not get into its figures."""
    typer.echo(line, err=True)


def kept(figures: dict, output: Path | None) -> dict:
    """The figures, written to a file if one is named."""
    if output is not None:
        with atomic(output) as new:
            new.write_text(json.dumps(figures, indent=1) + "\n")
    return figures


@app.command("step")
def bench_step(
    batch: Annotated[int, typer.Option(min=1, help="windows of a step")] = 64,
    steps: Annotated[int, typer.Option(min=2, max=600, help="steps of a turn; both loops take turns")] = 40,
    turns: Annotated[int, typer.Option(min=1)] = 5,
    as_json: Json = False,
) -> None:
    """A step of our training on windows of mapped Arrow files, beside a plain loop on tensors in memory.

    Example: `deeprc bench step --json`
    """
    from deeprc.bench import step

    show(step.run(batch, steps, turns), as_json)


def show(figures: dict, as_json: bool) -> None:
    """Print figures as JSON, or as lines of `name value`, nested names joined by dots."""
    if as_json:
        typer.echo(json.dumps(figures, indent=1))
        return
    rows = [("", figures)]
    while rows:
        name, value = rows.pop(0)
        if isinstance(value, dict):
            rows = [(f"{name}.{key}".lstrip("."), inner) for key, inner in value.items()] + rows
        else:
            typer.echo(f"{name:<28} {value}")


for _application in applications().values():
    for _name, _command in _application.benches().items():
        app.command(_name)(_command)
