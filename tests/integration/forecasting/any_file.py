"""Whatever `check` accepts, the later stages can do; run by every rank: `mpiexec -n R python any_file.py RESULTS N`.

Rank 0 draws N files in the forms that people have, with what has broken a stage before; `check` may refuse one, by an
error of ours. What it accepts goes through `prepare` on all ranks, and a part of it through a model and `evaluate`.
RESULTS becomes a JSON file: how many files were accepted, refused and forecast, and the failure with its example.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import traceback
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from deeprc.frames import Communicator  # isort: skip  (it sets the threads of Polars)
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import profiles
from deeprc.applications.forecasting import check, evaluate, predict, prepare, train
from deeprc.applications.forecasting.config import DataConfig, ForecastingConfig
from deeprc.applications.forecasting.series import load
from deeprc.core.errors import DeepRCError

COMM = Communicator.world()
HOUR = timedelta(hours=1)
STEPS = {
    "minutes": lambda i: datetime(2020, 2, 28) + i * HOUR / 4,
    "hours": lambda i: datetime(2019, 12, 31, 22) + i * HOUR,
    "days": lambda i: datetime(2020, 2, 25) + i * 24 * HOUR,
    "odd": lambda i: datetime(1995, 1, 1, 0, 0, 7) + i * timedelta(seconds=77),
    "months": lambda i: datetime(2019 + i // 12, i % 12 + 1, 1),
    "years": lambda i: datetime(1900 + i, 1, 1),
}
FORMS = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%d.%m.%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S"]
NAMES = ["y", "ds", "observed", "usable", "row", "part", "month", "id", "x:y", "y_raw", "series", "part_begin", "day"]
NAMES += ["hour_sin", "month_cos", "a b", "{wind}", "Größe", "%s", "<b>", "x=1", "0", "", "index", "unique_id2"]
VALUES = {
    "plain": lambda i, chance: 10 + 3 * np.sin(i / 3) + chance.gauss(0, 0.1),
    "whole": lambda i, chance: chance.randrange(100),
    "constant": lambda i, chance: 4.2,
    "constant at first": lambda i, chance: 0.1 if i < 50 else chance.random(),
    "a jump": lambda i, chance: 1e-3 * chance.random() if i < 50 else 1e12,
    "huge": lambda i, chance: chance.choice([1e90, 3e45, -1e99]),
    "too huge": lambda i, chance: chance.choice([1, 1e200]),
    "tiny": lambda i, chance: chance.choice([5e-324, 1e-200, 0]),
    "tiny beside others": lambda i, chance: chance.choice([5e-324, 1, 2]),
    "far off zero": lambda i, chance: 1e15 + chance.randrange(9),
    "large whole": lambda i, chance: 2**60 + chance.randrange(10**6),
    "sentinel": lambda i, chance: chance.choice([-9999, 5, 6.5]),
    "none": lambda i, chance: None,
    "none at first": lambda i, chance: None if i < 45 else chance.random(),
    "gaps": lambda i, chance: chance.choice([None, None, 1.5, 2]),
    "a gap": lambda i, chance: None if 10 < i < 30 else float(i % 7),
    "infinite": lambda i, chance: "inf" if i == 20 else 1.0,
}
WORDS = ["", "NA", "nan", "-"]


@dataclass(frozen=True)
class File:
    """A file of a user, and the configuration beside it."""

    content: bytes
    config: dict


@st.composite
def files(draw: st.DrawFn) -> File:
    """Any step, form, name and kind of value; short series, near the least length that the windows need."""
    chance = random.Random(draw(st.integers(0, 10**9)))
    horizon, input_size = draw(st.integers(1, 4)), draw(st.integers(1, 8))
    step, form, comma = draw(st.sampled_from(list(STEPS))), draw(st.sampled_from(FORMS)), draw(st.booleans())
    separator = ";" if comma else draw(st.sampled_from(",;\t|"))
    names = draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True))
    kinds = [draw(st.sampled_from(list(VALUES))) for _ in names]
    target = draw(st.sampled_from([*["plain", "gaps", "whole", "far off zero"] * 3, *VALUES]))
    several = draw(st.sampled_from([["load"], ["load"], ["A", "NA", "y"]]))
    word = draw(st.sampled_from(WORDS))

    def text(value: object) -> str:
        if value is None:
            return word
        return str(value).replace(".", ",") if comma else str(value)

    rows = []
    for series in several:
        length = draw(st.sampled_from([*range(12, 40), 60, 90]))
        for i in range(length):
            if draw(st.booleans()) or chance.random() > 0.05:
                values = [VALUES[kind](i, chance) for kind in (*kinds, target)]
                own = [series] if len(several) > 1 else []
                rows.append([STEPS[step](i).strftime(form), *own, *map(text, values)])
    if draw(st.booleans()):
        chance.shuffle(rows)
    head = ["when", *(["unique_id"] if len(several) > 1 else []), *names, "load"]
    lines = [separator.join(f'"{field}"' if draw_quotes else field for field in row)
             for draw_quotes in [draw(st.booleans())] for row in [head, *rows]]  # fmt: skip
    end, encoding = draw(st.sampled_from(["\n", "\r\n"])), draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    config = {"dataset": "csv", "time": "when", "target": "load", "horizon": horizon, "input_size": input_size}
    config |= {"split": draw(st.sampled_from([[0.6, 0.2], [0.7, 0.1], [0.3, 0.4]])), "max_gap": draw(st.integers(0, 3))}
    return File(end.join([*lines, ""]).encode(encoding), config)


counts = {"accepted": 0, "refused": 0, "forecast": 0}


def stages_do_it(file: File, folder: Path) -> None:
    """Refused by `check` on all ranks, or prepared: finite inputs, and a window in every part."""
    if COMM.rank == 0:
        (folder / "own.csv").write_bytes(file.content)
    COMM.barrier()
    config = DataConfig(**file.config).model_dump_json()
    accepted = None
    if COMM.rank == 0:
        try:
            check.main(folder / "own.csv", config, folder / "check.json")
            accepted = True
        except DeepRCError as error:
            assert error.where, f"an error that names no file: {error}"
            accepted = False
        except Exception:
            traceback.print_exc()
    accepted = COMM.bcast(accepted)
    assert accepted is not None, "check failed without an error of ours"
    counts["accepted" if accepted else "refused"] += 1
    if not accepted:
        return
    prepare.main(folder / "own.csv", config, folder / "prepared")
    if COMM.rank == 0:
        look_at(folder)
    COMM.barrier()


def look_at(folder: Path) -> None:
    """The prepared series are finite; where there is one rank, every fifth goes through a model, too."""
    series = load(folder / "prepared")
    for name in ("y", *series.meta["history"], *series.meta["future"]):
        inputs = series.rows.column(name)
        assert inputs.dtype == np.float32
        assert np.isfinite(inputs).all()
        assert np.abs(inputs).max(initial=0) < 1e12
    for part in ("train", "val", "test"):
        assert len(series.origins(part))
    checked = json.loads((folder / "check.json").read_text())
    for key, last in (("training_windows", "train"), ("windows_with_validation", "val")):
        begun = series.origins("train", last=last)
        assert checked[key]["each"] == len(begun)
        if (series.bounds - series.bounds[:, :1] == series.bounds[0] - series.bounds[0, 0]).all():
            own = [{*(begun[series.number(begun) == each] - begin)} for each, begin in enumerate(series.bounds[:, 0])]
            assert checked[key]["together"] == len(set.intersection(*own))
    if COMM.size > 1 or counts["accepted"] % 5:
        return
    counts["forecast"] += 1
    options = ForecastingConfig(models=["NHITS"], steps=2).train_json("NHITS")
    train.main(folder / "prepared", "NHITS", options, folder / "NHITS")
    predict.main(folder / "prepared", folder / "NHITS", folder / "NHITS.arrow")
    evaluate.main([folder / "NHITS.arrow"], folder / "prepared", folder / "metrics.json")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert np.isfinite(metrics["models"]["NHITS"]["mae"])


def together(file: File | None) -> str | None:
    """The failure of any rank with this example of rank 0; None where there is none."""
    file = COMM.bcast(file)
    folder = Path(COMM.bcast(tempfile.mkdtemp() if COMM.rank == 0 else None))
    try:
        stages_do_it(file, folder)
        failure = None
    except Exception:
        failure = traceback.format_exc()
    failures = [one for one in COMM.allgather(failure) if one]
    if COMM.rank == 0:
        shutil.rmtree(folder)
    return failures[0] if failures else None


def main(results: Path, examples: int) -> None:
    last: list[str] = []

    @settings(max_examples=examples)
    @given(files())
    def holds(file: File) -> None:
        COMM.bcast(True)
        if failure := together(file):
            last[:] = [f"{failure}\n{file.config}\n{file.content.decode('utf-8', 'replace')[:3000]}"]
            raise AssertionError(failure)

    if COMM.rank == 0:
        try:
            holds()
        except Exception as error:
            last[:] = last or [repr(error)]
        COMM.bcast(False)
        results.write_text(json.dumps({**counts, "failure": last[0] if last else None}))
    else:
        while COMM.bcast(None):
            together(None)


if __name__ == "__main__":
    profiles.load("ci")  # the test counts the files of each kind: the same ones every time
    main(Path(sys.argv[1]), int(sys.argv[2]))
