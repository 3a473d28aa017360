"""`deeprc bench …` of jobs by the pilot."""

from __future__ import annotations

from typing import Annotated

import typer

from deeprc.commands.bench.told import Json, Output, app, kept, progress, show

WAY = (
    "one: one command after another; many: as many at once as cores; or a site of this machine; may be given again "
    "[default: one, many, localhost]"
)


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


@app.command("batch")
def bench_batch(
    site: Annotated[
        str | None, typer.Option(help="one with Slurm; a Slurm of three made-up nodes of its own, if not given")
    ] = None,
    partition: Annotated[str | None, typer.Option(help="the site's partition; its first one if not given")] = None,
    nodes: Annotated[
        int | None, typer.Option(min=1, help="that both ways have; as many as have this machine's cores, if not given")
    ] = None,
    rows: Annotated[
        list[int] | None, typer.Option(min=1, help="of each table; may be given again [default: 200,000 1,000,000]")
    ] = None,
    ranks: Annotated[list[int] | None, typer.Option(min=1, help="of a job; may be given again [default: 1, 2]")] = None,
    copies: Annotated[int, typer.Option(min=1, help="jobs of each operation, number of rows and of ranks")] = 2,
    repeats: Annotated[int, typer.Option(min=1, help="turns of each way")] = 3,
    apart: Annotated[bool, typer.Option(help="also those of each number of rows and of ranks by themselves")] = True,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Joins and sorts as jobs of one pilot, beside a batch job (`sbatch`) for each, on the same nodes, in turns.

    Exit 1 where a job failed or came to other rows. What was wanted, 1.15 times, and whether it was met, is told.

    Example: `deeprc bench batch --json`

    Example: `deeprc bench batch --rows 20000 --ranks 1 --ranks 2 --copies 1 --repeats 1`

    Example: `deeprc bench batch --nodes 2 --ranks 1 --ranks 2 --ranks 4 --output ranks.json`
    """
    from deeprc.bench.batch import run

    figures = run.run(
        site, partition, nodes, rows or [200_000, 1_000_000], ranks or [1, 2], copies, repeats, progress, apart
    )
    show(kept(figures, output), as_json)
    if not figures["same"] or any(
        way["failures"] for case in figures["cases"].values() for way in case["ways"].values()
    ):
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
