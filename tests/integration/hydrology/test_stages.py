"""The stages as the workflow starts them, on small basins and on the real ones of CAMELS-US."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deeprc.applications.hydrology.prepared import read_prepared
from deeprc.applications.hydrology.samples import groups, make_samples
from deeprc.learning import ledger, origin
from deeprc.learning.audit import audit
from deeprc.learning.origin import uses
from samples.prepared import content

SMALL = json.dumps({"window": 10})
CAMELS = json.dumps({"dataset": "camels-us", "window": 30})
HELD_OUT = json.dumps(json.loads(CAMELS) | {"held_out": ["02064000"]})
TINY = json.dumps({"units": 4, "epochs": 2})
AWARE = json.dumps({"variant": "entity-aware", "units": 4, "epochs": 2})
ELASTIC = json.dumps({"units": 4, "epochs": 2, "reproducible": "elastic", "shards": 4})


def prepare(mpirun, ranks: int, config: str, out: Path, *data: Path):
    done = mpirun(ranks, ["-m", "deeprc.applications.hydrology.prepare", "--config", config, "--out", out, *data])
    assert done.returncode == 0, done.stderr
    return read_prepared(out)


@pytest.fixture(scope="module")
def prepared(mpirun, basins, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("prepared") / "prepared"
    prepare(mpirun, 2, SMALL, out, *basins)
    return out


def test_check_and_prepare_agree_on_what_is_there(stage, basins, prepared, tmp_path):
    out = tmp_path / "check.json"
    stage("check", "--config", SMALL, "--out", out, *basins)
    found, data = json.loads(out.read_text()), read_prepared(prepared)
    checked = found["basins"]
    mine = [make_samples(data, basins)[0] for basins in groups(data).values()]
    assert found["training_windows"] == [len(samples.of("train")) for samples in mine]
    # 420 days, discharge from day 31 and none on day 101; the parts begin after 195 and 292.5 of 390 observed days
    assert data.frame.columns == ["basin", "date", "pet", "prcp", "tmax", "tmean", "tmin", "obs", "quality", "split"]
    for basin, days in (("fulda", 420), ("leaf-river", 419)):
        mine = data.frame.filter(pl.col("basin") == basin)
        assert mine.height == checked[basin]["days"] == days
        assert checked[basin]["discharge_without_forcing"] == 0
        assert mine["date"].is_sorted()
        assert mine["obs"].null_count() == checked[basin]["missing"]["obs"] == 31
        assert dict(mine["quality"].value_counts().iter_rows()) == checked[basin]["quality"]
        assert data.basins[basin]["val_from"] == "2001-08-14"
        assert mine.filter(pl.col("split") == "val")["date"].min().isoformat() == data.basins[basin]["val_from"]
        assert mine.filter(pl.col("split") == "test")["date"].min().isoformat() == data.basins[basin]["test_from"]
    assert data.frame.filter(pl.col("basin") == "fulda")["pet"].null_count() == 420  # the Fulda file has none


# What `prepare` makes of the basins: the rows are those from before it read columns one by one.
CONTENT = {"frame.arrow": "1bdd0d02e302b4b1", "meta.json": "723e5211865fabb7"}


@pytest.mark.parametrize("ranks", [1, 4])
def test_any_number_of_ranks_prepares_the_same(mpirun, basins, prepared, tmp_path, ranks):
    data, expected = prepare(mpirun, ranks, SMALL, tmp_path / "prepared", *basins), read_prepared(prepared)
    assert data.frame.equals(expected.frame)
    assert data.meta == expected.meta
    found = content(tmp_path / "prepared")
    assert found == content(prepared)
    assert found.pop(origin.LINES) and found == CONTENT


def test_train_predict_and_evaluate_give_the_same_on_one_rank_and_on_two(stage, mpirun, prepared, tmp_path):
    def run(folder: Path) -> tuple:
        model, predictions, metrics = folder / "model", folder / "p.arrow", folder / "metrics.json"
        ranks = 1 + (folder.name == "two")

        def on_ranks(name: str, *argv: object) -> None:
            stage = ["-m", f"deeprc.applications.hydrology.{name}", "--prepared", prepared, *argv]
            done = mpirun(ranks, stage, timeout=280)
            assert done.returncode == 0, done.stderr

        on_ranks("train", "--config", ELASTIC, "--out", model, "--checkpoints", folder / "checkpoints")
        on_ranks("predict", "--model", model, "--out", predictions)
        options = ("--prepared", prepared, "--model", model, "--predictions", predictions, "--out", metrics)
        stage("evaluate", *options)
        return options, (pl.read_ipc(predictions), metrics.read_text(), (model / "model.json").read_text())

    folder = tmp_path / "two"
    with ThreadPoolExecutor() as both:
        (_, one), (options, two) = both.map(run, [tmp_path / "one", folder])
    predictions, found = folder / "p.arrow", (one, two)
    (days, metrics, model), again = found
    assert days.equals(again[0])
    assert (metrics, model) == again[1:]
    for network in ("fulda", "leaf-river"):
        found = audit(folder / "model" / network)
        assert (
            found.faults == []
            and found.samples == json.loads(model)["networks"][network == "leaf-river"]["windows"]["train"]
        )
    assert not any((folder / "checkpoints").iterdir())
    # Line 100 is day 98, behind the 420 rows of the Fulda. A sample has ten days and is known by the last; there is
    # none of day 100, whose discharge is not known.
    notes = ledger.read(folder / "model" / "leaf-river" / ledger.NAME)
    (told,) = uses([folder / "model" / name for name in ("fulda", "leaf-river")], 100, "leaf-river.csv")
    assert told.row == 518 and told.samples.tolist() == [518, 519, *range(521, 528)]
    mine = np.isin(notes["row"].to_numpy(), told.samples)
    assert told.steps.tolist() == np.unique(notes["step"].to_numpy()[mine]).tolist()
    assert (told.epochs[0], told.epochs[1]) == (9, 9)

    assert days.columns == ["basin", "date", "split", "obs", "sim", "quality"]
    assert days["sim"].is_finite().all()
    # every day that ends ten complete days of weather: the gap in tmean costs ten days, the lost day nine
    assert dict(days["basin"].value_counts().iter_rows()) == {"fulda": 420 - 9 - 10, "leaf-river": 419 - 9 - 9}
    basins = json.loads(metrics)["basins"]
    for basin, figures in basins.items():
        mine = days.filter((pl.col("basin") == basin) & (pl.col("split") == "test") & pl.col("obs").is_not_null())
        error = mine["sim"] - mine["obs"]
        assert figures["days"] == mine.height
        assert figures["rmse"] == pytest.approx((error**2).mean() ** 0.5)
        assert figures["bias"] == pytest.approx(error.mean())
        assert figures["beats_reference"] is (figures["nse"] > figures["references"]["climatology"]["nse"])
        assert figures["references"]["climatology"]["days"] <= figures["days"]
    networks = json.loads(metrics)["model"]["networks"]
    assert {name: network["basins"] for name, network in networks.items()} == {
        "fulda": ["fulda"],
        "leaf-river": ["leaf-river"],
    }

    # What was damaged since is an error that names it, and the earlier metrics stay.
    copied = Path(shutil.copytree(prepared, tmp_path / "copied"))
    (copied / "frame.arrow" / "part-00001.arrow").unlink()
    done = stage("evaluate", "--prepared", copied, *options[2:], code=2)
    assert done.stderr.startswith(f"error: {copied}/frame.arrow/part-00001.arrow: this part is missing")
    os.truncate(predictions, 5000)
    assert stage("evaluate", *options, code=2).stderr.startswith(f"error: {predictions}: cannot read this file")
    os.truncate(folder / "model" / "fulda" / "weights.safetensors", 500)
    assert stage("evaluate", *options, code=2).stderr.startswith(
        f"error: {folder}/model/fulda/weights.safetensors: this part was cut off"
    )
    assert folder.joinpath("metrics.json").read_text() == again[1]


def test_real_camels_basins_one_of_them_held_out(stage, mpirun, shared_data, tmp_path):
    prepared, model, predictions, metrics = (
        tmp_path / name for name in ("prepared", "model", "p.arrow", "metrics.json")
    )
    stage("check", "--config", HELD_OUT, "--out", tmp_path / "check.json", shared_data / "camels_us")
    data = prepare(mpirun, 2, HELD_OUT, prepared, shared_data / "camels_us")
    quality = data.frame.filter(pl.col("basin") == "01022500")["quality"].value_counts()
    # the weather of this basin goes on for the year 2003, its discharge does not
    assert dict(quality.iter_rows()) == {"approved": 871, "estimated": 225, "missing": 365}
    # 255 ft3/s over 587.675987 km2 on the first day
    assert data.frame["obs"][0] == pytest.approx(255 * 0.028316846592 * 86400 / 587675.987)
    stage("train", "--prepared", prepared, "--config", AWARE, "--out", model, "--checkpoints", tmp_path / "checkpoints")
    stage("predict", "--prepared", prepared, "--model", model, "--out", predictions)
    stage("evaluate", "--prepared", prepared, "--model", model, "--predictions", predictions, "--out", metrics)
    # Every row is known by its lines in both files, whose first columns are the day, and gauge and day.
    known, marks = origin.Origin.read(prepared), Counter()
    texts = {path.name: path.read_text().splitlines() for path in (shared_data / "camels_us").rglob("*.txt")}
    for row, file, line in zip(known.row.tolist(), known.file, known.line, strict=True):
        name, (basin, day) = Path(known.files[file].name).name, data.frame.row(row)[:2]
        words, is_flow = texts[name][line - 1].split(), "streamflow" in name
        assert name.startswith(basin) and [int(word) for word in words[is_flow : 3 + is_flow]] == [*day.timetuple()[:3]]
        marks[is_flow] += 1
    assert marks == {False: data.frame.height, True: data.frame["obs"].is_not_null().sum()}
    assert [(file.before, file.after) for file in known.files] == [(29, 1), (0, 1)] * 4
    # No row of the basin that is held out went into any step; it is judged all the same, beside the others' season.
    used = data.frame[ledger.read(model / "regional" / ledger.NAME)["row"].to_numpy()]
    assert set(used["split"]) == {"train"}
    assert set(used["basin"]) == {"01022500", "01547700", "03015500"}
    assert set(data.frame.filter(pl.col("basin") == "02064000")["split"]) == {"held-out", "test"}
    held_out = json.loads(metrics.read_text())["basins"]["02064000"]
    assert held_out["held_out"] is True and held_out["train"] == {**dict.fromkeys(held_out["train"]), "days": 0}
    train = data.frame.filter(pl.col("split") == "train", pl.col("obs").is_not_null())
    test = data.frame.filter(pl.col("basin") == "02064000", pl.col("split") == "test")
    near = [
        train.filter(((pl.col("date").dt.ordinal_day() - day + 549) % 366 - 183).abs() <= 15)["obs"].mean()
        for day in test["date"].dt.ordinal_day()
    ]
    error = (pl.Series(near) - test["obs"]) ** 2
    nse = 1 - error.sum() / ((test["obs"] - test["obs"].mean()) ** 2).sum()
    assert held_out["references"]["climatology"]["nse"] == pytest.approx(nse, abs=1e-6)
    found = json.loads(metrics.read_text())
    assert found["dataset"] == "camels-us"
    assert found["basins"]["01022500"]["name"] == "Narraguagus River at Cherryfield, Maine"
    assert all(figures["days"] == 274 and figures["unit"] == "mm/day" for figures in found["basins"].values())
    assert found["model"]["networks"]["regional"]["basins"] == ["01022500", "01547700", "02064000", "03015500"]


def test_another_forcing_product(mpirun, shared_data, tmp_path):
    config = json.dumps(json.loads(CAMELS) | {"forcing": "nldas", "basins": ["03015500"]})
    frame = prepare(mpirun, 2, config, tmp_path / "prepared", shared_data / "camels_us").frame
    assert frame.height == 1096
    assert frame["obs"].null_count() == 0


def spoil(path: Path, folder: Path, edit) -> Path:
    """A copy of a csv file with its lines edited."""
    lines = path.read_text(encoding="utf-8").splitlines()
    edit(lines)
    copy = folder / path.name
    copy.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return copy


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda lines: lines.__setitem__(0, lines[0].replace("Prec", "precip")), "{file}: column 'Prec' is missing"),
        (lambda lines: lines.__setitem__(9, "32" + lines[9][2:]), "{file}:10, column 'date': not a date"),
        (lambda lines: lines.append(lines[9]), "{file}:10: the date 2001-01-08 stands 2 times"),
        (lambda lines: lines.__setitem__(slice(60, None), []), "{file}: too few days for the windows: the train part"),
        (lambda lines: lines.clear(), "{file}: the file is empty"),
    ],
)
def test_bad_data_ends_check_and_leaves_earlier_results(stage, basins, tmp_path, edit, message):
    out, file = tmp_path / "check.json", spoil(basins[0], tmp_path, edit)
    out.write_text("earlier")
    config = json.dumps({"window": 100})
    done = stage("check", "--config", config, "--out", out, file, basins[1], code=2)
    assert done.stderr.startswith("error: " + message.format(file=file))
    assert "Traceback" not in done.stderr
    assert out.read_text() == "earlier"


def test_bad_data_ends_prepare_on_all_ranks_and_leaves_earlier_results(mpirun, basins, tmp_path):
    file = spoil(basins[1], tmp_path, lambda lines: lines.__setitem__(3, lines[3].replace(";", ";x", 1)))
    out = tmp_path / "prepared"
    out.mkdir()
    (out / "earlier").touch()
    argv = ["-m", "deeprc.applications.hydrology.prepare", "--config", SMALL, "--out", out, basins[0], file]
    done = mpirun(2, argv, timeout=60)
    assert done.returncode == 2
    assert f"error: {file}:4, column 'rainfall[mm]': not a number" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path != file] == ["prepared"]
    assert (out / "earlier").exists()


def test_an_unknown_option_is_refused_with_the_nearest(stage, basins, tmp_path):
    done = stage("check", "--config", '{"windows": 3}', "--out", tmp_path / "c.json", *basins, code=2)
    assert done.stderr.startswith("error: --config: unknown key 'windows'")
    assert "did you mean 'window'?" in done.stderr
