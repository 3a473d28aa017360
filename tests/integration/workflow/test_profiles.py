"""`snakemake --profile site/<name> -n` tells on any machine what would be done on that site."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deeprc.sites import known_sites

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", known_sites())
def test_a_profile_dry_runs(name, tmp_path):
    command = [str(Path(sys.executable).parent / "snakemake"), "--profile", f"site/{name}", "-n"]
    done = subprocess.run(
        [*command, "--directory", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "VIRTUAL_ENV": sys.prefix},
        timeout=120,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "This was a dry-run" in done.stdout
