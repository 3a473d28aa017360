"""Published data sets by their layouts: small folders of our own making, with the columns that they have."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from deeprc.applications.hydrology.check import check_basin
from deeprc.applications.hydrology.config import DataConfig, HydrologyConfig
from deeprc.applications.hydrology.datasets import DATASETS, camels_de, camels_gb, caravan, open_dataset
from deeprc.applications.hydrology.datasets.template import Template
from deeprc.applications.hydrology.sources import sources
from deeprc.core.errors import ConfigError, InputError

DAYS = 60
GB = (
    "date,precipitation,pet,temperature,discharge_spec,discharge_vol,peti,humidity,shortwave_rad,longwave_rad,windspeed"
)
DE = (
    "date,discharge_vol_obs,discharge_spec_obs,water_level,precipitation_mean,precipitation_min,precipitation_median,"
    "precipitation_max,precipitation_stdev,humidity_mean,radiation_global_mean,temperature_mean,temperature_min,"
    "temperature_max"
)
CARAVAN = (
    "date,snow_depth_water_equivalent_mean,surface_net_solar_radiation_mean,surface_net_thermal_radiation_mean,"
    "temperature_2m_mean,temperature_2m_min,temperature_2m_max,total_precipitation_sum,"
    "potential_evaporation_sum_ERA5_LAND,streamflow"
)


def series(header: str, gap: str) -> str:
    """60 days; each column counts up from its place in the header, discharge is half the rain."""
    names = header.split(",")
    lines = [header]
    for i in range(DAYS):
        fields = [str(date(2001, 1, 1) + timedelta(i))]
        for place, name in enumerate(names[1:], 1):
            flow = "streamflow" in name or "discharge" in name
            fields.append(gap if flow and i == 3 else f"{2 + i % 4 / 2}" if flow else f"{place + i % 5}.5")
        lines.append(",".join(fields))
    return "\n".join(lines) + "\n"


def attributes(path: Path, columns, basins, **more: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ["gauge_id", *more, *columns]
    lines = [",".join(names)]
    for number, basin in enumerate(basins, 1):
        lines.append(",".join([basin, *more.values(), *(str(number + place) for place in range(len(columns)))]))
    path.write_text("\n".join(lines) + "\n")


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7")  # as a Mac's copy has


@pytest.fixture
def folder(tmp_path: Path):
    """A function that makes a data set of two basins."""

    def make(word: str) -> Path:
        if word == "camels-gb":
            for gauge in ("10002", "27009"):
                put(
                    tmp_path / f"timeseries/CAMELS_GB_hydromet_timeseries_{gauge}_19701001-20150930.csv",
                    series(GB, "NaN"),
                )
            for kind, columns in camels_gb.ATTRIBUTES.items():
                more = {"gauge_name": "Ugie at Inverugie"} if kind == "topographic" else {}
                attributes(tmp_path / f"CAMELS_GB_{kind}_attributes.csv", columns, ("10002", "27009"), **more)
        if word == "camels-de":
            for gauge in ("DE110000", "DE110010"):
                put(tmp_path / f"timeseries/CAMELS_DE_hydromet_timeseries_{gauge}.csv", series(DE, ""))
            for kind, columns in camels_de.ATTRIBUTES.items():
                attributes(tmp_path / f"CAMELS_DE_{kind}_attributes.csv", columns, ("DE110000", "DE110010"))
        if word == "caravan":
            for subset, gauge in (("camelsgb", "12001"), ("lamah", "200048")):
                put(tmp_path / f"timeseries/csv/{subset}/{subset}_{gauge}.csv", series(CARAVAN, ""))
                put(tmp_path / f"timeseries/netcdf/{subset}/{subset}_{gauge}.nc", "")
                here, basins = tmp_path / "attributes" / subset, (f"{subset}_{gauge}",)
                climate = ("p_mean", "pet_mean_ERA5_LAND", "aridity_ERA5_LAND", "frac_snow")
                attributes(here / f"attributes_caravan_{subset}.csv", climate, basins)
                attributes(here / f"attributes_hydroatlas_{subset}.csv", ("xyz", *caravan.HYDROATLAS), basins)
                attributes(here / f"attributes_other_{subset}.csv", ("area",), basins, gauge_name="Ort", country="AT")
        return tmp_path

    return make


FOUND = {
    "camels-gb": (["10002", "27009"], ["precipitation", "pet", "temperature"], 25, "Ugie at Inverugie"),
    "camels-de": (["DE110000", "DE110010"], list(camels_de.CamelsDE.inputs), 17, "DE110000"),
    "caravan": (["camelsgb_12001", "lamah_200048"], list(caravan.Caravan.inputs), 15, "Ort"),
}


@pytest.mark.parametrize("word", FOUND)
def test_the_published_layout(folder, word):
    basins, inputs, attributes, name = FOUND[word]
    options = DataConfig(dataset=word, window=5)
    data = open_dataset(options, [folder(word)])
    assert data.basins == basins
    for basin in basins:
        about = data.describe(basin)
        assert (about.unit, list(about.inputs), len(about.attributes)) == ("mm/day", inputs, attributes)
        assert data.forcing(basin).columns == ["basin", "date", *inputs, "line"]
        assert data.discharge(basin).row(3) == (basin, date(2001, 1, 4), None, "missing", 5)
        assert data.discharge(basin).row(5)[2:] == (2.5, "unflagged", 7)
        assert check_basin(data, basin, options)["windows"] == {"train": 26, "val": 15, "test": 15}
    assert data.describe(basins[0]).name == name
    assert data.describe(basins[0]).attributes.keys() == data.describe(basins[1]).attributes.keys()


@pytest.mark.parametrize("word", FOUND)
def test_what_a_product_is_made_from_is_only_what_is_read(folder, word):
    """Of the basins that are used; so another basin's new data make nothing anew, and nothing large is read in vain."""
    root, basins = folder(word), FOUND[word][0]
    names = sources(DataConfig(dataset=word, basins=basins[:1]), [root])
    assert any(basins[0] in name for name in names) and not any(basins[1] in name for name in names)
    assert sum("attributes" in Path(name).name for name in names) >= 3
    assert not any(name.endswith(".nc") for name in names)


