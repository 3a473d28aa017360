import json

import jsonschema
import pytest
import yaml

from deeprc.applications.config import config_model, load_config, schema
from deeprc.core.errors import ConfigError
from deeprc.core.files import StorageError
from deeprc.sites import sites_folder

WORKFLOWS = sites_folder().parent / "workflows"


def test_the_default_file_is_valid():
    values = yaml.safe_load((WORKFLOWS / "config" / "default.yaml").read_text())
    assert load_config(values) == config_model()()


def test_the_schema_for_editors_is_up_to_date():
    """Mend with `python -m deeprc.applications.config > workflows/schemas/config.schema.json`."""
    kept = json.loads((WORKFLOWS / "schemas" / "config.schema.json").read_text())
    assert kept == schema()
    jsonschema.Draft202012Validator.check_schema(kept)


def test_every_key_has_a_description_of_its_own():
    """Editors show it; a key is described below its line (`use_attribute_docstrings`)."""
    models = {"": schema(), **schema()["$defs"]}
    keys = {f"{model}.{key}": about for model, one in models.items() for key, about in one["properties"].items()}
    assert [name for name, about in keys.items() if not about.get("description", "").strip()] == []
    assert len(keys) > 40


@pytest.mark.parametrize("file", sorted((WORKFLOWS / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_configuration_fits_the_schema(file):
    values = yaml.safe_load(file.read_text())
    jsonschema.validate(values, schema())
    load_config(values)


def test_one_pipeline_may_be_given_without_a_list():
    assert load_config({"pipelines": "hydrology"}).pipelines == ["hydrology"]
    with pytest.raises(ConfigError, match="'pipelines': a pipeline stands twice"):
        load_config({"pipelines": ["hydrology", "hydrology"]})


@pytest.mark.parametrize(
    ("values", "problem", "fix"),
    [
        ({"forcasting": {}}, "my.yaml: unknown key 'forcasting'", "did you mean 'forecasting'?"),
        ({"forecasting": {"horizen": 3}}, "my.yaml: unknown key 'forecasting.horizen'", "did you mean 'horizon'?"),
        ({"hydrology": {"seeds": 3}}, "my.yaml: unknown key 'hydrology.seeds'", "did you mean 'seed'?"),
    ],
)
def test_unknown_keys_name_the_nearest(values, problem, fix):
    with pytest.raises(ConfigError) as error:
        load_config(values, where="my.yaml")
    assert str(error.value).splitlines()[0] == problem
    assert error.value.fix == fix


def test_storage_of_a_new_folder_is_judged_by_its_parent(tmp_path):
    config_model()(results=str(tmp_path / "a" / "b"), min_free_mb=0).check_storage()


def test_storage_that_is_too_small(tmp_path):
    with pytest.raises(StorageError, match="too little space") as error:
        config_model()(results=str(tmp_path), min_free_mb=10**9).check_storage()
    assert error.value.expected == "1000000000 MB (key 'min_free_mb')"


def test_results_that_are_a_file(tmp_path):
    (tmp_path / "results").touch()
    with pytest.raises(StorageError, match="is a file"):
        config_model()(results=str(tmp_path / "results")).check_storage()


def test_results_have_one_name_and_are_never_the_root():
    assert {config_model()(results=name).results for name in ("//a/b", "/a//b/", "/a/./b", "///a/b")} == {"/a/b"}
    with pytest.raises(ConfigError, match="key 'results': the root of the file system: name a folder below it"):
        load_config({"results": "//"})


def test_names_with_braces_are_refused_as_such(tmp_path):
    own = tmp_path / "a{b}.csv"
    own.touch()
    config = load_config({"forecasting": {"dataset": "csv", "path": str(own)}})
    with pytest.raises(ConfigError, match=r"key 'forecasting.path': Snakemake takes what is in braces for wildcards"):
        config.check_data()
    with pytest.raises(ConfigError, match="key 'results': no braces in this folder's name"):
        load_config({"results": "a{b}"})


def test_own_data_must_be_there(tmp_path):
    (tmp_path / "a.csv").touch()
    there, gone = str(tmp_path / "a.csv"), str(tmp_path / "b.csv")
    load_config({}).check_data()
    load_config({"forecasting": {"path": there}, "hydrology": {"path": [there]}}).check_data()
    load_config({"forecasting": {"path": gone}, "pipelines": ["hydrology"]}).check_data()
    for values, key in (
        ({"forecasting": {"path": gone}}, "forecasting"),
        ({"hydrology": {"path": [there, gone]}}, "hydrology"),
    ):
        with pytest.raises(ConfigError, match=f"key '{key}.path': no such file or folder") as error:
            load_config(values).check_data()
        assert error.value.found == gone


def test_an_error_from_within_is_told_once():
    with pytest.raises(ConfigError) as error:
        load_config({"forecasting": {"models": ["NHITZ"]}})
    assert str(error.value).count("found:") == 1


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"min_free_mb": True}, "min_free_mb"),
        ({"forecasting": {"steps": True}}, "forecasting.steps"),
        ({"forecasting": {"seed": False}}, "forecasting.seed"),
        ({"forecasting": {"models": {"NHITS": {"learning_rate": True}}}}, "forecasting.models.NHITS.learning_rate"),
        ({"hydrology": {"learning_rate": True}}, "hydrology.learning_rate"),
        ({"hydrology": {"missing": [-999, True]}}, "hydrology.missing"),
        ({"hydrology": {"areas": {"a": True}}}, "hydrology.areas"),
    ],
)
def test_true_is_no_number(values, key):
    with pytest.raises(ConfigError) as told:
        load_config(values)
    assert told.value.problem == f"key '{key}': Input should be a number, and true and false are none"


def test_numbers_are_numbers_and_switches_switches():
    """`learning_rate: 1e-3` is a text for YAML 1.1, and is meant as a number."""
    made = load_config({"forecasting": {"models": {"NHITS": {"learning_rate": "1e-3"}}}, "min_free_mb": 5})
    assert (made.forecasting.models["NHITS"].learning_rate, made.min_free_mb) == (0.001, 5)


@pytest.mark.parametrize(
    ("over", "found"),
    [
        ({"forcing": ["daymet", "maurer"]}, "maurer"),
        ({"basins": [["01"], ["01", "02"]]}, 'basins ["01"]'),
        ({"window": [30, 60], "held_out": [[], ["01"]]}, None),
    ],
)
def test_trials_that_read_other_files_are_refused_before_anything_queues(tmp_path, over, found):
    """They share one record of their data: else each start makes all anew, and the table is refused in the end."""
    for folder in ("usgs_streamflow", "basin_mean_forcing/daymet", "basin_mean_forcing/maurer"):
        for basin in ("01", "02"):
            path = tmp_path / folder / f"{basin}_days.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
    hydrology = {"dataset": "camels-us", "path": str(tmp_path)}
    config = load_config({"pipelines": "hydrology", "hydrology": hydrology, "sweep": {"hydrology": {"over": over}}})
    if found is None:
        config.check_data()
        return
    with pytest.raises(ConfigError, match="a trial reads other files than 'hydrology' by itself") as error:
        config.check_data()
    assert error.value.found == found
