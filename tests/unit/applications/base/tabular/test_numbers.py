"""Numbers in every form that is certain, and the exact refusal of those that are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.applications.base.tabular import Table, TableOptions


def values(table: Table) -> list[float | None]:
    return table.numbers("v").to_list()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["1", "+3", "-2.50", "1e5", "1E-3", ".5", "5.", " 7 "], [1, 3, -2.5, 1e5, 1e-3, 0.5, 5, 7]),
        (["−5", "–6", "1e−3"], [-5, -6, 1e-3]),
        (["1,5", "2", "-0,25", "1e5"], [1.5, 2, -0.25, 1e5]),
        (["1.234,5", "1.234.567,25", "1.234"], [1234.5, 1234567.25, 1234]),
        (["1,234.5", "1,234", "987"], [1234.5, 1234, 987]),
        (["1,234,567", "1,234"], [1234567, 1234]),
        (["0,123", "1,234"], [0.123, 1.234]),  # no group begins with a zero
        (["1 234,5", "12 345", "1\u202f234"], [1234.5, 12345, 1234]),
        (["1'234.5", "1_000"], [1234.5, 1000]),
        (["5 %", "7,5%"], [5, 7.5]),
        (["true", "False", "NA"], [1, 0, None]),
        (["'5", "6"], [5, 6]),
        (["12345678901234567890"], [12345678901234567890.0]),
        (["NA", "N/A", "#N/A", "NaN", "null", "NULL", "None", "-", "?", "", "1"], [*[None] * 10, 1]),
    ],
)
def test_forms(table, fields, expected):
    assert values(table("k;v\n" + "".join(f"a;{field}\n" for field in fields))) == expected


def test_quotes_around_numbers(table):
    assert values(table('"k","v"\n"a","1,234.5"\n"b","2,000.0"\n')) == [1234.5, 2000]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            ["5", "1,234", "2,345"],
            "a.csv:3, column 'v': the decimal sign cannot be told\n  found: '1,234'\n"
            "  expected: a number such as 1234.5 or 1234,5\n"
            "  fix: say by the key 'decimal' what the decimal sign is: '.' or ','",
        ),
        (
            ["5", "ten", "6", "many"],
            "a.csv:3, column 'v': not a number (and 1 more)\n  found: 'ten'\n"
            "  expected: a number, or NA where it is missing\n"
            "  fix: correct the value; if it means a missing value, add it to the key 'missing': ['ten']",
        ),
        (
            ["[m3/s]", "5", "6"],
            "a.csv:2, column 'v': not a number\n  found: '[m3/s]'\n"
            "  expected: a number, or NA where it is missing\n"
            "  fix: if line 2 is one of units, put # before it; else correct the value",
        ),
        (
            ["$5", "", "$6"],
            "a.csv:2, column 'v': not a number (and 1 more)\n  found: '$5'\n"
            "  expected: a number, or NA where it is missing\n"
            "  fix: write numbers alone, without unit or currency; or name another column",
        ),
        (
            ["1", "inf"],
            "a.csv:3, column 'v': not a finite number\n  found: inf\n"
            "  expected: a number, or NA where it is missing\n"
            "  fix: correct the value; if it means a missing value, add it to the key 'missing': ['inf']",
        ),
        (
            ["1", "1e300"],
            "a.csv:3, column 'v': no measured value is so large or so small\n  found: 1e300\n"
            "  expected: a number, or NA where it is missing\n"
            "  fix: correct the value; if it means a missing value, add it to the key 'missing': ['1e300']",
        ),
        (
            ["0", "-1e-300"],
            "a.csv:3, column 'v': no measured value is so large or so small\n  found: -1e-300\n"
            "  expected: a number, or NA where it is missing\n"
            "  fix: correct the value; if it means a missing value, add it to the key 'missing': ['-1e-300']",
        ),
        (
            ["1,5", "2.5"],
            "a.csv:2, column 'v': not a number\n  found: '1,5'\n  expected: a number, or NA where it is missing\n"
            "  fix: if line 2 is one of units, put # before it; else correct the value",
        ),
        (
            ["1 %", "2"],
            "a.csv:2, column 'v': not a number\n  found: '1 %'\n  expected: a number, or NA where it is missing\n"
            "  fix: if line 2 is one of units, put # before it; else correct the value",
        ),
    ],
)
def test_refusals(refusal, fields, message):
    assert refusal("k;v\n" + "".join(f"a;{field}\n" for field in fields), values) == message


def test_a_decimal_sign_that_no_value_has(refusal):
    error = refusal("k;v\na;1.5\nb;2.5\n", values, decimal=",")
    assert error.splitlines()[-1].endswith("or name another column, or correct the key 'decimal'")


def test_digits_of_other_scripts_are_no_missing_values(refusal):
    for field in ("٣", "３", "1,٣"):
        assert refusal(f"k;v\na;1\na;{field}\n", values).startswith("a.csv:3, column 'v': not a number")


def test_whole_numbers_in_groups_by_points_are_not_taken_for_decimals(table, refusal):
    text = "k;v\n" + "".join(f"a;{field}\n" for field in ["987", *["1.234", "12.345"] * 5])
    assert refusal(text, values).startswith("a.csv:3, column 'v': the decimal sign cannot be told")
    assert values(table(text, decimal=","))[:2] == [987, 1234]
    assert values(table(text, decimal="."))[:2] == [987, 1.234]


def test_another_column_proves_the_decimal_sign(table):
    assert values(table("k;v;w\na;1,234;2,5\n")) == [1.234]
    assert values(table("k;v;w\na;1,234;2.5\n")) == [1234]


def test_a_cure_that_an_error_names_works(table):
    """Every refused word can be called missing."""
    for word in ("ten", "inf", "1e300", "#DIV/0!"):
        assert values(table(f"k;v\na;1\na;{word}\n", missing=[word])) == [1, None]


def test_missing_numbers_are_missing_however_they_are_written(table):
    assert values(table("k;v\na;-9999\na;-9999.0\na;-9999,00\na;1,5\n", missing=["-9999"])) == [*[None] * 3, 1.5]


@given(st.lists(st.floats(-1e90, 1e90).filter(lambda x: not 0 < abs(x) < 1e-90), min_size=1), st.sampled_from(".,"))
def test_any_float_is_read_as_it_was_written(numbers, sign):
    from pathlib import Path

    import polars as pl

    from deeprc.applications.base.tabular.numbers import to_numbers

    column = pl.Series([repr(number).replace(".", sign) for number in numbers])
    table = Table(Path("a.csv"), ["v"], [column], None, TableOptions(decimal=sign))
    assert to_numbers(table, "v", column).to_list() == numbers
