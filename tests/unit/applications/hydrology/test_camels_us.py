from datetime import date

import pytest

from deeprc.applications.hydrology.config import DataConfig
from deeprc.applications.hydrology.datasets.camels_us import CamelsUS
from deeprc.core.errors import ConfigError, InputError

CONFIG = DataConfig(dataset="camels-us", window=5)
BASIN = "01022500"


def streamflow(folder):
    return next(folder.glob(f"usgs_streamflow/**/{BASIN}*"))


def edit_line(path, number, text):
    lines = path.read_text().splitlines()
    lines[number - 1] = text
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("regions", [False, True])
def test_flat_and_by_region(camels_folder, regions):
    data = CamelsUS(CONFIG, [camels_folder(regions=regions)])
    assert data.basins == [BASIN, "01547700"]
    forcing = data.forcing(BASIN)
    assert forcing.columns == ["basin", "date", "prcp", "srad", "tmax", "tmin", "vp", "line"]
    assert forcing.row(1) == (BASIN, date(2000, 1, 2), 1.0, 189.56, 1.0, -1.0, 200.0, 6)
    # 101 ft3/s over 587.675987 km2: 101 * 0.028316846592 * 86400 / 587675.987 mm a day
    assert data.discharge(BASIN).row(1) == (BASIN, date(2000, 1, 2), pytest.approx(0.42047, abs=1e-5), "approved", 2)
    assert data.describe(BASIN).area == pytest.approx(587.675987)


def test_the_published_archive_s_own_folder_is_found(camels_folder):
    root = camels_folder()
    archive = root.parent / "archive"
    archive.mkdir()
    root.rename(archive / "basin_dataset_public_v1p2")
    assert CamelsUS(CONFIG, [archive]).basins == [BASIN, "01547700"]


def test_quality_flags(camels_folder):
    folder = camels_folder()
    edit_line(streamflow(folder), 1, f"{BASIN} 2000 01 01   -999.00 M")
    edit_line(streamflow(folder), 2, f"{BASIN} 2000 01 02   101.00 A:e")
    found = CamelsUS(CONFIG, [folder]).discharge(BASIN)
    assert found["quality"][:3].to_list() == ["missing", "estimated", "approved"]
    assert found["obs"].is_null()[:3].to_list() == [True, False, False]


def test_an_unknown_quality_flag_is_refused(camels_folder):
    folder = camels_folder()
    edit_line(streamflow(folder), 3, f"{BASIN} 2000 01 03   101.00 Z")
    with pytest.raises(InputError) as caught:
        CamelsUS(CONFIG, [folder]).discharge(BASIN)
    error = caught.value
    assert (error.problem, error.where, error.found) == ("unknown quality flag", f"{streamflow(folder)}:3", "'Z'")
    assert error.expected.startswith("one of A, P, M, A:e")


@pytest.mark.parametrize(
    ("gone", "kind", "other", "folder"),
    [
        ("basin_mean_forcing/daymet", "forcing", "discharge", "basin_mean_forcing/daymet"),
        ("usgs_streamflow", "discharge", "forcing", "usgs_streamflow"),
    ],
)
def test_a_basin_with_half_its_files_is_refused(camels_folder, gone, kind, other, folder):
    root = camels_folder()
    next((root / gone).glob(f"{BASIN}*")).unlink()
    with pytest.raises(InputError) as caught:
        CamelsUS(CONFIG, [root])
    assert caught.value.problem == f"no {kind} file of the basin {BASIN}, which has {other}"
    assert caught.value.where == root / folder
    assert CamelsUS(CONFIG.model_copy(update={"basins": ["01547700"]}), [root]).basins == ["01547700"]


def test_an_unknown_forcing_product_is_refused(camels_folder):
    with pytest.raises(ConfigError) as caught:
        CamelsUS(CONFIG.model_copy(update={"forcing": "daymt"}), [camels_folder()])
    assert caught.value.problem == "unknown forcing product 'daymt'"
    assert caught.value.fix == "did you mean 'daymet'?"


def test_an_unknown_basin_is_refused(camels_folder):
    with pytest.raises(ConfigError) as caught:
        CamelsUS(CONFIG.model_copy(update={"basins": ["01022501"]}), [camels_folder()])
    assert caught.value.problem == "unknown basin '01022501'"
    assert caught.value.fix == f"did you mean '{BASIN}'?"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="this folder is missing") as caught:
        CamelsUS(CONFIG, [tmp_path])
    assert caught.value.where == tmp_path / "basin_mean_forcing"
    assert caught.value.expected == "the layout of the CAMELS-US download: basin_mean_forcing/, usgs_streamflow/"


