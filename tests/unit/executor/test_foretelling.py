import contextlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from deeprc.core.errors import ConfigError
from snakemake_executor_plugin_radical_pilot import ExecutorSettings, foretelling
from snakemake_executor_plugin_radical_pilot.foretelling import PilotRow, table
from snakemake_executor_plugin_radical_pilot.shapes import PilotShape


def test_pilots_and_what_they_cost():
    rows = [
        PilotRow("cpu", "cpu", 2, 128, 0, 90, 0, 3, 4, {"prepare": 2, "train": 10}),
        PilotRow("gpu", "booster", 1, 48, 4, 60, 1, 1, 1, {"fit": 1}),
        PilotRow("login", "login", 1, 48, 0, 60, 1, 2, 1, {}),
    ]
    assert table(rows, unknown=2) == (
        "pilot  partition  nodes  cores  accelerators  minutes  at once  node-hours  jobs\n"
        "cpu    cpu            2    128             0       90      0-3    3.0 each  12: prepare 2, train 10\n"
        "gpu    booster        1     48             4       60        1    1.0 each  1: fit 1\n"
        "login  login          1     48             0       60      1-2    1.0 each  0\n"
        "at most 12.0 node-hours; 39.0 where each pilot is replaced as often as it may be\n"
        "2 jobs ask for what is known once others have run"
    )


def test_one_pilot_that_nothing_follows():
    text = table([PilotRow("pilot", "debug", 1, 2, 2, 30, 1, 1, 1, {"a": 3})])
    assert text.splitlines()[-1] == "at most 0.5 node-hours"


def test_a_shape_with_a_minimum_costs_without_a_job(monkeypatch):
    def kind(name, least):
        part = SimpleNamespace(name=name, queue=None, nodes=1)
        there = SimpleNamespace(partition=part, nodes=1, cores=4, gpus=0, runtime=60, held=None, batch=True)
        return SimpleNamespace(template=SimpleNamespace(allocation=there), shape=PilotShape(name=name, least=least))

    kinds = [kind("used", 0), kind("unused", 0), kind("kept", 1)]
    monkeypatch.setattr(foretelling, "kinds", lambda *_, **given: kinds)
    monkeypatch.setattr(foretelling, "Routes", lambda kinds: SimpleNamespace(kind=lambda job: kinds[0]))
    monkeypatch.setattr(foretelling.direct, "rule_name", str)
    text = foretelling._foretold(SimpleNamespace(folder=".deeprc", detach=False), None, None, ["a"])
    assert [line.split()[0] for line in text.splitlines()] == ["pilot", "used", "kept", "at"]


def test_a_shape_that_has_no_nodes_beside_those_that_another_keeps():
    """Both take them from one queue, by the site file."""

    def kind(name, queue, nodes, least):
        part = SimpleNamespace(name=name, queue=queue, nodes=3)
        there = SimpleNamespace(partition=part, nodes=nodes, held=None)
        return SimpleNamespace(template=SimpleNamespace(allocation=there), shape=PilotShape(name=name, least=least))

    kept, other = kind("cpu", "debug", 2, 1), kind("debug", None, 2, 0)
    assert foretelling.crowded([kept, other]) == [
        "note: pilot debug may wait for its 2 nodes: min keeps 2 for cpu, and debug gives a job 3 at most; idle"
        " ones give way"
    ]
    assert foretelling.crowded([kept, kind("debug", None, 1, 0)]) == foretelling.crowded([kept]) == []
    assert foretelling.crowded([kept, kind("gpu", None, 3, 0)]) == []


@pytest.fixture
def told(monkeypatch):
    """What `-n` says of a site and shapes."""
    said = []
    monkeypatch.setattr(foretelling.internals, "tell", said.append)
    monkeypatch.setattr(
        foretelling.internals, "jobs_to_run", lambda dag: [SimpleNamespace(input=(), output=(), log=())]
    )
    monkeypatch.setattr(foretelling.internals, "unbounded", lambda *_: contextlib.nullcontext())

    def tell(site: str, *words: str, **others) -> str:
        said.clear()
        settings = ExecutorSettings(site=site, pilots=[*words], **others)
        foretelling.tell(settings, SimpleNamespace(workdir_init=str(Path.cwd())), None)
        return "\n".join(said)

    return tell


@pytest.mark.parametrize(
    ("site", "words", "detach", "refused"),
    [
        ("localhost", ("partition=nope", "partition=gpu"), False, "unknown partition 'nope'"),
        ("localhost", ("runtime=1", "runtime=2"), False, "several pilots at once want nodes of their own"),
        ("frontera", ("nodes=1", "nodes=2"), True, "a detached run is one job of the batch system"),
        (
            "cluster-local",
            ("partition=cpu", "partition=debug,runtime=61"),
            False,
            "61 minutes: longer than a job may last",
        ),
        ("nowhere", ("1",), False, "unknown site 'nowhere'"),
    ],
)
def test_what_a_run_would_be_refused_for(told, site, words, detach, refused):
    said = told(site, *words, detach=detach, image="none", runtime=60)
    assert said.startswith("note: a run would be refused: ") and refused in said, said
    assert "node-hours" not in said


def test_an_image_that_is_not_here_is_named_with_all_that_was_found(told, monkeypatch):
    def foretold(settings, *_):
        if settings.image == "none":
            return "TABLE"
        raise ConfigError("rule m fits none of the pilots", found="1 rank", expected="an image\n    cpu: no image cpu")

    monkeypatch.setattr(foretelling, "_foretold", foretold)
    assert told("frontera", "nodes=1", "nodes=2", image="cpu") == (
        "note: a run from here would be refused: rule m fits none of the pilots\n  found: 1 rank\n"
        "  expected: an image\n    cpu: no image cpu\npilots as without images:\nTABLE"
    )
