"""What all of `deeprc bench …` have in common: their options, and how figures are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from deeprc.core.commandline import CommandLine
from deeprc.core.files import atomic

app = CommandLine(no_args_is_help=True, help="Measure this machine.")

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Output = Annotated[Path | None, typer.Option(help="a file for the JSON, whatever is printed")]


def progress(line: str) -> None:
    """Say how far a measurement is, where it does not get into its figures."""
    typer.echo(line, err=True)


def kept(figures: dict, output: Path | None) -> dict:
    """The figures, written to a file if one is named."""
    if output is not None:
        with atomic(output) as new:
            new.write_text(json.dumps(figures, indent=1) + "\n")
    return figures


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
