"""Numbers as people write them, read where their meaning is certain."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from deeprc.core.errors import InputError

if TYPE_CHECKING:
    from deeprc.applications.base.tabular.table import Table

# What always means a missing value, in lower case. Sources: the lists of pandas and of R, and the habits of loggers.
MISSING = {"", "-", "--", "—", "?", ".", "na", "n/a", "n.a.", "nan", "-nan", "<na>", "#na", "#n/a", "#n/a n/a", "nat"}
MISSING |= {"1.#qnan", "-1.#ind", "null", "none", "nil", "missing"}
LARGEST = 1e100  # beyond it, and below its inverse, squares are no numbers any more, and no measurement is
_MINUS = "[−–]"
_BLANKS = "[\u00a0\u2009\u202f]"
_DOT = r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$"
_GROUPED_COMMA = r"^[-+]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?$"
_GROUPED_DOT = r"^[-+]?[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]*)?$"
_COMMA = r"^[-+]?(?:[0-9]+,?[0-9]*|,[0-9]+)(?:[eE][-+]?[0-9]+)?$"
_EITHER = r"^[-+]?[1-9][0-9]{0,2}[.,][0-9]{3}$"  # 1,234 and 1.234: groups of thousands, or three decimals
_SPACED = r"^[-+]?[0-9]{1,3}(?:[ '’_][0-9]{3})+(?:[.,][0-9]*)?$"


def word(value: float) -> str:
    """The number as a person writes it, which means exactly this one."""
    text = f"{value:.10g}"
    return text if float(text) == value else repr(value)


def is_missing(text: pl.Series, words: Sequence[str] = ()) -> pl.Series:
    """Where stripped `text` is null or one of the words for a missing value; a number among them means that number."""
    found = text.is_null() | text.str.to_lowercase().is_in(list(MISSING | {word.strip().lower() for word in words}))
    if numbers := _numbers_in(words):
        found = found | text.cast(pl.Float64, strict=False).is_in(numbers).fill_null(False)
    return found


def _numbers_in(words: Sequence[str]) -> list[float]:
    words = [word.strip().lower().replace("−", "-") for word in words]
    return [float(word) for word in words if re.fullmatch(_DOT, word) or word in ("inf", "-inf")]


def to_numbers(table: Table, name: str, column: pl.Series) -> pl.Series:
    """See `Table.numbers`."""
    if column.dtype.is_numeric() or column.dtype == pl.Boolean or column.dtype == pl.Null:
        values = column.cast(pl.Float64)
        values = values.set(values.is_nan() | values.is_in(_numbers_in(table.options.missing)), None)
        _refuse_absurd(table, name, values, column)
        return values
    if column.dtype != pl.String:
        raise InputError("no numbers", where=table.where(name=name), found=f"type {column.dtype}")
    text = tidy(column)
    text = text.set(is_missing(text, table.options.missing), None)
    values = text.cast(pl.Float64, strict=False)
    sign = table.options.decimal or "."
    _refuse_absurd(table, name, values, column)
    if sign == "," or values.null_count() > text.null_count():
        values = _other_forms(table, name, text)
        values = values.set(values.is_in(_numbers_in(table.options.missing)), None)
        _refuse_absurd(table, name, values, column)
    elif not table.options.decimal and _maybe_groups(text):
        _refuse_unclear(table, name, text)
    return values


def tidy(column: pl.Series) -> pl.Series:
    """Without blanks and a leading apostrophe around it, and with the ASCII minus sign."""
    text = column.str.strip_chars()
    if text.str.contains(f"{_MINUS}|{_BLANKS}|^'|[\"]").any():
        text = text.str.replace_all(_BLANKS, " ").str.replace(f"^{_MINUS}", "-").str.replace(rf"[eE]{_MINUS}", "e-")
        text = text.str.strip_prefix("'").str.strip_chars(' "')
    return text


def proven_decimal(column: pl.Series) -> str | None:
    """The decimal sign that the values of a column of strings prove, where they do.

    `1,5` and `0,123` prove a comma, `1.5` a point, `1.234,5` a comma; `1,234` proves neither.
    """
    if column.dtype != pl.String:
        return None
    text = tidy(column).str.replace(r" ?%$", "")
    comma = text.str.contains(_COMMA) & text.str.contains(",") & ~text.str.contains(_EITHER)
    comma |= text.str.contains(_GROUPED_DOT) & (text.str.contains(",") | (text.str.count_matches(r"\.") > 1))
    point = text.str.contains(_DOT) & text.str.contains(r"\.") & ~text.str.contains(_EITHER)
    point |= text.str.contains(_GROUPED_COMMA) & (text.str.contains(r"\.") | (text.str.count_matches(",") > 1))
    if comma.any() == point.any():
        return None
    return "," if comma.any() else "."


def _other_forms(table: Table, name: str, text: pl.Series) -> pl.Series:
    """Decimal commas, groups of thousands, percent, true and false."""
    text = text.zip_with(~text.str.contains(_SPACED).fill_null(False), text.str.replace_all(r"[ '’_]", ""))
    lower = text.str.to_lowercase().drop_nulls()
    if lower.is_in(["true", "false"]).all():
        return (text.str.to_lowercase() == "true").cast(pl.Float64)
    if text.str.ends_with("%").all():
        text = text.str.strip_suffix("%").str.strip_chars_end()
        table.notices.append(f"the column {name!r} is in percent")
    sign = table.options.decimal or _sign(table, name, text)
    if sign == ",":
        good = text.str.contains(_COMMA) | text.str.contains(_GROUPED_DOT)
        clean = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    else:
        good = text.str.contains(_DOT) | text.str.contains(_GROUPED_COMMA)
        clean = text.str.replace_all(",", "", literal=True)
    values = clean.cast(pl.Float64, strict=False)
    refuse_first(table, name, text, ~good | (values.is_null() & text.is_not_null()), sign)
    return values


def _sign(table: Table, name: str, text: pl.Series) -> str:
    """The decimal sign of a column: proven by itself, or by every other column that proves one."""
    if own := proven_decimal(text):
        return own
    commas = text.str.contains(_EITHER) & text.str.contains(",")
    if not commas.any():
        return "."
    if len(others := set(table.decimals.values())) == 1:
        return others.pop()
    return _refuse_unclear(table, name, text)


def _maybe_groups(text: pl.Series) -> bool:
    """Whether numbers with points may be whole ones in groups: 987, 1.234, 12.345, and none that shows otherwise."""
    known = text.drop_nulls()
    dotted = known.str.contains(r"\.")
    if not dotted.any() or not known.filter(dotted).str.contains(_EITHER).all():
        return False
    whole = known.filter(~dotted)
    return (
        dotted.sum() >= 10 and len(whole) > 0.05 * len(known) and bool(whole.str.contains(r"^[-+]?[0-9]{1,3}$").all())
    )


def _refuse_unclear(table: Table, name: str, text: pl.Series) -> str:
    row = int(text.str.contains(_EITHER).fill_null(False).arg_max())
    raise InputError(
        "the decimal sign cannot be told",
        where=table.where(row, name),
        found=repr(text[row]),
        expected="a number such as 1234.5 or 1234,5",
        fix="say by the key 'decimal' what the decimal sign is: '.' or ','",
    )


def _refuse_absurd(table: Table, name: str, values: pl.Series, column: pl.Series) -> None:
    size = values.abs()
    wrong = (~values.is_finite() | (size > LARGEST)).fill_null(False)
    if 0 < (size.max() or 0) < 1 / LARGEST:  # beside others they are as good as zero
        wrong = (size > 0).fill_null(False)
    if wrong.any():
        row = int(wrong.arg_max())
        word = str(column[row]).strip()
        raise InputError(
            "not a finite number" if math.isinf(values[row]) else "no measured value is so large or so small",
            where=table.where(row, name),
            found=word + (f" ({wrong.sum()} such values in all)" if wrong.sum() > 1 else ""),
            expected="a number, or NA where it is missing",
            fix=f"correct the value; if it means a missing value, add it to the key 'missing': [{word!r}]",
        )


def refuse_first(table: Table, name: str, text: pl.Series, bad: pl.Series, sign: str = ".") -> None:
    """Raise InputError for the first field that is not a number."""
    bad = bad.fill_null(False)
    if not bad.any():
        return
    row = int(bad.arg_max())
    more = f" (and {bad.sum() - 1} more)" if bad.sum() > 1 else ""
    raise InputError(
        f"not a number{more}",
        where=table.where(row, name),
        found=repr(text[row]),
        expected="a number" + (" with a decimal comma" if sign == "," else "") + ", or NA where it is missing",
        fix="write numbers alone, without unit or currency; or name another column"
        + ", or correct the key 'decimal'" * bool(table.options.decimal)
        if bad.sum() == text.count() > 1
        else _cure(table, text, row, alone=bad.sum() == 1),
    )


def _cure(table: Table, text: pl.Series, row: int, *, alone: bool) -> str:
    if row == 0 and alone and table.lines is not None and len(text) > 1:
        return f"if line {table.line(0)} is one of units, put # before it; else correct the value"
    return f"correct the value; if it means a missing value, add it to the key 'missing': [{text[row]!r}]"