def test_a_missing_column_is_named(camels_folder):
    folder = camels_folder()
    path = next(folder.glob(f"basin_mean_forcing/**/{BASIN}*"))
    path.write_text(path.read_text().replace("vp(Pa)", "vapour(Pa)"))
    with pytest.raises(InputError, match=r"column 'vp\(Pa\)' is missing"):
        CamelsUS(CONFIG, [folder]).forcing(BASIN)


def test_a_file_that_stands_twice_with_other_content_is_refused(camels_folder):
    folder = camels_folder()
    region = folder / "usgs_streamflow" / "02"
    region.mkdir()
    twin = region / streamflow(folder).name
    twin.write_bytes(streamflow(folder).read_bytes())
    assert CamelsUS(CONFIG, [folder]).basins == [BASIN, "01547700"]
    twin.write_text("other\n")
    with pytest.raises(InputError, match=f"two different files of the basin {BASIN}"):
        CamelsUS(CONFIG, [folder])


def test_a_forcing_file_without_an_area_is_refused(camels_folder):
    folder = camels_folder()
    path = next(folder.glob(f"basin_mean_forcing/**/{BASIN}*"))
    edit_line(path, 3, "large")
    with pytest.raises(InputError) as caught:
        CamelsUS(CONFIG, [folder]).discharge(BASIN)
    assert (caught.value.problem, caught.value.where) == ("not an area", f"{path}:3")


def test_an_area_of_0_or_in_km2_is_refused(camels_folder):
    folder = camels_folder()
    path = next(folder.glob(f"basin_mean_forcing/**/{BASIN}*"))
    for text, problem in (("0", "an area of 0 or below"), (" 587.7", "smaller than any gauged basin: km2 in place")):
        edit_line(path, 3, text)
        with pytest.raises(InputError, match=problem) as caught:
            CamelsUS(CONFIG, [folder]).discharge(BASIN)
        assert caught.value.where == f"{path}:3"


def test_the_file_of_another_gauge_is_refused(camels_folder):
    folder = camels_folder()
    streamflow(folder).write_text(streamflow(folder).read_text().replace(BASIN, "01547700"))
    with pytest.raises(InputError, match="the file of another gauge") as caught:
        CamelsUS(CONFIG, [folder]).discharge(BASIN)
    assert (caught.value.found, caught.value.expected) == ("01547700", BASIN)


def test_a_year_of_two_digits_is_refused(camels_folder):
    folder = camels_folder()
    path = next(folder.glob(f"basin_mean_forcing/**/{BASIN}*"))
    path.write_text(path.read_text().replace("\n2000 ", "\n80 "))
    with pytest.raises(InputError, match="the years have two digits") as caught:
        CamelsUS(CONFIG, [folder]).forcing(BASIN)
    assert caught.value.where == f"{path}:5, column 'Year'"
    found = CamelsUS(CONFIG.model_copy(update={"time_format": "%y %m %d"}), [folder]).forcing(BASIN)
    assert found["date"][0] == date(1980, 1, 1)


def test_what_a_mac_leaves_behind_is_no_basin(camels_folder):
    folder = camels_folder()
    for path in [*folder.rglob("*.txt")]:
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7")
    (folder / "basin_mean_forcing" / "._daymet").mkdir()
    assert CamelsUS(CONFIG, [folder]).basins == [BASIN, "01547700"]


def test_forcing_of_minus_999_is_missing(camels_folder):
    folder = camels_folder()
    path = next(folder.glob(f"basin_mean_forcing/**/{BASIN}*"))
    path.write_text(path.read_text().replace("\t189.56", "\t-999.00", 1))
    data = CamelsUS(CONFIG, [folder])
    assert data.forcing(BASIN)["srad"][0] is None
    assert data.notices[BASIN] == ["-999 in 'srad(W/m2)' is read as missing: 1 of 40 days"]


def test_real_basins(shared_data):
    data = CamelsUS(CONFIG, [shared_data / "camels_us"])
    assert data.basins == ["01022500", "01547700", "02064000", "03015500"]
    about = data.describe("01022500")
    assert about.name == "Narraguagus River at Cherryfield, Maine"
    assert len(about.attributes) == 27
    assert about.attributes["p_mean"] == pytest.approx(3.60812594113621)
    assert not {"q_mean", "runoff_ratio", "baseflow_index"} & set(about.attributes)  # made from discharge: a leak
    counts = dict(data.discharge("01022500")["quality"].value_counts().iter_rows())
    assert counts == {"approved": 871, "estimated": 225}
    nldas = CamelsUS(CONFIG.model_copy(update={"forcing": "nldas"}), [shared_data / "camels_us"])
    assert nldas.forcing("01022500").row(1)[2:] == (1.22, 186.32, -0.60, -0.60, 508.26, 6)
