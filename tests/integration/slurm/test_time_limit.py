"""A training that Slurm tells that time is nearly up goes on in the next pilot, by itself, to the same weights."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from deeprc.learning.audit import audit
from deeprc.learning.peers import Alone
from pilots import QUIET, events, finish, start, wait_for

pytestmark = pytest.mark.requires("slurm")
TOY = Path(__file__).parents[1] / "learning" / "toy.py"


def test_a_training_saves_at_slurms_signal_and_goes_on_in_the_next_pilot_to_the_same_weights(cluster, site, tmp_path):
    sys.path.append(str(TOY.parent))  # last: it must not hide our conftest
    from toy import train

    options = ["--radical-pilot-site", str(site), "--radical-pilot-runtime", "10", "--radical-pilot-pilots", "2"]
    variables = cluster.environment | {"DEEPRC_ADDRESS": "127.0.0.1"}
    workflow = str(Path(__file__).with_name("jobs.smk"))
    process = start(tmp_path, workflow, *options, "--config", f"toy={TOY}", *QUIET, "trained.txt", **variables)
    asked = "before there was a checkpoint"
    try:
        saved = tmp_path / "training" / "checkpoints"
        wait_for(lambda: any(saved.glob("step-*/commit.json")) or process.poll() is not None, 240)
        jobs = cluster.call("squeue", "--noheader", "--states=RUNNING", "--format=%i").split()
        # To all processes of its steps, as `sbatch --signal` does it.
        asked = [cluster.call("scancel", "--signal=USR1", job) for job in jobs]
    finally:
        code, output = finish(process, 240)
    log = (tmp_path / "trained.log").read_text()
    assert asked == [""], f"{asked}: {output}{log}"
    assert code == 0, output + log
    assert "FAILED" not in output
    assert sum(event["event"] == "pilot" and event["state"] == "starting" for event in events(tmp_path)) == 2
    words = (tmp_path / "training.saved").read_text()
    saved = re.match(r"the job was asked to end: the training is saved (after step \d+) of", words)
    assert f"goes on {saved[1]}\n" in log, log
    assert log.count(train(tmp_path / "alone", 24, Alone(), say=lambda line: None)) == 2
    verdict = audit(tmp_path / "training")
    assert verdict.faults == [] and (verdict.epochs, verdict.rest) == (7, 68)
