"""Records of what products were made from: carried, compared, refused."""

from __future__ import annotations

import importlib
import json
import shutil
from copy import deepcopy
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, create_model

from deeprc.applications.base.application import Application
from deeprc.applications.base.products import refuse_mixed, refuse_untold, stale
from deeprc.applications.base.trial import Trial
from deeprc.applications.config import load_config
from deeprc.applications.registry import applications
from deeprc.core import fingerprint
from deeprc.core.fingerprint import MixError, differences
from deeprc.workflow.expected import expected, outdated
from profiles import examples

FORECASTING = applications()["forecasting"]
RECORD = {
    "data": {"ETTh1.csv": "ab" * 32},
    "prepare": {"horizon": 24, "split": [0.7, 0.1], "target": None},
    "train": {"NHITS": {"steps": 100, "options": {"size": 3}}, "GRU": {"steps": 50}},
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def changed(**keys) -> dict:
    """RECORD with other values, by dotted key (`__` between)."""
    record = deepcopy(RECORD)
    for path, value in keys.items():
        *parents, last = path.split("__")
        inner = record
        for parent in parents:
            inner = inner[parent]
        inner[last] = value
    return record


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (RECORD, []),
        (changed(prepare__horizon=48), ["horizon 24 → 48"]),
        (changed(prepare__target="OT"), ["target (none) → OT"]),
        (changed(prepare__split=[0.6, 0.2]), ["split [0.7, 0.1] → [0.6, 0.2]"]),
        (changed(train__NHITS__options={"size": 4}), ["NHITS.options.size 3 → 4"]),
        (changed(train={"GRU": {"steps": 50}, "TCN": {"steps": 9}}), ["NHITS is left out", "TCN is new"]),
        (changed(data={"ETTh1.csv": "cd" * 32}), ["ETTh1.csv has changed"]),
        (changed(data={"mine.csv": "ab" * 32}), ["ETTh1.csv is gone", "mine.csv is new"]),
        (None, ["nothing is known of the other"]),
    ],
)
def test_what_differs_is_said_as_a_person_says_it(other, told):
    assert list(differences(RECORD, other)) == told


def test_a_product_without_a_record_fits_nothing_but_another_one_without():
    assert list(differences(None, RECORD)) == ["it does not say what it was made from"]
    assert list(differences(None, None)) == []


@settings(max_examples=examples(40))
@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_any_options_come_back_out_of_an_arrow_file_as_they_went_in(tmp_path_factory, options):
    path = tmp_path_factory.mktemp("arrow") / "p.arrow"
    record = {"data": {"ä\"'.csv": "0"}, "prepare": options}
    table = pa.table({"y": [1.0]}, metadata={"parameters": "3", **fingerprint.to_arrow(record)})
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
    assert fingerprint.read(path) == record
    assert fingerprint.from_arrow(pa.ipc.open_file(str(path)).schema.metadata) == record
    assert list(differences(record, json.loads(json.dumps(record)))) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a": 1}', b"\xff\xfe", b'{"made_from": 3}'])
