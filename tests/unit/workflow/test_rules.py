"""What rules are told of the configuration."""

import re
from pathlib import Path

import pytest

from deeprc.applications.config import load_config
from deeprc.core.errors import ConfigError
from deeprc.workflow.rules import Places


@pytest.mark.parametrize(("given", "before"), [({}, ""), ({"engine": "cylon"}, "DEEPRC_FRAMES_ENGINE=cylon ")])
def test_the_engine_of_frames_stands_before_the_command_of_prepare(given, before):
    config = load_config({"pipelines": ["hydrology"], **given})
    assert Places(config, *config.applications()).engine == before


def test_an_engine_that_is_not_known_is_refused():
    with pytest.raises(ConfigError, match="Input should be 'arrow' or 'cylon'"):
        load_config({"pipelines": ["hydrology"], "engine": "dask"})


def test_each_job_of_a_sweep_is_told_with_its_trial():
    """Else a trial that fails is one of many with the same name."""
    sweep = {"hydrology": {"over": {"units": [8, 16], "seed": [1]}}}
    config = load_config({"pipelines": ["hydrology"], "sweep": sweep})
    (application,) = config.applications()
    trials = [{"sweep_trial": case.folder.name} for case in config.cases(application)]
    told = {Places(config, application).of(wildcards, None) for wildcards in trials}
    assert told == {": units 8, seed 1", ": units 16, seed 1"}
    alone = load_config({"pipelines": ["hydrology"]})
    assert Places(alone, *alone.applications()).of({}, None) == ""
    for name in ("forecasting", "hydrology"):
        text = (Path(__file__).parents[3] / f"workflows/rules/{name}.smk").read_text()
        messages = re.findall(r'message:\n\s+"(.+)"', text)
        assert len(messages) == 3 and all("{params." in each for each in messages)
