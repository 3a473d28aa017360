from datetime import date

import pytest

from deeprc.applications.hydrology.config import DataConfig
from deeprc.applications.hydrology.datasets.fulda_leaf import FuldaLeaf
from deeprc.core.errors import ConfigError, InputError

CONFIG = DataConfig(window=5)


def test_the_fulda_layout(fulda_file):
    data = FuldaLeaf(CONFIG, [fulda_file()])
    assert data.basins == ["fulda"]
    forcing = data.forcing("fulda")
    assert forcing.columns == ["basin", "date", "prcp", "tmax", "tmin", "tmean", "line"]
    assert forcing.row(1) == ("fulda", date(2000, 1, 2), 1.0, 1.5, -1.0, 1.0, 4)
    # 21 m3/s over 2976.41 km2: 21 * 86400 / 2976.41e6 m = 0.60959 mm a day
    depth = pytest.approx(0.609593, abs=1e-6)
    assert data.discharge("fulda").row(1) == ("fulda", date(2000, 1, 2), depth, "unflagged", 4)
    about = data.describe("fulda")
    assert (about.unit, about.area, about.inputs["prcp"]) == ("mm/day", 2976.41, "mm/day")


def test_the_hymod_layout(tmp_path):
    path = tmp_path / "leaf-river.csv"
    path.write_text("Date;rainfall[mm];TURC [mm d-1];Discharge[ls-1]\n02.01.2012;0;0.3;nan\n01.01.2012;2;0.4;20.6366\n")
    data = FuldaLeaf(CONFIG, [path])
    assert data.forcing("leaf-river").rows() == [
        ("leaf-river", date(2012, 1, 1), 2.0, 0.4, 3),
        ("leaf-river", date(2012, 1, 2), 0.0, 0.3, 2),
    ]
    # 20.6366 l/s * 86400 s over 1.783e6 m2 = 1 mm
    first, second = data.discharge("leaf-river").rows()
    assert first[2:] == (pytest.approx(1.0, abs=1e-5), "unflagged", 3)
    assert second[2:] == (None, "missing", 2)


def test_without_an_area_the_unit_is_the_file_s(fulda_file):
    data = FuldaLeaf(CONFIG, [fulda_file(name="weser")])
    assert data.describe("weser").unit == "m³/s"
    assert data.discharge("weser")["obs"][1] == 21.0


def test_an_own_basin_s_area(fulda_file):
    data = FuldaLeaf(DataConfig(areas={"weser": 86.4}), [fulda_file(name="weser")])
    assert data.describe("weser").unit == "mm/day"
    assert data.discharge("weser")["obs"][1] == pytest.approx(21.0)


def test_a_negative_discharge_is_a_missing_one(fulda_file):
    def edit(lines):
        lines[2] = lines[2].rsplit(",", 1)[0] + ",-999"

    assert FuldaLeaf(CONFIG, [fulda_file(edit=edit)]).discharge("fulda").row(0)[2:] == (None, "missing", 3)


def test_a_river_without_discharge_is_refused(fulda_file):
    def edit(lines):
        lines[2:] = [line.rsplit(",", 1)[0] + "," for line in lines[2:]]

    path = fulda_file(edit=edit)
    with pytest.raises(InputError) as caught:
        FuldaLeaf(CONFIG, [path]).discharge("fulda")
    assert caught.value.problem == "all discharge values are missing"
    assert caught.value.where == f"{path}, column 'Q'"


def test_basins_can_be_chosen_and_an_unknown_one_is_refused(fulda_file):
    files = [fulda_file(name="one"), fulda_file(name="two")]
    assert FuldaLeaf(DataConfig(basins=["two"]), files).basins == ["two"]
    with pytest.raises(ConfigError) as caught:
        FuldaLeaf(DataConfig(basins=["tow"]), files)
    assert str(caught.value).splitlines()[0] == "key 'basins': unknown basin 'tow'"
    assert caught.value.fix == "did you mean 'two'?"


def test_an_area_of_an_unknown_basin_is_refused(fulda_file):
    with pytest.raises(ConfigError) as caught:
        FuldaLeaf(DataConfig(areas={"wesser": 1.0}), [fulda_file(name="weser")])
    assert str(caught.value).splitlines()[0] == "key 'areas': unknown basin 'wesser'"


def test_two_files_of_one_name_are_refused(fulda_file, tmp_path):
    path = fulda_file()
    other = tmp_path / "b" / path.name
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="two files of the basin 'fulda'"):
        FuldaLeaf(CONFIG, [path, other])
