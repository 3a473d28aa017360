"""What an expression needs: the allow list is tried out, what is not on it needs all rows."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deeprc.frames.lazy.reading import expand, needs
from deeprc.frames.lazy.rowwise import ROWWISE, function_name
from deeprc.frames.lazy.trees import parts, tree_of

i, f, s, d, t, b, x, r, span = (pl.col(name) for name in ("i", "f", "s", "d", "t", "b", "x", "r", "span"))
TABLE = pl.DataFrame(
    {
        "i": [3, None, -7, 40, 3],
        "f": [0.25, float("nan"), None, -1.5, 9.0],
        "s": [" ab", "b-1", None, "", "Ü 12"],
        "d": [dt.date(2024, 2, 29), None, dt.date(1969, 12, 31), dt.date(2000, 1, 1), dt.date(2030, 6, 5)],
        "t": [dt.datetime(2024, 2, 29, 13, 5, 7), None, dt.datetime(1969, 12, 31, 23), *[dt.datetime(2000, 1, 1)] * 2],
        "b": [True, None, False, True, None],
        "x": [[1, 2], [], None, [5], [None, 3]],
        "r": [{"a": 1}, {"a": None}, None, {"a": 4}, {"a": 5}],
        "span": [dt.timedelta(days=2, seconds=5), None, dt.timedelta(seconds=-1), *[dt.timedelta(hours=30)] * 2],
    }
)
EXAMPLES: dict[str, pl.Expr] = {
    "Abs": i.abs(),
    "Negate": -i,
    "Floor": f.floor(),
    "Ceil": f.ceil(),
    "Sign": f.sign(),
    "Round": f.round(1),
    "RoundSF": f.round_sig_figs(1),
    "Clip": i.clip(0, 10),
    "FillNull": i.fill_null(0),
    "Coalesce": pl.coalesce(f, i),
    "AsStruct": pl.struct("i", "s"),
    "Log": i.abs().log(),
    "Log1p": i.abs().log1p(),
    "Exp": f.exp(),
    "Replace": i.replace({3: 4}),
    "ReplaceStrict": i.replace_strict({3: "three"}, default="other"),
    "SumHorizontal": pl.sum_horizontal("i", "f"),
    "MeanHorizontal": pl.mean_horizontal("i", "f"),
    "MinHorizontal": pl.min_horizontal("i", "f"),
    "MaxHorizontal": pl.max_horizontal("i", "f"),
    "Pow.Generic": f**2,
    "Pow.Sqrt": i.sqrt(),
    "Pow.Cbrt": i.cbrt(),
    "Trigonometry.Sin": f.sin(),
    "Trigonometry.Cos": f.cos(),
    "Trigonometry.Tan": f.tan(),
    "Trigonometry.ArcSin": f.arcsin(),
    "Trigonometry.ArcCos": f.arccos(),
    "Trigonometry.ArcTan": f.arctan(),
    "Boolean.Not": ~b,
    "Boolean.IsNull": i.is_null(),
    "Boolean.IsNotNull": i.is_not_null(),
    "Boolean.IsNan": f.is_nan(),
    "Boolean.IsNotNan": f.is_not_nan(),
    "Boolean.IsFinite": f.is_finite(),
    "Boolean.IsInfinite": f.is_infinite(),
    "Boolean.IsBetween": i.is_between(0, 3),
    "Boolean.IsIn": i.is_in([3, 40]),
    "Boolean.AllHorizontal": pl.all_horizontal(b, i > 0),
    "Boolean.AnyHorizontal": pl.any_horizontal(b, i > 0),
    "StringExpr.Contains": s.str.contains("b.*1"),
    "StringExpr.StartsWith": s.str.starts_with("b"),
    "StringExpr.EndsWith": s.str.ends_with("1"),
    "StringExpr.LenBytes": s.str.len_bytes(),
    "StringExpr.LenChars": s.str.len_chars(),
    "StringExpr.Lowercase": s.str.to_lowercase(),
    "StringExpr.Uppercase": s.str.to_uppercase(),
    "StringExpr.Slice": s.str.slice(1, 1),
    "StringExpr.Head": s.str.head(2),
    "StringExpr.Tail": s.str.tail(2),
    "StringExpr.Extract": s.str.extract(r"(\d+)"),
    "StringExpr.Replace": s.str.replace("b", "c"),
    "StringExpr.StripChars": s.str.strip_chars(),
    "StringExpr.StripCharsStart": s.str.strip_chars_start(),
    "StringExpr.StripCharsEnd": s.str.strip_chars_end("1"),
    "StringExpr.StripPrefix": s.str.strip_prefix("b"),
    "StringExpr.StripSuffix": s.str.strip_suffix("1"),
    "StringExpr.Split": s.str.split(" "),
    "StringExpr.ZFill": s.str.zfill(5),
    "StringExpr.ConcatHorizontal": pl.concat_str(["s", "i"], separator="/"),
    "StringExpr.Strptime": s.str.to_date("%Y", strict=False),
    "StringExpr.ToInteger": s.str.to_integer(strict=False),
    "StringExpr.PadStart": s.str.pad_start(5),
    "StringExpr.PadEnd": s.str.pad_end(5),
    "StringExpr.CountMatches": s.str.count_matches(r"\d"),
    "TemporalExpr.Year": d.dt.year(),
    "TemporalExpr.IsoYear": d.dt.iso_year(),
    "TemporalExpr.Quarter": d.dt.quarter(),
    "TemporalExpr.Month": d.dt.month(),
    "TemporalExpr.Week": d.dt.week(),
    "TemporalExpr.WeekDay": d.dt.weekday(),
    "TemporalExpr.Day": d.dt.day(),
    "TemporalExpr.OrdinalDay": d.dt.ordinal_day(),
    "TemporalExpr.Hour": t.dt.hour(),
    "TemporalExpr.Minute": t.dt.minute(),
    "TemporalExpr.Second": t.dt.second(),
    "TemporalExpr.Date": t.dt.date(),
    "TemporalExpr.Time": t.dt.time(),
    "TemporalExpr.Truncate": t.dt.truncate("1mo"),
    "TemporalExpr.OffsetBy": t.dt.offset_by("1mo"),
    "TemporalExpr.MonthStart": t.dt.month_start(),
    "TemporalExpr.MonthEnd": t.dt.month_end(),
    "TemporalExpr.TimeStamp": t.dt.timestamp("ms"),
    "TemporalExpr.TotalDays": span.dt.total_days(),
    "TemporalExpr.TotalHours": span.dt.total_hours(),
    "TemporalExpr.TotalMinutes": span.dt.total_minutes(),
    "TemporalExpr.TotalSeconds": span.dt.total_seconds(),
    "TemporalExpr.ToString": t.dt.to_string("%d.%m.%Y"),
    "ListExpr.Length": x.list.len(),
    "ListExpr.Sum": x.list.sum(),
    "ListExpr.Mean": x.list.mean(),
    "ListExpr.Min": x.list.min(),
    "ListExpr.Max": x.list.max(),
    "ListExpr.Get": x.list.get(0, null_on_oob=True),
    "ListExpr.Contains": x.list.contains(5),
    "StructExpr.FieldByName": r.struct.field("a"),
}


def test_every_allowed_function_has_an_example() -> None:
    assert set(EXAMPLES) == ROWWISE


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_allowed_function_is_computed_row_by_row(name: str) -> None:
    expression = EXAMPLES[name].alias("made")
    tree = tree_of(expression)
    functions = [node["Function"]["function"] for node in parts(tree) if isinstance(node, dict) and "Function" in node]
    assert name in [function_name(function) for function in functions]
    assert needs(tree).rowwise
    pieces = [TABLE[:0], TABLE[:1], TABLE[1:4], TABLE[4:]]
    assert_frame_equal(pl.concat(piece.select(expression) for piece in pieces), TABLE.select(expression))


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        (i.cum_sum(), "cumsum"),
        (i.shift(1), "shift"),
        (i.rank(), "rank"),
        (i.sort(), "sort"),
        (i.reverse(), "reverse"),
        (s.cast(pl.Categorical).to_physical(), "tophysical"),  # the codes of a rank are another one's for other text
        (s.cast(pl.Categorical).to_physical().over("i"), "over"),
        (i.unique(), "unique"),
        (i.filter(b), "filter"),
        (i.mode(), "mode"),
        (i.quantile(f.max()), "quantile"),
        (i.item(), "item"),
        (i.sum().cum_sum(), "cumsum"),
        (i.sort_by("f").sum(), "sum"),
        (i.filter(i > i.mean()).sum(), "sum"),
        (i.forward_fill(), "fillnullwithstrategy"),
        (s.str.to_date(), "string.strptime"),
        (pl.int_range(pl.len()), "range"),
        (pl.lit(1).sum(), "sum"),
        (i + pl.Series([1, 2, 3, 4, 5]), "a Series among the expressions"),
        (i.sum().over("b", mapping_strategy="explode"), "over"),
        (i.sum().over(pl.lit(1)), "over"),
        (i.replace(old=i.max(), new=0), "replace"),
        (i.is_in(f), "boolean.isin"),  # in any row of the other column
        (pl.lit(3).is_in(i), "boolean.isin"),
        (i.is_in(x), "boolean.isin"),
    ],
    ids=str,
)
def test_what_needs_all_rows_is_told(expression: pl.Expr, why: str) -> None:
    assert needs(tree_of(expression)).whole == why


def test_aggregates_and_windows_are_found_in_an_expression() -> None:
    mixed = needs(tree_of((i - i.mean()) / pl.len() + f.max().over("b", "s")))
    assert mixed.rows and mixed.whole is None
    assert len(mixed.aggregates) == 2
    assert list(mixed.windows.values()) == [[{"Column": "b"}, {"Column": "s"}]]
    alone = needs(tree_of(i.sum() / pl.len() * 2))
    assert not alone.rows and len(alone.aggregates) == 2


@pytest.mark.parametrize("expression", [pl.lit(float("nan")), i.map_elements(abs, return_dtype=pl.Int64)])
def test_what_cannot_be_read_is_left_whole(expression: pl.Expr) -> None:
    assert tree_of(expression) is None
    (column,) = expand(expression.alias("made"), TABLE.schema)
    assert column.needs.whole == "a function that cannot be looked into"


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        (pl.all().exclude("i", "f", "d", "t"), ["s", "b", "x", "r", "span"]),
        (pl.col("i", "f") * 2, ["i", "f"]),
        (pl.col("^[if]$").sum().name.suffix("_sum"), ["i_sum", "f_sum"]),
        (pl.sum_horizontal(pl.col("i", "f")).alias("all"), ["all"]),
        (pl.struct(pl.all()), ["i"]),
    ],
    ids=str,
)
def test_selections_are_taken_apart(expression: pl.Expr, names: list[str]) -> None:
    columns = expand(expression, TABLE.schema)
    assert [column.name for column in columns] == names
    assert_frame_equal(TABLE.select(column.expression for column in columns), TABLE.select(expression))


def test_two_selections_in_one_expression_are_not_guessed_at() -> None:
    assert expand(pl.col("i", "f") + pl.col("d", "t"), TABLE.schema) is None
