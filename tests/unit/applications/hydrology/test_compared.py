"""One network for all basins beside one for each: what `deeprc bench basins` makes of the metrics of both."""

import pytest

from deeprc.applications.hydrology import compared as module
from deeprc.applications.hydrology.compared import compared, run, table
from deeprc.core.errors import ConfigError


def figures(nse: float | None, kge: float, **more) -> dict:
    return {"nse": nse, "kge": kge, "rmse": 1.0, "bias": 0.1, "days": 274, **more}


REFERENCES = {"climatology": figures(0.2, 0.1), "persistence": figures(0.9, 0.95)}


def test_a_basin_has_both_networks_and_both_references():
    regional = figures(0.7, 0.6, references=REFERENCES, train=figures(0.9, 0.9))
    assert compared(regional, figures(None, 0.4, references=REFERENCES)) == {
        "days": 274,
        "regional": {"nse": 0.7, "kge": 0.6},
        "own": {"nse": None, "kge": 0.4},
        "climatology": {"nse": 0.2, "kge": 0.1},
        "persistence": {"nse": 0.9, "kge": 0.95},
    }


def test_a_basin_of_the_demo_has_no_other_network_than_its_own():
    assert compared(None, figures(0.7, 0.6, references=REFERENCES)) == {
        "days": 274,
        "own": {"nse": 0.7, "kge": 0.6},
        "climatology": {"nse": 0.2, "kge": 0.1},
        "persistence": {"nse": 0.9, "kge": 0.95},
    }


def test_the_table():
    basin = compared(figures(0.7123, 0.6), figures(None, 0.4, references=REFERENCES))
    assert table({"basins": {"01022500": basin}}).splitlines() == [
        "| basin | days | regional | own | climatology | persistence |",
        "|---|---|---|---|---|---|",
        "| `01022500` | 274 | 0.712 / 0.600 | – / 0.400 | 0.200 / 0.100 | 0.900 / 0.950 |",
    ]
    basin = compared(None, figures(0.7123, 0.6, references=REFERENCES))
    assert table({"basins": {"fulda": basin}}).splitlines() == [
        "| basin | days | own | climatology | persistence |",
        "|---|---|---|---|---|",
        "| `fulda` | 274 | 0.712 / 0.600 | 0.200 / 0.100 | 0.900 / 0.950 |",
    ]


def test_an_entity_aware_network_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(ConfigError, match="which an entity-aware one cannot be"):
        run(tmp_path, {"variant": "entity-aware"}, 1, 1)


def test_both_are_computed_on_processors_whatever_else_is_there(tmp_path, monkeypatch):
    called = {}
    monkeypatch.setattr(module, "stage", lambda name, *given, **more: called.update({name: " ".join(map(str, given))}))
    with pytest.raises(FileNotFoundError):  # metrics.json: no stage has run
        run(tmp_path, {}, 1, 1)
    assert '--how {"device": "cpu"}' in called[f"{module.STAGES}.train"]
    assert "--device cpu" in called[f"{module.STAGES}.predict"]
