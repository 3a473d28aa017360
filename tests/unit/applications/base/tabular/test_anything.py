"""Whatever a file or a column holds: it is read, or refused by an error of ours that says where."""

from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprc.applications.base.tabular import Table, TableOptions, read_table
from deeprc.core.errors import InputError
from profiles import examples

TIMES = ["2020-01-01", "2020-01-02 03:00Z", "2020-01-02T03:00+01:00", "31.12.2020", "1/2/2020", "12/31/2020 1:00 PM"]
TIMES += [
    "24:00",
    "2020-01-01 24:00",
    "1577836800",
    "1577836800000",
    "43831.5",
    "2020",
    "2020Q1",
    "20200101",
    "20-01-01",
]
TIMES += [
    "2020-02-30",
    "Jan 2020",
    "2020-W01",
    "2020-10-25 02:00",
    "2020-03-29T02:30",
    "9999-12-31",
    "0001-01-01 00:00+02",
]
NUMBERS = [
    "1e5",
    "1,5",
    "1.234,5",
    "1,234",
    "1_000",
    "5 %",
    "-9999",
    "NA",
    "",
    "inf",
    "nan",
    "true",
    "−5",
    "٣",
    "1e999",
]
NUMBERS += ["0", "99999999999999999999", "1 234", "1'234", "+3", ".5", "-", "0x1", "1e-320", "9999", "1.5", "(5)", "€5"]
ODD = ['"', "'", "#", "x", "\t", " ", "\ufeff", "é", '"1,5"', "a\nb", "00", "-0", "e5", ",", "1,2,3", "1.2.3"]
FIELDS = st.one_of(st.sampled_from([*TIMES, *NUMBERS, *ODD]), st.text(max_size=5), st.floats().map(str), st.none())
COLUMNS = st.one_of(
    *(st.lists(st.sampled_from(pool), min_size=1, max_size=4) for pool in (TIMES, NUMBERS)),
    st.lists(FIELDS, min_size=1, max_size=4),
    st.sampled_from([*TIMES, *NUMBERS]).map(lambda field: [field] * 2),
)
FORMS = [None, None, None, "%d/%m/%Y", "excel", "s", "ns", "%", "%Y-%m-%dT%H:%M:%S%z", "nonsense"]
OPTIONS = {"decimal": st.sampled_from([None, ".", ","]), "missing": st.sampled_from([(), ("x", "-9999", "inf")])}
SETTINGS = settings(max_examples=examples(200))


@SETTINGS
@given(COLUMNS, st.builds(TableOptions, **OPTIONS), st.sampled_from(FORMS), st.sampled_from([None, "Europe/Berlin"]))
def test_a_column_of_anything(fields, options, form, zone):
    table = Table(Path("a.csv"), ["v"], [pl.Series(fields, dtype=pl.String)], None, options)
    for read, kind in ((table.numbers, pl.Float64), (lambda name: table.times(name, form, zone), pl.Datetime("us"))):
        try:
            values = read("v")
        except InputError as error:
            assert error.where
            continue
        assert (values.dtype, len(values)) == (kind, len(fields))
        if kind == pl.Float64:
            assert values.drop_nulls().is_finite().all()
        else:
            assert len([time.year for time in values.to_list()]) == len(fields)  # Python knows them all


@SETTINGS
@given(
    st.lists(st.lists(st.one_of(st.sampled_from([*NUMBERS, *ODD]), st.text(max_size=3)), max_size=4), max_size=6),
    st.sampled_from(",;\t| "),
    st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    st.sampled_from(["utf-8", "utf-16", "latin-1"]),
    st.sampled_from([None, None, ";", " "]),
    st.binary(max_size=8),
)
def test_a_file_of_anything(tmp_path_factory, rows, separator, end, encoding, given, more):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    text = end.join(separator.join(row) for row in rows)
    path.write_bytes(text.encode(encoding, "replace") + (more if len(more) > 6 else b""))
    try:
        table = read_table(path, TableOptions(given))
    except InputError as error:
        assert error.where
        return
    assert len(table.columns) == len(table.fields) >= 1
    assert all(len(column) == len(table) > 0 for column in table.fields)
    assert table.lines.is_sorted() and table.lines[0] >= 2
