"""`deeprc bench batch` on a Slurm of its own: the same rows by a pilot and by batch jobs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.requires("slurm")


def test_a_pilot_and_batch_jobs_come_to_the_same_rows(tmp_path: Path) -> None:
    line = [str(Path(sys.executable).with_name("deeprc")), "bench", "batch", "--repeats", "1", "--json"]
    line += ["--rows", "2000", "--ranks", "1", "--ranks", "2", "--copies", "1", "--nodes", "1"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["nodes"], told["cores"], told["same"]) == (1, 2, True)
    assert {name: case["jobs"] for name, case in told["cases"].items()} == {"all": 4, "ranks=1": 2, "ranks=2": 2}
    for case in told["cases"].values():
        for each in case["ways"].values():
            assert (each["failures"], each["failed_jobs"]) == ([], 0)
            took = each["seconds"]["median"]
            assert each["bound_s"] > 0 and each["overhead_s"] == pytest.approx(took - each["bound_s"], abs=0.02)
        assert 0 < case["ways"]["pilot"]["start_s"] < case["ways"]["pilot"]["seconds"]["median"]
        assert case["ratio"]["turns"]
    assert told["met"] is (told["cases"]["all"]["ratio"]["median"] >= told["target"])
    assert [*tmp_path.iterdir()] == []
    assert "a Slurm of its own" in done.stderr
