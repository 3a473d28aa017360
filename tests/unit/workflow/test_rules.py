"""What rules are told of the configuration."""

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
