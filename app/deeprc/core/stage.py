"""How a stage, one step of a pipeline, begins and fails: `python -m deeprc.applications.<application>.<stage>`."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

from deeprc.core import spent
from deeprc.core.commandline import CommandLine
from deeprc.core.ending import abort
from deeprc.core.errors import DeepRCError
from deeprc.core.files import StorageError


def run(main: Callable[..., None]) -> None:
    """Run a stage's `main` with its command line read by typer.

    A `DeepRCError` is printed as it is, without a traceback, and ends the stage with its exit code. In a world of
    several ranks any failure ends all of them: otherwise a rank that waits for a dead one would wait for ever.
    """
    spent.begun()
    app = CommandLine()
    app.command()(main)
    try:
        app()
    except DeepRCError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        if isinstance(error, StorageError):  # which does not know of workflows
            print("  a workflow's folder of results: `--config results=FOLDER`", file=sys.stderr, flush=True)
        _leave(error.exit_code)
    except Exception:
        traceback.print_exc()
        _leave(1)


def _leave(code: int) -> None:
    abort(code)
    raise SystemExit(code)
