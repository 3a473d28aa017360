"""What a caller or a surrounding asks for amiss is refused by name, with a cure that works."""

from __future__ import annotations

import datetime
import decimal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deeprc.core.errors import ConfigError, DeepRCError, InputError
from deeprc.frames import Communicator, Frame, concat, cylon, scan_parquet
from deeprc.frames.alone import OneRank
from deeprc.frames.engine import ENGINE
from deeprc.frames.lazy.deal import EVERYWHERE, Deal, Size
from deeprc.frames.lazy.piece import Piece
from deeprc.frames.lazy.ranks import Ranks
from deeprc.frames.lazy.step import Step
from deeprc.frames.names import known
from deeprc.frames.tensors import _arrays

ROWS = pl.DataFrame({"a": [1, 1, 2], "b": [3, 3, 3]})


def frame(comm: Communicator | None = None) -> Frame:
    return Frame.from_arrow(ROWS.to_arrow(), comm or Communicator.alone())


@pytest.mark.parametrize(
    "values",
    [
        pl.Series(["1.5", "2"]),
        pl.Series([decimal.Decimal("1.5")]),
        pl.Series([datetime.date(2024, 1, 1)]),
        pl.Series([datetime.datetime(2024, 1, 1)]),
        pl.Series([datetime.timedelta(1)]),
        pl.Series([datetime.time(1)]),
        pl.Series([True, False]),
        pl.Series([5], dtype=pl.Int128),
        pl.Series(["x"], dtype=pl.Enum(["x", "y"])),
        pl.Series([[1]]),
    ],
    ids=lambda values: str(values.dtype).split("(")[0],
)
def test_the_cure_for_a_column_of_no_numbers_makes_a_tensor(values: pl.Series):
    rows = pl.DataFrame({"x": values})
    with pytest.raises(InputError) as refused:
        _arrays(rows, ["x"], "to_torch")
    if values.dtype == pl.List:
        assert refused.value.fix == "leave it out"
    else:
        cured = eval(refused.value.fix.split(": ", 1)[1], {"pl": pl, "frame": rows})
        assert len(_arrays(cured, ["x"], "to_torch")["x"]) == len(values)


def test_a_column_that_is_not_there_is_what_was_found():
    with pytest.raises(InputError) as refused:
        known(["a", "zz"], ["a", "b"], "the frame")
    assert str(refused.value) == "the frame has no column 'zz'\n  found: 'zz'\n  expected: a, b"


def test_columns_are_renamed_by_a_function():
    assert frame().lazy().rename(str.upper).collect().to_polars().columns == ["A", "B"]


@pytest.mark.parametrize("name", ["*", "^b.*$", "^$"])
def test_a_column_whose_name_is_a_pattern_is_refused_by_plans(name: str, tmp_path: Path):
    """A plan lost it."""
    odd = frame().select("a", pl.col("b").alias(name))
    assert odd.columns == ["a", name]
    odd.to_polars().write_parquet(tmp_path / "odd.parquet")
    for ask in (
        odd.lazy,
        lambda: frame().lazy().rename({"b": name}),
        lambda: scan_parquet(tmp_path / "odd.parquet", Communicator.alone()),
    ):
        with pytest.raises(InputError, match="cannot be in a lazy frame"):
            ask()


def test_a_column_named_twice_is_one_of_a_subset():
    plan = frame().lazy().unique(subset=["b", "b"])
    assert plan._node.subset == ("b",)  # with two ranks the rows could not be dealt by it
    assert plan.collect().to_polars()["b"].to_list() == [3]


def test_a_tmpdir_that_is_none_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    with pytest.raises(InputError, match=f"TMPDIR is no folder.*\n  found: {tmp_path}/none\n"):
        frame().lazy().sort("a").collect(memory="8 MiB")


@pytest.mark.parametrize("said", ["abc", "-5", "4 GB", "1e3", "٤"])
def test_a_memory_of_the_job_that_is_no_number_is_refused(monkeypatch, said: str):
    monkeypatch.setenv("DEEPRC_MEM_MB", said)
    with pytest.raises(InputError, match=f"DEEPRC_MEM_MB: .*\n  found: {said}\n"):
        frame(Communicator(OneRank())).lazy().sort("a").collect()