@pytest.mark.parametrize("name", ["metrics.json", "p.arrow"])
def test_a_product_that_is_not_whole_says_nothing(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert fingerprint.read(tmp_path / name) is None
    assert fingerprint.read(tmp_path) is None
    assert fingerprint.read(tmp_path / "absent.json") is None


def case(application, folder) -> Trial:
    return Trial(application, application.configuration(), folder, folder)


def results(folder, record) -> None:
    """All products of forecasting, as far as records go."""
    for path, made_from in FORECASTING.products(folder, record).items():
        place = path if path.suffix else path / ("meta.json" if path.name == "prepared" else "model.json")
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".arrow":
            table = pa.table({"y": [1.0]}, metadata=fingerprint.to_arrow(made_from))
            with pa.ipc.new_file(str(path), table.schema) as writer:
                writer.write_table(table)
        else:
            place.write_text(json.dumps({"made_from": made_from}))


@pytest.mark.parametrize("product", [path.name for path in FORECASTING.products(Path(), RECORD)])
def test_one_product_of_another_run_is_named(tmp_path, product):
    """Each product in turn is taken from a run with other data: found stale, and refused by the report."""
    results(tmp_path / "mine", RECORD)
    results(tmp_path / "other", changed(data={"ETTh1.csv": "cd" * 32}))
    assert stale(case(FORECASTING, tmp_path / "mine"), RECORD) == {}
    refuse_mixed(FORECASTING, tmp_path / "mine")
    (path,) = (p for p in FORECASTING.products(tmp_path / "mine", RECORD) if p.name == product)
    path.rename(tmp_path / "aside")
    (tmp_path / "other" / path.relative_to(tmp_path / "mine")).rename(path)
    assert stale(case(FORECASTING, tmp_path / "mine"), RECORD) == {path: ["ETTh1.csv has changed"]}
    with pytest.raises(MixError, match=r"ETTh1\.csv has changed"):
        refuse_mixed(FORECASTING, tmp_path / "mine")


def test_a_model_trained_with_other_options_stands_alone(tmp_path):
    """The other model, and the data, are what they were."""
    results(tmp_path, RECORD)
    told = stale(case(FORECASTING, tmp_path), changed(train__GRU__steps=60))
    assert {str(path.relative_to(tmp_path)): reasons for path, reasons in told.items()} == {
        "models/GRU": ["steps 50 → 60"],
        "predictions/GRU.arrow": ["steps 50 → 60"],
        "metrics.json": ["GRU.steps 50 → 60"],
    }


def test_a_package_that_the_evaluation_can_do_without_redoes_the_metrics_alone(tmp_path, monkeypatch):
    """It is installed, changed, and gone; results of a version that did not tell it are of an absent one."""
    data = tmp_path / "data.csv"
    data.write_text("date,y\n")
    own = {"dataset": "csv", "path": str(data), "target": "y", "models": ["NHITS"]}
    config = load_config({"pipelines": ["forecasting"], "results": str(tmp_path / "results"), "forecasting": own})
    folder, site = tmp_path / "results" / "forecasting", tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    first = expected(config)["forecasting"]
    results(folder, {key: value for key, value in first.items() if key != "installed"})
    assert outdated(config) == {}
    results(folder, first)
    told = []
    for version in ("98.0", "99.0", None):
        for old in site.iterdir():
            shutil.rmtree(old)
        if version:
            (about := site / f"fracast-{version}.dist-info").mkdir()
            (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: fracast\nVersion: {version}\n")
        importlib.invalidate_caches()
        told.append(outdated(config))
        assert outdated(config, imaged=True) == {}  # the image has its own
        results(folder, expected(config)["forecasting"])
        refuse_mixed(FORECASTING, folder)
        assert outdated(config) == {}
    metrics, there = str(folder / "metrics.json"), first["installed"].get("fracast", "(none)")
    wanted = [f"fracast {there} → 98.0", "fracast 98.0 → 99.0", f"fracast 99.0 → {there}"]
    assert told == [{metrics: [one]} for one in wanted]


class Choice(BaseModel):
    depth: int = 3
    rate: float = 0.1
    shown: int = 5
    ranks: int = 2


class Choosing(Application):
    """Its options: one of the preparation, one of the training, one of neither, one that changes nothing."""

    name, configuration = "choosing", Choice
    preparation, training = create_model("Depth", depth=(int, 3)), create_model("Rate", rate=(float, 0.1))


def test_an_option_that_only_later_stages_take_counts_from_the_predictions_on(tmp_path):
    made = Choosing()
    assert made.inferring(Choice()) == {"shown": 5}
    record = {"data": {}, **made.told(Choice())}
    for path, made_from in made.products(tmp_path, record).items():
        place = path if path.suffix else path / "model.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps({"made_from": made_from}))
    assert stale(case(made, tmp_path), {"data": {}, **made.told(Choice(ranks=4))}) == {}
    told = stale(case(made, tmp_path), {"data": {}, **made.told(Choice(shown=6))})
    assert told == {tmp_path / name: ["shown 5 → 6"] for name in ("predictions.arrow", "metrics.json")}
    refuse_mixed(made, tmp_path)


def test_metrics_that_do_not_say_such_an_option_are_refused_by_the_report(tmp_path):
    made, metrics = Choosing(), tmp_path / "metrics.json"
    record = {"data": {}, **made.told(Choice())}
    for told, options in ((record, {"shown": 6}), (None, {}), (record, None)):
        metrics.write_text(json.dumps({"made_from": told}))
        refuse_untold(made, tmp_path, options)
    metrics.write_text(json.dumps({"made_from": fingerprint.of_model(record)}))
    with pytest.raises(MixError, match="nothing of shown"):
        refuse_untold(made, tmp_path, Choice().model_dump())


@pytest.mark.parametrize("made", applications().values(), ids=[*applications()])
def test_all_options_of_ours_are_told_before_or_change_nothing(made):
    assert made.inferring(made.configuration()) == {}
