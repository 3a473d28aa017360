"""The launch lines of trainings: what the rules ask for on a site is what the golden file's call of `deeprc plan` says.

`tests/golden/<site>/training.txt`, of `forecasting.training.ranks: 4`; `test_golden.py` compares what they print.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deeprc.applications.config import load_config
from deeprc.workflow.rules import Places
from deeprc.workflow.trainings import Trainings
from snakemake_executor_plugin_radical_pilot.accelerators import accelerators
from snakemake_executor_plugin_radical_pilot.resources import Request, request

GOLDEN = Path(__file__).parent
ROOT = GOLDEN.parents[1]
SITES = [path.parent.name for path in sorted(GOLDEN.glob("*/training.txt"))]
WORDS = {"tasks": "ranks", "gpus_per_task": "gpus", "comm": "comm"}


def asked(site: str) -> Request:
    """What the rule forecasting_train asks for, by the names and functions that stand in its file."""
    text = (ROOT / "workflows" / "rules" / "forecasting.smk").read_text()
    resources = text.partition("rule forecasting_train:")[2].partition("resources:")[2].partition("params:")[0]
    names = dict(re.findall(r"(\w+)=PLACES\.(\w+),", resources))
    assert names == WORDS
    config = load_config({"pipelines": ["forecasting"], "forecasting": {"training": {"ranks": 4}}})
    there = accelerators(["/bin/snakemake", "--profile", f"site/{site}"], ROOT)
    places = Places(config, *config.applications(), Trainings(config, there, imaged=True))
    return request("forecasting_train", {name: getattr(places, of)({}) for name, of in names.items()}, threads=1)


@pytest.mark.parametrize("site", SITES)
def test_the_rule_asks_for_what_the_golden_call_says(site):
    one, line = asked(site), (GOLDEN / site / "training.txt").read_text().partition("\n")[0]
    options = f"--ranks {one.ranks} --gpus-per-rank {one.gpus_per_rank} --cores-per-rank {one.cores_per_rank}"
    assert f"{options} --comm {one.comm} -- python -P -m deeprc.applications.forecasting.train" in line
    assert line.startswith(f"$ deeprc plan --site {site} ")


def test_with_and_without_accelerators():
    assert {site: asked(site).gpus for site in SITES} == {"aurora": 4, "frontera": 0, "frontier": 4, "perlmutter": 4}
