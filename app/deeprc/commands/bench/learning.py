"""`deeprc bench …` of training."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deeprc.commands.bench.told import Json, app, progress, show


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

    show(checkpoint.run(mb, ranks, progress), as_json)


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
