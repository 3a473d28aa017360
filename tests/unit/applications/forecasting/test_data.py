"""The reader: what it reads, and the exact error for everything that is wrong with a file."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from deeprc.applications.forecasting.config import DataConfig
from deeprc.applications.forecasting.data import read
from deeprc.core.errors import InputError

HEADER = "No,year,month,day,hour,pm2.5,DEWP,TEMP,PRES,cbwd,Iws,Is,Ir\n"


def rows(count: int = 4) -> list[str]:
    return [f"{i},2010,1,1,{i},{10 + i},-21,-11,1021,NW,1.79,0,0" for i in range(count)]


def write(tmp_path: Path, lines: list[str], header: str = HEADER) -> Path:
    path = tmp_path / "b.csv"
    path.write_text(header + "\n".join(lines) + "\n")
    return path


def fail(path: Path, **options) -> str:
    with pytest.raises(InputError) as error:
        read(path, DataConfig(**options))
    return str(error.value).replace(str(path), "b.csv")


def test_beijing(tmp_path):
    lines = rows()
    lines[1] = "1,2010,1,1,1,NA,-21,-11,1021,cv,1.79,0,0"
    found = read(write(tmp_path, lines), DataConfig())
    table = found.frame
    assert table["time"].dtype == pl.Datetime("us")
    assert table["time"].to_list() == [datetime(2010, 1, 1, hour) for hour in range(4)]
    assert table["y"].to_list() == [10.0, None, 12.0, 13.0]
    assert table["x:cbwd=cv"].to_list() == [0.0, 1.0, 0.0, 0.0]
    winds = [f"x:cbwd={wind}" for wind in ("NE", "NW", "SE", "cv")]
    assert found.covariates == ["x:DEWP", "x:TEMP", "x:PRES", "x:Iws", "x:Is", "x:Ir", *winds]
    assert (found.title, found.target, found.unit, found.series) == ("Beijing PM2.5", "pm2.5", "µg/m³", ["pm2.5"])


def test_another_target_takes_the_place_of_the_default_one(tmp_path):
    found = read(write(tmp_path, rows()), DataConfig(target="TEMP"))
    assert found.frame["y"].to_list() == [-11.0] * 4
    assert "x:TEMP" not in found.covariates
    assert found.unit == ""


def test_etth1(shared_data):
    found = read(shared_data / "ett" / "ETTh1.csv", DataConfig(dataset="ett"))
    assert found.frame.shape == (17_420, 10)
    assert found.frame["time"][0] == datetime(2016, 7, 1)
    assert found.frame["line"].to_list() == list(range(2, 17_422))
    assert found.frame["y"][0] == pytest.approx(30.531, abs=1e-3)
    assert found.covariates == ["x:HUFL", "x:HULL", "x:MUFL", "x:MULL", "x:LUFL", "x:LULL"]


def test_missing_column(tmp_path):
    assert fail(write(tmp_path, rows(), HEADER.replace("pm2.5", "pm25"))) == (
        "b.csv: the column 'pm2.5' is missing\n"
        "  found: No, year, month, day, hour, pm25, DEWP, TEMP, PRES, cbwd, Iws, Is, Ir\n"
        "  expected: pm2.5\n  fix: did you mean 'pm25'?"
    )


def test_unknown_target(tmp_path):
    assert fail(write(tmp_path, rows()), target="TEMPS").splitlines()[-1] == ("  fix: did you mean 'TEMP'?")


def test_date_that_cannot_be_read_is_named_with_its_line(tmp_path):
    lines = rows()
    lines[2] = lines[2].replace("2010,1,1,2", "2010,2,30,2")
    error = fail(write(tmp_path, lines))
    assert error.startswith("b.csv:4, column 'year month day hour': not a date\n  found: '2010-2-30 02:00'\n")


def test_missing_date(tmp_path):
    path = write(tmp_path, ["2016-07-01 00:00:00,1,2", ",1,2"], "date,a,OT\n")
    assert "b.csv:3, column 'date': a time is missing" in fail(path, dataset="ett")


def test_text_where_a_number_should_be(tmp_path):
    lines = rows()
    lines[0] = lines[0].replace(",10,", ",ten,")
    lines[3] = lines[3].replace(",13,", ",many,")
    assert fail(write(tmp_path, lines)) == (
        "b.csv:2, column 'pm2.5': not a number (and 1 more)\n  found: 'ten'\n"
        "  expected: a number, or NA where it is missing\n"
        "  fix: correct the value; if it means a missing value, add it to the key 'missing': ['ten']"
    )


def test_series_without_any_value(tmp_path):
    lines = [line.replace(f",{10 + i},", ",NA,") for i, line in enumerate(rows())]
    assert fail(write(tmp_path, lines)) == "b.csv, column 'pm2.5': the series has no value at all"


def test_empty_file(tmp_path):
    assert fail(write(tmp_path, [], "")) == ("b.csv: the file is empty\n  expected: a line of column names, and rows")


def test_header_without_rows(tmp_path):
    path = tmp_path / "b.csv"
    path.write_text(HEADER)
    assert fail(path) == "b.csv: the file has a header and no rows"


def test_missing_file(tmp_path):
    assert fail(tmp_path / "b.csv") == "b.csv: no such file\n  fix: check the path"


# Own data: the forms that people have.
