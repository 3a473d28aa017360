"""`deeprc bench checkpoint`, in small."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deeprc.bench import step
from deeprc.bench.synchronisation import NETWORKS
from deeprc.core.errors import ConfigError
from deeprc.learning.synchronisation import KEYS


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


def test_a_plain_loop_that_comes_to_the_end_of_its_windows_begins_anew(tmp_path, monkeypatch):
    """Its last batches were smaller or empty, and quick: ours, of which each is whole, looked slow beside them."""
    seen, made = [], step._network

    def network(name: str):
        module = made(name)
        module.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
        return module

    monkeypatch.setattr(step, "_network", network)
    step._plain(step._written(tmp_path), "linear", 15_000, 4)
    assert seen == [15_000] * 4
    with pytest.raises(ConfigError, match="found: 39,809\n  expected: at most 39,808"):
        step.run(step.WINDOWS + 1, 2, 1)


def test_it_tells_what_ranks_gain_a_training_in_tensorflow(mpirun):
    done = mpirun(2, ["-m", "deeprc.bench.tensorflow", "mpi", 2, 1], timeout=280)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["windows_per_second"].keys() == {"1", "2"} and min(told["windows_per_second"].values()) > 0
    assert told["ratio"] > 0


def test_it_tells_what_a_kill_costs_and_names_what_it_skips(tmp_path):
    """Of the other libraries, the Python of our tests has none: it is said so, and ours is measured."""
    command = [Path(sys.executable).with_name("deeprc"), "bench", "resume", "--kills", "1", "--json"]
    engines = ["--engine", "deeprc", "--engine", "accelerate"]
    done = subprocess.run([*command, *engines], capture_output=True, text=True, timeout=280, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["accelerate"] == {"skipped": f"not installed for {sys.executable}: accelerate"}
    ours = told["deeprc"]
    assert (ours["lost"], ours["replayed"], ours["weights_equal"], ours["kills"], ours["by_hand"]) == (0, 0, True, 1, 0)
    assert "deeprc: kill 1 of 1, after step 35 of 240\n" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_does_not_exist_is_refused_with_the_nearest(tmp_path):
    command = [Path(sys.executable).with_name("deeprc"), "bench", "resume", "--engine", "lightening"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'lightning'?" in done.stderr


def test_it_tells_what_each_way_of_synchronisation_costs(tmp_path):
    command = [Path(sys.executable).with_name("deeprc"), "bench", "synchronisation", "--steps", "20", "--repeats", "1"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=280, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert done.stderr.splitlines() == [f"repeat 1 of 1: {kind}" for kind in KEYS]
    assert (told["ranks"], told["nodes"], told["steps"]) == (4, 2, 20)
    assert told["kinds"].keys() == KEYS.keys()
    for kind, figures in told["kinds"].items():
        assert figures["step_ms"] > 0 and 0 < figures["validation_loss"] < 2, kind
        slow = [figures["modelled_step_ms"][name] for name in NETWORKS]
        assert slow == sorted(slow) and slow[0] > figures["step_ms"], kind
    assert told["kinds"]["fp16"]["across"] < 0.6 * told["kinds"]["allreduce"]["across"]


def test_it_tells_what_our_loop_adds_to_a_step():
    told = step.run(batch=4, steps=3, turns=1)
    assert {*told["networks"]} == {*step.NETWORKS}
    for figures in told["networks"].values():
        for key, ratio in (("step_ms", "ratio"), ("cpu_ms", "cpu_ratio")):
            assert figures[key].keys() == {"ours", "plain"} and min(figures[key].values()) > 0
            assert figures[ratio] == pytest.approx(figures[key]["ours"] / figures[key]["plain"], rel=0.05)
