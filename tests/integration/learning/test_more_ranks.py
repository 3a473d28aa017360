"""A training with `fixed` that one rank has saved goes on on two."""

import json
from pathlib import Path


def test_what_one_rank_has_saved_goes_on_on_two(mpirun, tmp_path):
    """It ended with a KeyError: one rank saves nothing of how ranks synchronise, and two asked for it."""
    done = mpirun(2, [Path(__file__).with_name("more_ranks.py"), tmp_path], timeout=100)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["said"][0] == "goes on after step 20"
    assert "ranks 1 → 2" in told["said"][1] and told["faults"] == []
    assert len(set(told["weights"])) == 1 and told["losses"][-1][0] == 24
    assert told["sent"]["within"] > 0