@pytest.mark.parametrize(
    ("word", "gone", "problem"),
    [
        ("camels-gb", "timeseries", "this folder is missing"),
        ("caravan", "timeseries/csv", "this folder is missing"),
        ("camels-de", "CAMELS_DE_soil_attributes.csv", "no such file"),
    ],
)
def test_what_is_not_there_is_named(folder, word, gone, problem):
    root = folder(word)
    (root / gone).rename(root / "elsewhere")
    with pytest.raises(InputError) as caught:
        data = open_dataset(DataConfig(dataset=word), [root])
        data.describe(data.basins[0])
    assert (caught.value.problem, caught.value.where) == (problem, root / gone)


def test_a_missing_attribute_names_basin_and_line(folder):
    path = folder("camels-gb") / "CAMELS_GB_soil_attributes.csv"
    path.write_text(path.read_text().replace("10002,1,", "10002,NaN,"))
    with pytest.raises(InputError, match="no attribute 'sand_perc' of the basin 10002") as caught:
        open_dataset(DataConfig(dataset="camels-gb"), [path.parent]).describe("10002")
    assert caught.value.where == f"{path}:2"
    data = open_dataset(DataConfig(dataset="camels-gb", basins=["27009"]), [path.parent])
    assert data.describe("27009").area == 2


def test_attributes_are_the_same_for_all_basins_whatever_their_files_have(folder):
    path = folder("caravan")
    other = path / "attributes" / "lamah" / "attributes_caravan_lamah.csv"
    attributes(other, ("frac_snow", "p_mean", "aridity_FAO_PM"), ("lamah_200048",))
    data = open_dataset(DataConfig(dataset="caravan", window=5), [path])
    first, second = (data.describe(basin).attributes for basin in data.basins)
    assert list(first) == list(second) == ["p_mean", "frac_snow", *caravan.HYDROATLAS, "area"]
    assert (first["frac_snow"], second["frac_snow"], second["p_mean"]) == (4, 1, 2)
    found = check_basin(data, "camelsgb_12001", DataConfig(dataset="caravan", window=5))
    assert found["notices"] == [
        "attributes that not all basins have are left out: pet_mean_ERA5_LAND, aridity_ERA5_LAND, aridity_FAO_PM"
    ]


def test_the_template_reads(tmp_path):
    put(tmp_path / "timeseries/gauge_7.csv", series("date,precipitation,temperature,discharge", "NA"))
    attributes(tmp_path / "attributes.csv", ("area", "elev_mean"), ("7",))
    data = Template(DataConfig(window=5), [tmp_path])
    assert check_basin(data, "7", DataConfig(window=5))["days"] == DAYS


@pytest.mark.parametrize("word", [word for word in DATASETS if word != "fulda-leaf"])
def test_every_data_set_but_the_demo_needs_a_path(word):
    own = {"columns": {"discharge": "Q", "rain": "P"}, "discharge_unit": "mm/day"} if word == "csv" else {}
    with pytest.raises((ConfigError, ValueError), match=f"dataset {word} needs the key path: "):
        HydrologyConfig(dataset=word, **own)
    assert HydrologyConfig(dataset=word, path="data", **own).paths == ["data"]


PLACES = {"camels-gb": "topographic", "camels-de": "topographic", "caravan": "other"}


@pytest.mark.parametrize("word", PLACES)
def test_where_the_gauges_lie_is_read_and_is_no_attribute(folder, word):
    root = folder(word)
    data = open_dataset(DataConfig(dataset=word, window=5), [root])
    before = [data.describe(basin) for basin in data.basins]
    assert [basin.place for basin in before] == [None, None]
    for path in root.rglob(f"*{PLACES[word]}*.csv"):
        head, *rows = path.read_text().splitlines()
        lines = [f"{head},gauge_lat,gauge_lon", *(f"{row},5{number}.25,-3.5" for number, row in enumerate(rows))]
        path.write_text("\n".join(lines) + "\n")
    data = open_dataset(DataConfig(dataset=word, window=5), [root])
    first, second = (50.25, -3.5), (50.25 if word == "caravan" else 51.25, -3.5)  # Caravan: a file for each subset
    assert [data.describe(basin).place for basin in data.basins] == [first, second]
    assert data.describe(data.basins[0]).attributes == before[0].attributes
