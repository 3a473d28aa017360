"""What a rank sees of its node's accelerators: the script between launcher and container, run by a real bash."""

import os
import subprocess

import pytest

from deeprc.launch import Layout, compose
from deeprc.launch.visibility import tell_ranks
from deeprc.sites import Accelerator
from samples.sites import cluster

MI250X = {"vendor": "amd", "model": "MI250X", "count": 8, "order": [4, 5, 2, 3, 6, 7, 0, 1]}


def seen(accelerator: dict, rank: int, each: int = 1) -> str:
    """What the rank finds in the variable; its arguments must come through as they are."""
    line = tell_ranks(Accelerator.model_validate(accelerator), Layout(8, 1, each), "SLURM_LOCALID")
    show = ["python3", "-c", "import os, sys; print(os.environ['ROCR_VISIBLE_DEVICES'], sys.argv[1:])", "a b", "*"]
    env = {"PATH": os.environ["PATH"], "SLURM_LOCALID": str(rank)}
    done = subprocess.run([*line, *show], env=env, capture_output=True, text=True, check=True, timeout=30)
    value, _, arguments = done.stdout.strip().partition(" ")
    assert arguments == "['a b', '*']"
    return value


@pytest.mark.parametrize(
    ("accelerator", "each", "expected"),
    [
        (MI250X, 1, ["4", "5", "2", "3", "6", "7", "0", "1"]),
        (MI250X, 2, ["4,5", "2,3", "6,7", "0,1"]),
        ({**MI250X, "order": []}, 2, ["0,1", "2,3", "4,5", "6,7"]),
        ({**MI250X, "order": [], "reversed": True}, 1, ["7", "6", "5", "4", "3", "2", "1", "0"]),
    ],
)
def test_each_rank_has_its_own(accelerator, each, expected):
    assert [seen(accelerator, rank, each) for rank in range(len(expected))] == expected


def test_an_order_names_each_accelerator_once():
    with pytest.raises(ValueError, match="order must hold each of 0-7 once"):
        Accelerator.model_validate({**MI250X, "order": [0, 0, 1, 2, 3, 4, 5, 6]})


def test_a_variable_instead_of_the_launchers_own_binding():
    site = cluster(launcher={"name": "srun", "pmi": ["cray"], "gpus": "variable"})
    made = compose(site, site.partition(), Layout(8, 7, 1), ["run"])
    assert made.binding[:2] == ["bash", "-c"]
    assert {"--gpus-per-node=8", "--gpu-bind=none"} <= set(made.launcher)
    assert not any(word.startswith("--gpus-per-task") for word in made.launcher)
    plain = compose(site, site.partition(), Layout(8, 7), ["run"])
    assert plain.binding == []
    assert not any("gpu" in word for word in plain.launcher)
