"""Tables of one's own: what is read, what is refused and why."""

from __future__ import annotations

from datetime import date

import pytest

from deeprc.applications.hydrology.check import main as check
from deeprc.applications.hydrology.datasets import open_dataset
from deeprc.core.errors import InputError
from samples.river_tables import COLUMNS, checked, config, edited, rows, write


def test_own_names_and_iso_dates(tmp_path):
    data = open_dataset(config(), [write(tmp_path / "weser.csv", rows())])
    assert data.forcing("weser").columns == ["basin", "date", "rain", "tmean", "line"]
    assert data.forcing("weser").row(1) == ("weser", date(2001, 1, 2), 3.0, 1.5, 3)
    assert data.discharge("weser").row(1) == ("weser", date(2001, 1, 2), pytest.approx(1.1), "unflagged", 3)
    about = data.describe("weser")
    assert (about.unit, about.area, about.inputs) == ("mm/day", 86.4, {"rain": "mm", "tmean": ""})


def test_semicolons_and_decimal_commas(tmp_path):
    table = [{name: value.replace(".", ",") for name, value in row.items()} for row in rows()]
    found = checked(tmp_path, table, separator=";")
    assert found["days"] == 60 and found["notices"] == [] and sum(found["windows"].values()) == 56


def test_several_basins_in_one_table_and_their_attributes(tmp_path):
    table = [{"Pegel": gauge, **row} for row in rows() for gauge in ("eder", "weser")]
    (tmp_path / "about.csv").write_text("Pegel;name;area;forest\nweser;Weser at Minden;86,4;0,25\neder;Eder;43,2;0,5\n")
    about = {"attributes": str(tmp_path / "about.csv"), "areas": {}, "columns": {**COLUMNS, "basin": "Pegel"}}
    data = open_dataset(config(**about), [write(tmp_path / "all.csv", table)])
    assert data.basins == ["eder", "weser"]
    assert data.describe("weser").attributes == {"area": 86.4, "forest": 0.25}
    assert data.describe("weser").name == "Weser at Minden"
    assert data.discharge("eder")["obs"][0] == pytest.approx(2.0)
    assert data.forcing("eder").height == 60
    assert data.discharge("weser")["line"].to_list() == list(range(3, 122, 2))  # of the file, not of the basin


def test_every_row_of_a_table_of_several_basins_is_of_one_of_them(tmp_path):
    table = [{"Pegel": gauge, **row} for row in rows() for gauge in ("eder", "NA", "-")]
    options = config(areas={}, columns={**COLUMNS, "basin": "Pegel"})
    data = open_dataset(options, [write(tmp_path / "all.csv", table)])
    assert data.basins == ["eder", "NA", "-"]
    assert data.forcing("NA").height == 60
    with pytest.raises(InputError, match=r"all.csv:4, column 'Pegel': this row belongs to no basin"):
        open_dataset(options, [write(tmp_path / "all.csv", [*table[:2], {**table[2], "Pegel": " "}])])


def test_a_basin_that_is_named_twice_is_used_once(tmp_path):
    write(tmp_path / "weser.csv", rows())
    assert open_dataset(config(basins=["weser", "weser"]), [tmp_path]).basins == ["weser"]


def test_the_attributes_may_lie_among_the_tables(tmp_path):
    write(tmp_path / "weser.csv", rows())
    (tmp_path / "about.csv").write_text("basin,area\nweser,86.4\n")
    data = open_dataset(config(areas={}, attributes=str(tmp_path / "about.csv")), [tmp_path])
    assert data.basins == ["weser"]
    assert data.describe("weser").area == 86.4


def test_the_column_of_the_basins_among_the_attributes(tmp_path):
    """Basins that are called by numbers may meet the numbers of another column."""
    for name in "12":
        write(tmp_path / f"{name}.csv", rows())
    about = tmp_path / "about.txt"
    options = config(areas={}, attributes=str(about))

    def areas(*lines: str) -> list[float | None]:
        about.write_text("\n".join(lines) + "\n")
        data = open_dataset(options, [tmp_path])
        return [data.describe(basin).area for basin in data.basins]

    assert areas("order basin area", "1 2 20", "2 1 10") == [10, 20]
    assert areas("order Gauge_ID area", "2 2 20", "1 1 10") == [10, 20]
    assert areas("area river", "10 1", "20 2") == [10, 20]
    with pytest.raises(InputError, match="which column names the basins cannot be told") as caught:
        areas("order river area", "1 2 20", "2 1 10")
    assert (caught.value.found, caught.value.fix) == ("order, river", "call the right one 'basin'")


def test_a_code_among_the_attributes_is_no_value(tmp_path):
    (tmp_path / "about.csv").write_text("basin,area,clay\nweser,86.4,-9999\n")
    options = config(areas={}, attributes=str(tmp_path / "about.csv"))
    with pytest.raises(InputError, match=r"about.csv:2: no attribute 'clay' of the basin weser"):
        open_dataset(options, [write(tmp_path / "weser.csv", rows())]).describe("weser")


def test_a_day_that_ends_at_24_hours_is_that_day(tmp_path):
    found = checked(tmp_path, edited(Datum=lambda i, value: f"{value} 24:00"))
    assert (found["first"], found["notices"]) == (
        "2001-01-01", ["every row is of 24:00: taken as the day that ends then"],
    )  # fmt: skip


def test_a_folder_without_what_a_mac_leaves_behind(tmp_path):
    write(tmp_path / "weser.csv", rows())
    (tmp_path / "._weser.csv").write_bytes(b"\0\5\x16\7")
    assert open_dataset(config(), [tmp_path]).basins == ["weser"]


def test_codes_for_missing_values_are_said(tmp_path):
    table = edited(T=lambda i, value: "-999" if i == 7 else value, Abfluss=lambda i, value: "-9999" if i < 3 else value)
    found = checked(tmp_path, table)
    assert found["missing"] == {"rain": 0, "tmean": 1, "obs": 3}
    assert found["notices"] == [
        "-999 in 'T' is read as missing: 1 of 60 days", "-9999 in 'Abfluss' is read as missing: 3 of 60 days",
    ]  # fmt: skip


def test_the_check_prints_what_it_has_taken_for_granted(tmp_path, capsys):
    """The workflow shows the last line, and the notes."""
    table = edited(**{f: lambda i, value: "-999" if i == 7 else value for f in ("T", "Abfluss")})
    options = config().model_dump_json()
    check([write(tmp_path / "weser.csv", table)], options, tmp_path / "check.json")
    *_, first, second, last = capsys.readouterr().out.splitlines()
    assert first == "note: weser: -999 in 'T' is read as missing: 1 of 60 days"
    assert second == "note: weser: -999 in 'Abfluss' is read as missing: 1 of 60 days"
    assert last == "1 basin, 51 windows"
