"""The report of made-up results, rendered as the workflow renders it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def render(root: Path) -> Path:
    """The report of the results below `root`, made as the workflow makes it."""
    command = [sys.executable, "-m", "deeprc.applications.report", "forecasting=results/forecasting"]
    command += ["hydrology=results/hydrology", "--out=results"]
    environment = {key: value for key, value in os.environ.items() if key != "DEEPRC_RUN"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return root / "results" / "report.html"
