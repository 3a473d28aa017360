from datetime import date

import pytest

from deeprc.errors import InputError
from deeprc.hydrology.text import read_table


@pytest.fixture
def write(tmp_path):
    def make(text: str):
        path = tmp_path / "t.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return make


def test_comments_and_blank_lines_keep_the_line_numbers(write):
    table = read_table(write("a,b\n#,mm\n\n1, x \n2,y\n"), separator=",")
    assert table.fields["line"].to_list() == [4, 5]
    assert table.column("A").to_list() == ["1", "2"]
    assert table.column("b").to_list() == ["x", "y"]


def test_blanks_separate_and_names_may_be_given(write):
    table = read_table(write("1\t 2  3\n4 5 6\n"), separator=None, header=None, names=("a", "b", "c"))
    assert table.numbers("c").to_list() == [3.0, 6.0]
    assert table.fields["line"].to_list() == [1, 2]


def test_missing_values_are_null(write):
    table = read_table(write("d;v\n1;nan\n2;\n3;NA\n4;0.5\n5;-1e3\n"), separator=";")
    assert table.numbers("v").to_list() == [None, None, None, 0.5, -1000.0]


def test_a_byte_order_mark_and_windows_lines_do_no_harm(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\r\n1,2\r\n")
    assert read_table(path, separator=",").numbers("a").to_list() == [1.0]


def test_dates(write):
    table = read_table(write("y,m,d\n2000,2,29\n"), separator=",")
    assert table.dates(["y", "m", "d"], "%Y %m %d", "2000 01 31").to_list() == [date(2000, 2, 29)]


@pytest.mark.parametrize(
    ("text", "act", "problem", "line", "found"),
    [
        ("a,b\n1,2\n1,x\n", lambda t: t.numbers("b"), "not a number in column 'b'", 3, "'x'"),
        ("a,b\n1,2\n1,inf\n", lambda t: t.numbers("b"), "not a number in column 'b'", 3, "'inf'"),
        (
            "a\n01.01.2000\n30.02.2000\n",
            lambda t: t.dates(["a"], "%d.%m.%Y", "x"),
            "cannot read this date",
            3,
            "'30.02.2000'",
        ),
    ],
)
def test_a_bad_value_names_its_line(write, text, act, problem, line, found):
    path = write(text)
    with pytest.raises(InputError) as caught:
        act(read_table(path, separator=","))
    error = caught.value
    assert (error.problem, error.where, error.found) == (problem, f"{path}:{line}", found)


def test_a_missing_column_comes_with_the_nearest(write):
    path = write("date,precip\n1,2\n")
    with pytest.raises(InputError) as caught:
        read_table(path, separator=",").column("Prec")
    assert str(caught.value) == (
        f"{path}: column 'Prec' is missing\n  found: date, precip\n  expected: Prec\n"
        "  fix: is 'precip' meant? Rename it to 'Prec'"
    )


def test_repeated_dates_name_their_lines(write):
    path = write("a\n01.01.2000\n02.01.2000\n#\n01.01.2000\n")
    table = read_table(path, separator=",")
    with pytest.raises(InputError) as caught:
        table.refuse_repeated(table.dates(["a"], "%d.%m.%Y", "x"))
    error = caught.value
    assert error.problem == "the date 2000-01-01 stands 2 times"
    assert error.where == f"{path}:2"
    assert error.found == "lines 2, 5; 1 dates are repeated in all"


@pytest.mark.parametrize(
    ("text", "problem"),
    [("", "the file is empty"), (" \n", "the file is empty"), ("a,b\n", "the file has no rows")],
)
def test_nothing_to_read(write, text, problem):
    path = write(text)
    with pytest.raises(InputError) as caught:
        read_table(path, separator=",")
    assert (caught.value.problem, caught.value.where) == (problem, path)


def test_a_line_with_other_fields_is_refused(write):
    path = write("a,b\n1,2\n1,2,3\n")
    with pytest.raises(InputError) as caught:
        read_table(path, separator=",")
    error = caught.value
    assert (error.problem, error.where, error.expected) == ("wrong number of fields", f"{path}:3", "2 fields: a, b")


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="cannot read this file: No such file or directory"):
        read_table(tmp_path / "none.csv", separator=",")
