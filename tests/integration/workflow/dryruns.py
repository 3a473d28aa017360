"""Many starts of Snakemake in one process: `python dryruns.py < cases.json`, a list of argument lists.

Starting it anew for each costs seconds, most of them for imports. Prints a list of {code, output}.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys

from snakemake.cli import main


def start(arguments: list[str]) -> dict:
    """One start, as the command line does it."""
    said = io.StringIO()
    sys.argv = ["snakemake", *arguments]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main(arguments)
        except SystemExit as end:
            return {"code": end.code, "output": said.getvalue()}


json.dump([start(arguments) for arguments in json.load(sys.stdin)], sys.stdout)
