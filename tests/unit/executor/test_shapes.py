import argparse

import pytest
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from deeprc.core.errors import ConfigError
from snakemake_executor_plugin_radical_pilot.shapes import PilotShape, Wish, read


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["1"], Wish((PilotShape(replacements=0),), in_turn=1)),
        (["3"], Wish((PilotShape(replacements=2),), in_turn=3)),
        (["auto"], Wish((PilotShape(),), auto=True, in_turn=4)),
        (["auto,max=4,runtime=60"], Wish((PilotShape(runtime=60, most=4),), auto=True, in_turn=4)),
        (
            ["partition=cpu,nodes=2,max=3", "partition=gpu,min=1,image=cuda,replacements=0"],
            Wish(
                (
                    PilotShape("cpu", 2, most=3, name="cpu"),
                    PilotShape("gpu", image="cuda", least=1, most=1, replacements=0, name="gpu"),
                ),
                in_turn=4,
            ),
        ),
        (
            ["partition=a,gpus=0", "partition=a, cores=4", "runtime=5,min=2"],
            Wish(
                (
                    PilotShape("a", gpus=0, name="a-1"),
                    PilotShape("a", cores=4, name="a-2"),
                    PilotShape(runtime=5, least=2, most=2, name="default"),
                ),
                in_turn=4,
            ),
        ),
    ],
)
def test_what_is_asked_for(words, expected):
    assert read(words) == expected
    assert read(words).listed == (not words[0].isdigit())


def test_items_of_a_profile_are_mappings_too():
    """Snakemake hands them on as Python shows them."""
    items = [{"partition": "cpu", "gpus": 0, "max": 2}, {"partition": "gpu", "image": None}]
    assert read([str(item) for item in items]) == read(["partition=cpu,gpus=0,max=2", "partition=gpu"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["0"], "--radical-pilot-pilots: these pilots are not understood\n  found: 0\n  expected: 1 or more pilots"),
        (["-2"], "found: -2"),
        ([""], "found: nothing"),
        (["many"], "found: many\n  expected: keys with values, as partition=NAME,nodes=2,max=3"),
        (["2", "3"], "--radical-pilot-pilots 2: these pilots are not understood\n  found: 2"),
        (["auto", "partition=a"], "expected: auto alone"),
        (["auto,partition=a"], "expected: auto without partition"),
        (["partition=a,nodes=0"], "found: nodes=0\n  expected: a whole number, 1 or more"),
        (["partition=a,nodes=1.5"], "found: nodes=1.5"),
        (["partition=a,min=-1"], "found: min=-1\n  expected: a whole number, 0 or more"),
        (["partition=a,min=3,max=2"], "found: min=3,max=2\n  expected: a min that is not above max"),
        (["partition=a,max=1,max=2"], "found: max twice"),
        (["partition="], "found: partition="),
        (["{partition: a"], "expected: keys with values"),
        (["{}"], "expected: keys with values"),
        (["partition=a,maxx=2"], "unknown key of a pilot's shape 'maxx'\n  found: maxx"),
    ],
)
def test_what_is_not_understood_is_one_error(words, told):
    with pytest.raises(ConfigError) as raised:
        read(words)
    assert told in str(raised.value)


def test_a_shape_says_only_what_it_says():
    given = argparse.Namespace(partition="a", nodes=3, cores=None, gpus=None, runtime=60, image="cpu", grace=5)
    own = PilotShape("b", gpus=0, runtime=10).settings(given)
    assert vars(own) == {
        "partition": "b", "nodes": 3, "cores": None, "gpus": 0, "runtime": 10, "image": "cpu", "grace": 5,
    }  # fmt: skip
    assert given.partition == "a"


def test_snakemake_hands_the_words_on():
    plugin, parser = ExecutorPluginRegistry().get_plugin("radical-pilot"), argparse.ArgumentParser()
    plugin.register_cli_args(parser, "executor")
    words = ["partition=a,max=2", "partition=b"]
    settings = plugin.get_settings(parser.parse_args(["--radical-pilot-pilots", *words]))
    assert settings.pilots == words
    assert settings.wish == read(words)
    assert plugin.get_settings(parser.parse_args([])).wish == read(["1"])