@pytest.mark.parametrize(
    "ask",
    [
        lambda address: frame().lazy().sink_parquet(address),
        lambda address: Frame.read_parquet(address, Communicator.alone()),
        lambda address: scan_parquet(Path(address), Communicator.alone()),
    ],
    ids=["sink", "read", "path"],
)
@pytest.mark.parametrize("secret", ["me:se/cr@et@host/x", "host/x?sign=se/cr@et", "host/a@b/x"])
def test_an_address_that_is_refused_is_shown_without_a_secret(ask, secret: str):
    with pytest.raises(InputError) as refused:
        ask(f"https://{secret}")
    assert "cr@et" not in str(refused.value) and refused.value.found.endswith("/x")
    assert "host" in refused.value.found


class RankThatCannot(Communicator):
    """A rank whose neighbour fails where it does not."""

    def allgather(self, value: object) -> list:
        return [value, value]

    @contextmanager
    def together(self, *_: object, **__: object):
        yield {}
        raise DeepRCError("rank 1 failed")


def test_an_engine_that_one_rank_has_not_got_is_asked_for_anew_by_all(monkeypatch):
    """Else the rank that has it would not take part in the question."""
    monkeypatch.delenv(ENGINE, raising=False)
    comm = RankThatCannot(OneRank())
    for _ in range(2):
        with pytest.raises(DeepRCError, match="rank 1 failed"):
            cylon.chosen(comm)
    assert comm not in cylon._ENVIRONMENTS and cylon.chosen(Communicator.alone()) is None


def test_an_engine_is_refused_where_it_is_no_engine_or_not_there(monkeypatch):
    """It was accepted, and plans went on without it."""
    monkeypatch.setenv(ENGINE, "cylom")
    with pytest.raises(ConfigError, match=f"(?s){ENGINE}: unknown engine 'cylom'.*did you mean 'cylon'"):
        Communicator(OneRank())
    monkeypatch.setenv(ENGINE, "cylon")
    rows = frame(Communicator(OneRank())).lazy()
    for plan in (rows.group_by("a").agg(pl.len()), rows.join(rows, on="a"), rows.sort("a")):
        with pytest.raises(ConfigError, match="pycylon is not installed here"):
            plan.collect()
    assert rows.filter(pl.col("a") > 1).collect().rows() == 1


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda plan: plan.group_by("a").quantile(0.5), "quantile is not among what runs over ranks"),
        (lambda plan: plan.group_by("a").having(pl.len() > 1), "having is not among what runs over ranks"),
        (lambda plan: plan.upsample("a", every="1i"), "upsample is not among what runs over ranks"),
        (lambda plan: concat([plan, plan.cast(pl.String)]), r"same schema, got .*Int64.* and .*String.*\(\) }$"),
        (lambda plan: scan_parquet("rows", object()), "given as a Communicator\n  found: object"),
    ],
    ids=["quantile", "having", "upsample", "concat", "comm"],
)
def test_what_a_plan_has_not_got_is_told(ask, said: str):
    """These were bare attribute errors, or cut in the middle."""
    with pytest.raises(InputError, match=said):
        ask(frame().lazy())


@pytest.mark.parametrize("ask", [bool, lambda plan: plan == plan, lambda plan: plan != plan, lambda plan: plan < plan])
def test_a_plan_has_no_truth_value(ask):
    """It was true, without a word."""
    plan = frame().lazy()
    with pytest.raises(TypeError, match="no truth value"):
        ask(plan)
    assert {plan: 1}[plan] == 1


def test_copies_have_the_size_of_that_of_the_first_rank():
    """Else ranks might choose differently where to join."""
    comm, rows = Communicator(OneRank()), ROWS.lazy()
    comm.rank = 1
    piece = Piece(rows, Deal(EVERYWHERE), Size(3, 16), Step("SCAN"))
    counts = np.array([[3, 48, 0, 0, 0], [3, 64, 0, 0, 0]])
    assert Ranks(comm)._counted(piece, ROWS, counts, None).size.bytes == 48
