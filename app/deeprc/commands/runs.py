"""`deeprc run list`, `show`, `diff` and `crate`: what ran, and what came out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from deeprc.reporting.words import count, duration, percent

Folder = Annotated[Path, typer.Option(help="the private folder of the runs' working directory")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
PRIVATE = Path(".deeprc")
RUNS = "runs"  # in the private folder
WIDEST = 60  # characters of a value that a difference shows


def rows(folder: Path) -> list[dict]:
    """The runs of a private folder, for a list."""
    from deeprc.reporting.crate import kept

    return [each.record() for each in kept.all_of(folder / RUNS)]


def table(told: list[dict]) -> Iterator[str]:
    """Lines for people."""
    for row in told:
        done, failed = row["jobs"]["done"], row["jobs"]["failed"]
        jobs = count(done, "job") + (f", {count(failed, 'attempt')} failed" if failed else "")
        metrics = f", {count(len(row['metrics']), 'figure')}" if row["metrics"] else ""
        yield f"{row['run']}  {row['state']}  {_moment(row['begin'])}  {duration(row['seconds'])}  {jobs}{metrics}"


def show(
    run: Annotated[str, typer.Argument(help="a run's name, a folder of results, or a crate")] = "results",
    folder: Folder = PRIVATE,
    as_json: AsJson = False,
) -> None:
    """Tell of a run what ran, with what, and what came out.

    Example: `deeprc run show`

    Example: `deeprc run show 20261127T015332-6840 --json`
    """
    from deeprc.reporting.crate import kept

    found = kept.find(run, folder / RUNS)
    time_spent = found.spent()
    if as_json:
        typer.echo(json.dumps({**found.record(), "time": time_spent, **found.told()}, indent=1, ensure_ascii=False))
        return
    typer.echo(f"run {found.id}: {found.state or 'state not known here'}")
    if found.events:
        typer.echo("".join(table([found.record()])))
    if time_spent:
        for line in _where(time_spent):
            typer.echo(line)
    for name, values in found.told().items():
        typer.echo(f"{name}:")
        for key, value in values.items():
            typer.echo(f"  {key}  {value}")


def diff(
    one: Annotated[str, typer.Argument(help="a run's name, a folder of results, or a crate")],
    other: Annotated[str, typer.Argument(help="another one")],
    folder: Folder = PRIVATE,
    as_json: AsJson = False,
) -> None:
    """Tell what two runs differ in: command, options, versions, inputs, images, metrics; exit code 1 where they do.

    Example: `deeprc run diff 20261127T015332-6840 results`

    Example: `deeprc run diff results crate.zip --json`
    """
    from deeprc.reporting.crate import kept

    first, second = (kept.find(each, folder / RUNS) for each in (one, other))
    found, absent = kept.difference(first, second), kept.unknown(first, second)
    if as_json:
        typer.echo(json.dumps({"differs": found, "not known": absent}, indent=1, ensure_ascii=False))
    else:
        for name, values in found.items():
            typer.echo(f"{name}:")
            for key, (old, new) in values.items():
                typer.echo(f"  {key}  {' → '.join(_shown(old, new))}")
        if not found:
            typer.echo("no difference")
        if absent:
            typer.echo(f"not known of both, not compared: {', '.join(absent)}", err=True)
    raise typer.Exit(int(bool(found)))


def crate(
    results: Annotated[Path, typer.Argument(help="the results folder of a run that ended well")],
    out: Annotated[Path, typer.Option("--out", "-o", help="the file to write: it ends in .zip")],
    largest: Annotated[float, typer.Option(min=0, help="MB of a file, or a folder in all, that goes with it")] = 10.0,
    as_json: AsJson = False,
) -> None:
    """Make one file of a run: workflow, configuration, metadata, small results; of what is large its SHA-256.

    Example: `deeprc run crate results -o crate.zip`
    """
    from deeprc.core.errors import ConfigError
    from deeprc.reporting.crate import zipped

    if out.suffix != ".zip":
        raise ConfigError("a crate is a zip archive", where="--out", found=out, expected="a name that ends in .zip")
    left = zipped.archive(results, out, largest)
    size = out.stat().st_size
    if as_json:
        typer.echo(json.dumps({"crate": str(out), "bytes": size, "named only": left}, indent=1))
        return
    typer.echo(f"{out}: {size / 1e6:.1f} MB")
    for name in left:
        typer.echo(f"  named only, as it is above {largest:g} MB: {name}")


def _where(told: dict) -> Iterator[str]:
    """Lines on where the time went."""
    total = sum(told["parts"].values())
    yield f"where the time went, {duration(total)} in all:"
    for name, seconds in told["parts"].items():
        yield f"  {name}  {duration(seconds)}  {percent(seconds / total)}"
    yield f"  {told['loss']}" if told["loss"] else "  nothing was recorded"
    if told["chain"]:
        yield f"the chain of {count(len(told['chain']), 'job')} that this stands on:"
        for link in told["chain"]:
            yield f"  {link['label']}  waited {duration(link['waited'])}, ran {duration(link['ran'])}"


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _shown(old: object, new: object) -> list[str]:
    """Both, not too long, and so that what they differ in is seen: long ones that begin alike, from a little before."""
    texts = ["(none)" if value is None else str(value) for value in (old, new)]
    shorter = min(map(len, texts))
    alike = next((at for at in range(shorter) if texts[0][at] != texts[1][at]), shorter)
    if max(map(len, texts)) > WIDEST and alike > WIDEST // 3:
        texts = ["…" + text[alike - WIDEST // 3 :] for text in texts]
    return [text if len(text) <= WIDEST else text[: WIDEST - 1] + "…" for text in texts]
