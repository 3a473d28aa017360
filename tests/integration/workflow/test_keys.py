"""Every key of the configuration, and every file of the data: `-n` lists exactly what depends on it.

The results are made up: products hold nothing but what they were made from (that is all that is compared).
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from deeprc.applications.config import load_config
from deeprc.core import fingerprint
from deeprc.workflow.expected import expected, record
from samples.keys import (
    BASE,
    FORECASTING,
    HYDROLOGY,
    MODELS,
    NETWORK,
    ONE_MODEL,
    REPORT,
    changed,
    depends,
    keys,
)
from starts import Ended, together


def make_up(folder: Path, values: dict) -> None:
    """The results of a complete run in `folder`, as far as they say what they were made from."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        config = load_config(values)
        records = expected(config)
        for application in config.applications():
            whole = records[application.name]
            products = [one for case in config.cases(application) for one in case.products(record(case, whole)).items()]
            if config.swept(application):
                products.append((config.told(application), whole))
            for path, made_from in products:
                if path.suffix == ".arrow":
                    path.parent.mkdir(parents=True, exist_ok=True)
                    table = pa.table({"y": [1.0]}, metadata=fingerprint.to_arrow(made_from))
                    with pa.ipc.new_file(str(path), table.schema) as writer:
                        writer.write_table(table)
                else:
                    name = {"prepared": "meta.json"}.get(path.name, "model.json")
                    write(path if path.suffix else path / name, {"made_from": made_from})
            if config.swept(application):
                write(config.told(application).with_suffix(".csv"), "")
        for name in ("run.json", "report.html"):
            write(Path("results", name), {"made_from": records})
        write(Path("results/metrics.json"), {name: {"made_from": record} for name, record in records.items()})
    finally:
        os.chdir(here)


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name in ("mine.csv", "other.csv", "a.csv", "b.csv", "att.csv", "camels/usgs_streamflow/01_x.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    make_up(folder, BASE)
    return folder


def start(*cases: tuple[Path, dict], more: tuple[str, ...] = ()) -> list[Ended]:
    """`-n` in each folder with its configuration, in one process."""
    starts = []
    for number, (folder, values) in enumerate(cases):
        (folder / f"{number}.yaml").write_text(yaml.safe_dump(values))
        profile = ["--profile", "site/localhost", "--directory", str(folder)]
        starts.append([*profile, "--configfile", str(folder / f"{number}.yaml"), "-n", *more])
    return together(*starts)


def listed(said: Ended) -> dict[str, int]:
    """The jobs of the table of `-n`, by stage."""
    assert said.code == 0, said.output
    jobs: dict[str, int] = {}
    for stage, count in re.findall(r"^(\w+) +(\d+)  \S", said.output, re.M):
        jobs[stage] = jobs.get(stage, 0) + int(count)
    assert ("Nothing to be done" in said.output) is (not any(not stage.endswith("_check") for stage in jobs))
    return jobs


def copied(folder: Path, place: Path) -> Path:
    """A copy of the folder, without what Snakemake remembers."""
    return Path(shutil.copytree(folder, place, ignore=shutil.ignore_patterns(".snakemake")))


def test_every_key_redoes_exactly_what_depends_on_it(folder):
    cases = dict(keys())
    said = start((folder, BASE), *((folder, changed(key, about)) for key, about in cases.items()))
    assert listed(said[0]) == {}
    everything = {"forecasting_prepare": 1, "hydrology_prepare": 1} | MODELS | NETWORK
    everything |= {"forecasting_check": 1, "hydrology_check": 1}
    found = {key: listed(one) for key, one in zip(cases, said[1:], strict=True)}
    wanted = {key: everything if depends(key) == "everything" else depends(key) for key in cases}
    assert {key: jobs for key, jobs in found.items() if jobs != wanted[key]} == {}
    no_reason = r"(.*\.)?(min_free_mb|ranks|threads|device|backend|checkpoint_steps|keep|staging|mlflow|engine)"
    assert all(wanted[key] for key in cases if not re.fullmatch(no_reason, key))


def test_every_file_of_the_data_by_what_is_in_it(folder, tmp_path):
    """Taken by an older file of the same size, with its old time, by `cp -p`; touched, it is what it was."""
    wanted = {"mine.csv": FORECASTING, "a.csv": HYDROLOGY, "b.csv": HYDROLOGY, "other.csv": {}}
    cases = [copied(folder, tmp_path / name) for name in wanted]
    for name, place in zip(wanted, cases, strict=True):
        (place / "older").write_text(name.swapcase())
        os.utime(place / "older", (10**9, 10**9))
        for data in wanted:
            (place / data).touch()
        shutil.copy2(place / "older", place / name)
    for (name, jobs), said in zip(wanted.items(), start(*((place, BASE) for place in cases)), strict=True):
        assert listed(said) == jobs
        assert not jobs or f"{name} has changed" in said.output


def test_models_in_another_order_are_the_same_and_one_less_is_no_training(folder):
    names = {"models": ["NHITS", "GRU"]}, {"models": ["GRU"]}
    turned, less = start(*((folder, {**BASE, "forecasting": BASE["forecasting"] | models}) for models in names))
    assert listed(turned) == {}
    assert listed(less) == {"forecasting_evaluate": 1, "report": 1}
    assert re.search(r"forecasting_evaluate +1  NHITS is left out$", less.output, re.M)


def test_a_product_of_another_model_or_report_is_seen_though_its_options_and_times_are_the_same(folder, tmp_path):
    def model(place: Path) -> None:
        shutil.rmtree(place / "models" / "LSTM")
        shutil.copytree(place / "models" / "GRU", place / "models" / "LSTM")

    def predictions(place: Path) -> None:
        shutil.copy2(place / "predictions" / "GRU.arrow", place / "predictions" / "LSTM.arrow")

    def report(place: Path) -> None:
        (place.parent / "report.html").write_text("<!doctype html>")

    same = {name: {"learning_rate": 0.1} for name in ("LSTM", "GRU")}  # equal in all but their names
    values = {**BASE, "forecasting": BASE["forecasting"] | {"models": same}}
    cases = {}
    for kind in (model, predictions, report):
        cases[kind] = place = tmp_path / kind.__name__
        place.mkdir()
        for name in ("mine.csv", "a.csv", "b.csv"):
            shutil.copy2(folder / name, place)
        make_up(place, values)
        kind(place / "results" / "forecasting")
    one = {"forecasting_predict": 1, "forecasting_evaluate": 1, **REPORT}
    wanted = {model: {"forecasting_train": 1, **one}, predictions: one, report: REPORT}
    said = dict(zip(cases, start(*((place, values) for place in cases.values())), strict=True))
    assert {kind: listed(one) for kind, one in said.items()} == wanted
    for kind in (model, predictions):
        assert "model GRU → LSTM: LSTM" in said[kind].output, said[kind].output


def test_a_mistake_in_a_key_that_has_a_default_is_told_in_the_file_that_it_stands_in(folder):
    (said,) = start((folder, {**BASE, "results": 5}))
    assert said.code == 1 and re.search(r"error: \S+/0\.yaml:\d+: key 'results'", said.output), said.output


def test_the_table_ends_where_until_ends(folder):
    values = {**BASE, "forecasting": BASE["forecasting"] | {"horizon": 12}}
    (said,) = start((folder, values), more=("--until", "forecasting_train"))
    assert listed(said) == {"forecasting_check": 1, "forecasting_prepare": 1, "forecasting_train": 2}


def test_the_table_says_which_models_and_why_however_quiet(folder, tmp_path):
    values = json.loads(json.dumps(BASE))
    values["forecasting"]["models"]["GRU"]["steps"] = 7
    values["hydrology"]["units"] = 5
    place = copied(folder, tmp_path / "place")
    shutil.rmtree(place / "results" / "forecasting" / "models" / "NHITS")
    for quiet in ("rules", "progress"), ("all",):
        (said,) = start((place, values), more=("--quiet", *quiet))
        assert said.output[said.output.index("stage ") :].splitlines()[:11] == [
            "stage                 jobs  why",
            "forecasting_train        1  steps 300 → 7: GRU",
            "forecasting_train        1  not made yet: NHITS",
            "forecasting_predict      1  steps 300 → 7: GRU",
            "forecasting_predict      1  follows from the above: NHITS",
            "forecasting_evaluate     1  GRU.steps 300 → 7",
            "hydrology_train          1  units 48 → 5",
            "hydrology_predict        1  units 48 → 5",
            "hydrology_evaluate       1  units 48 → 5",
            "report                   1  forecasting: GRU.steps 300 → 7; hydrology: units 48 → 5",
            "in all                   9",
        ]


SWEEP = {
    "pipelines": ["forecasting", "hydrology"],
    "forecasting": {"dataset": "ett", "path": "mine.csv", "target": "load"},
    "hydrology": BASE["hydrology"],
    "sweep": {
        "forecasting": {"over": {"models": ["GRU", "NHITS"], "horizon": [12, 24], "seed": [1, 2]}},
        "hydrology": {"over": {"units": [8, 9]}},
    },
}


def swept(seeds: list[int], horizons: list[int], **forecasting: object) -> dict:
    values = json.loads(json.dumps(SWEEP))
    values["forecasting"] |= forecasting
    values["sweep"]["forecasting"]["over"] |= {"seed": seeds, "horizon": horizons}
    return values


def test_a_sweep_goes_on_with_what_is_missing_and_adding_a_seed_trains_that_alone(folder, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    for name in ("mine.csv", "a.csv", "b.csv"):
        shutil.copy2(folder / name, place)
    make_up(place, SWEEP)
    table = {"forecasting_sweep": 1, **REPORT}
    each = ("forecasting_train", "forecasting_predict", "forecasting_evaluate")

    def of(count: int) -> dict:
        return dict.fromkeys(each, count) | table

    less = copied(place, tmp_path / "less")
    gone = next(less.glob("results/forecasting/sweep/*/*/models"))
    shutil.rmtree(gone)
    other = copied(place, tmp_path / "other")
    (other / "mine.csv").write_text("OTHER.CSV")
    mixed = copied(place, tmp_path / "mixed")
    ((one, _), (two, _)) = (
        (path, path.name) for path in sorted(mixed.glob("results/forecasting/sweep/*/*/models/GRU"))[:2]
    )
    shutil.rmtree(one)
    shutil.copytree(two, one)
    cases = [
        (place, SWEEP, {}),
        (place, swept([2, 1], [24, 12]), {}),  # in another order
        (place, swept([1, 2, 3], [12, 24]), of(4)),
        (place, swept([1], [12, 24]), table),
        (place, swept([1, 2], [12, 24, 48]), {"forecasting_check": 1, "forecasting_prepare": 1} | of(4)),
        (place, swept([1, 2], [12, 24], steps=7), of(8)),
        (less, SWEEP, of(1)),
        (mixed, SWEEP, of(1)),
        (other, SWEEP, {"forecasting_check": 2, "forecasting_prepare": 2} | of(8)),
        (
            place,
            {key: value for key, value in SWEEP.items() if key != "sweep"} | {"pipelines": ["hydrology"]},
            HYDROLOGY,
        ),
    ]
    for (_, _, jobs), said in zip(cases, start(*((at, values) for at, values, _ in cases)), strict=True):
        assert listed(said) == jobs
    (said, refused) = start((place, swept([1, 2, 3], [12, 24])), (place, swept([*range(20)], [12, 24])))
    assert "sweep of forecasting: 12 trainings\nsweep of hydrology: 2 trainings\n" in said.output
    assert re.search(
        r"forecasting_train +4  not made yet: GRU, horizon 12, seed 3; GRU, horizon 24, seed 3;", said.output
    )
    assert refused.code == 1 and re.search(
        r"^error: \S+/1.yaml:\d+: key 'sweep.forecasting.most': this sweep would start 80 trainings$",
        refused.output,
        re.M,
    )


def test_products_of_another_run_are_made_anew_whatever_snakemake_remembers(folder, tmp_path):
    """One product in turn from a run with another horizon, as after a copy in part."""
    other = copied(folder, tmp_path / "other")
    make_up(other, {**BASE, "forecasting": BASE["forecasting"] | {"horizon": 9}})
    wanted = {
        "forecasting/prepared/meta.json": {"forecasting_prepare": 1, **MODELS},
        "forecasting/models/GRU/model.json": ONE_MODEL,
        "forecasting/predictions/GRU.arrow": {"forecasting_predict": 1, "forecasting_evaluate": 1, "report": 1},
        "forecasting/metrics.json": {"forecasting_evaluate": 1, "report": 1},
        "forecasting/check.json": {"forecasting_check": 1},
        "run.json": {"report": 1},
        "metrics.json": {"report": 1},
    }
    cases = [copied(folder, tmp_path / name.replace("/", "-")) for name in wanted]
    for name, place in zip(wanted, cases, strict=True):
        shutil.copyfile(other / "results" / name, place / "results" / name)
    for (name, jobs), said in zip(wanted.items(), start(*((place, BASE) for place in cases)), strict=True):
        assert listed(said) == jobs, name
        assert "horizon 9 → 24" in said.output
