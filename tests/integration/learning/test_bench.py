"""`deeprc bench checkpoint`, in small."""

import json
import subprocess
import sys
from pathlib import Path


def test_it_tells_what_a_checkpoint_costs_and_leaves_nothing(tmp_path):
    command = [Path(sys.executable).with_name("deeprc"), "bench", "checkpoint", "--mb", "8", "--ranks", "2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["mb"], told["ranks"]) == (8, 2)
    assert told["blocked_ms"].keys() == {"sync", "async"} and min(told["blocked_ms"].values()) > 0
    assert told["step_ms"].keys() == {"idle", "writing"}
    assert told["extra_mb"] <= 8 + 8  # one copy of the state, and a little that Python takes
    assert list(tmp_path.iterdir()) == []


def test_it_tells_what_ranks_gain_a_training_in_tensorflow(mpirun):
    done = mpirun(2, ["-m", "deeprc.bench.tensorflow", "mpi", 2, 1], timeout=280)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["windows_per_second"].keys() == {"1", "2"} and min(told["windows_per_second"].values()) > 0
    assert told["ratio"] > 0
