"""The command `deeprc`: each sub-command is a thin call into a package below."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from typer.completion import completion_init

from deeprc.core.commandline import CommandLine
from deeprc.core.errors import DeepRCError

VARIABLE = "_DEEPRC_COMPLETE"  # as click calls it, by the program's name

# Imported only when called for: `deeprc plan` takes 0.3 s, and all of them together a second.
COMMANDS = {
    "sites": "deeprc.commands.sites:app",
    "plan": "deeprc.commands.plan:plan",
    "doctor": "deeprc.commands.doctor:doctor",
    "site": "deeprc.commands.sites:site_app",
    "image": "deeprc.commands.image:app",
    "spack": "deeprc.commands.spack:app",
    "module": "deeprc.commands.module:app",
    "run": "deeprc.commands.run:app",
    "rerun": "deeprc.commands.rerun:rerun",
    "cluster": "deeprc.commands.cluster:app",
    "bench": "deeprc.commands.bench:app",
    "simulate": "deeprc.commands.simulate:simulate",
    "applications": "deeprc.commands.applications:applications",
    "audit": "deeprc.commands.audit:audit",
    "init": "deeprc.commands.init:init",
    "completion": "deeprc.commands.completion:completion",
}


def command_line(words: list[str]) -> typer.Typer:
    """The command line, with the one command that `words` call, or with all where they call none (`--help`)."""
    app = CommandLine(no_args_is_help=True)
    app.callback(invoke_without_command=True)(top)
    called = next((word for word in words if not word.startswith("-")), None)
    for name in [called] if called in COMMANDS else COMMANDS:
        module, _, member = COMMANDS[name].partition(":")
        found = getattr(importlib.import_module(module), member)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def top(
    sites: Annotated[
        Path | None, typer.Option(help="a folder of site files in place of Deep RC's own; also DEEPRC_SITES")
    ] = None,
    show_version: Annotated[bool, typer.Option("--version", help="print the version and leave")] = False,
) -> None:
    """Data engineering and deep learning as one pipeline on any machine.

    The pipelines themselves are started with Snakemake, in a folder that `deeprc init` makes, or in a checkout:
    `snakemake --profile site/localhost`.
    """
    if sites:
        os.environ["DEEPRC_SITES"] = str(sites.absolute())  # for what is started, too
    if show_version:
        typer.echo(f"deeprc {version('deeprc')}")
        raise typer.Exit


def _words() -> list[str]:
    """What was typed; where a shell asks how it could go on, what was typed so far."""
    if VARIABLE in os.environ:
        completion_init()  # typer knows zsh and fish
        return (os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")).split()[1:]
    return sys.argv[1:]


def main() -> None:
    """Run the command line; a `DeepRCError` is printed as it is and gives the exit code.

    So is what the system says of a file (no such folder, permission denied, disk full): it needs no traceback.
    """
    try:
        command_line(_words())()
    except DeepRCError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    except OSError as error:
        if error.filename is None and error.errno not in (errno.ENOSPC, errno.EDQUOT):  # a defect of ours, perhaps
            raise
        place = error.filename or "a disk, that of the temporary files (TMPDIR) perhaps"
        typer.echo(f"error: {place}: {error.strerror}", err=True)
        raise SystemExit(DeepRCError.exit_code) from None
