"""The same stages on our engine and on Cylon, for which a double stands: pycylon is in no environment of today."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from deeprc.bench.frames import run
from deeprc.core.errors import DeepRCError

HERE = Path(__file__).parent
DOUBLE = f"{HERE.parents[1]}:{HERE / 'cylon_double'}"


def test_the_same_stages_on_both_engines(mpirun, tmp_path: Path) -> None:
    for number, name in enumerate(("aller", "weser")):
        days = [date(2001, 1, 1) + timedelta(days=day) for day in range(900)]
        rows = {"date": days, "P": [float((day * 7 + number) % 11) for day in range(900)]}
        pl.DataFrame(rows | {"Q": [1.0 + day % 5 for day in range(900)]}).write_csv(tmp_path / f"{name}.csv")
    ours = mpirun(2, [HERE / "on_engines.py", tmp_path])
    assert ours.returncode == 0, ours.stderr
    theirs = mpirun(2, [HERE / "on_engines.py", tmp_path], env={"DEEPRC_FRAMES_ENGINE": "cylon", "PYTHONPATH": DOUBLE})
    assert theirs.returncode == 0, theirs.stderr
    for name in ("prepared", "sums", "spread", "joined"):
        assert pl.read_ipc(tmp_path / f"{name}.cylon").equals(pl.read_ipc(tmp_path / f"{name}.arrow")), name
    full, *calls = theirs.stdout.splitlines()
    assert [full] == ours.stdout.split()
    assert calls == [
        "groupby ['k0'] {'c0': ['min', 'max']}",
        "merge left ['k0', 'k1']",
        "sort_values ['c0', 'c1', 'n']",
        "groupby ['k0'] {'c0': ['sum', 'max'], 'c1': ['mean'], 'c2': ['count']}",
        "merge inner ['k0']",
        "sort_values ['c1', 'c2', 'n']",
    ]
    assert theirs.stderr.count("engine cylon: done by arrow: groupby, var\n") == 1
    assert theirs.stderr.count("engine cylon: done by arrow: join, how='full'\n") == 1


def test_the_bench_measures_cylon_where_it_is(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(HERE / "cylon_double"))
    monkeypatch.setenv("PYTHONPATH", DOUBLE)
    figures = run(3000, 1, "join", "cylon", repeats=1)
    assert figures["engine"] == "cylon" and figures["output_rows"] > 1000
    (tmp_path / "pycylon.py").write_text("raise ImportError('it cannot be loaded')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(DeepRCError, match="engine cylon: pycylon is not installed here"):
        run(3000, 1, "join", "cylon", repeats=1)


def test_an_engine_that_is_not_there_is_one_error_of_all(mpirun) -> None:
    program = "import polars as pl; from agreeing import mine; mine(pl.DataFrame({'a': [1, 2]})).sort('a')"
    environment = {"PYTHONPATH": f"{HERE.parents[1]}:{HERE}"}
    for engine, said in (("cylon", "engine cylon: pycylon is not installed here"), ("cylom", "did you mean 'cylon'?")):
        done = mpirun(2, ["-c", program], env={**environment, "DEEPRC_FRAMES_ENGINE": engine})
        assert done.returncode == 1 and said in done.stderr, done.stderr
