"""The workflow, started as a user starts it: `snakemake --profile site/localhost`, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def snakemake():
    """`snakemake(folder, *arguments, **environment)`: the completed process, its two outputs joined in `stdout`."""

    def run(folder: Path, *arguments: str, timeout: float = 540, **environment: str) -> subprocess.CompletedProcess:
        command = [str(Path(sys.executable).parent / "snakemake"), "--profile", "site/localhost"]
        command += ["--directory", str(folder), *arguments]
        environment = {**os.environ, "VIRTUAL_ENV": sys.prefix, **environment}
        return subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return run
