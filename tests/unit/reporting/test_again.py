"""A crate that is to run again: what it needs is looked at first, and only its very metrics count as equal."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deeprc.core.errors import ConfigError, InputError
from deeprc.reporting.crate import kept
from deeprc.reporting.crate.again import Rerun

DATA, METRICS = b"a,b\n1,2\n", b'{"forecasting": {"mae": 1.0}}\n'
CONFIG = {"results": "/scratch/elsewhere", "forecasting": {"path": "/scratch/loads.csv"}}


def crate(
    path: Path, *, altered: bool = False, versions: dict | None = None, config: dict | None = None,
    unsummed: tuple[str, ...] = (), metadata: object = None, more: dict[str, bytes] | None = None, graph: tuple = (),
) -> Path:  # fmt: skip
    """A small crate, whose input is only named.

    `config` is the workflow's, where it is not ours; the metadata tell no sum of the files that are `unsummed`, and
    have the entities of `graph`, too, unless they are `metadata`. `more` are other files.
    """
    about = {
        "run": "1", "versions": versions or {}, "config": CONFIG, "site": None,
        "data": [{"pipeline": "forecasting", "file": "/scratch/loads.csv", "sha256": hashlib.sha256(DATA).hexdigest()}],
    }  # fmt: skip
    files = {"workflow/Snakefile": b"rule all: pass\n", "workflow/config.json": json.dumps(config or CONFIG).encode(),
             "metrics.json": METRICS, "run.json": json.dumps(about).encode()}  # fmt: skip
    files |= more or {}
    sums = {name: {"sha256": hashlib.sha256(text).hexdigest()} for name, text in files.items() if name not in unsummed}
    told = [{"@id": "./", "mainEntity": {"@id": "workflow/Snakefile"}}, *graph]
    told += [{"@id": name, "name": name, **sums.get(name, {})} for name in files]
    metadata = {"@graph": told} if metadata is None else metadata
    if altered:
        files["workflow/Snakefile"] += b"# more\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, "ro-crate-metadata.json": json.dumps(metadata).encode()}.items():
            archive.writestr(name, text)
    return path


def test_inputs_are_taken_by_what_is_in_them(tmp_path):
    (tmp_path / "loads.csv").write_bytes(DATA + b"3,4\n")
    again = Rerun(crate(tmp_path / "c.zip"), tmp_path / "one", (tmp_path,))
    assert [each.name for each in again.unpack()] == ["/scratch/loads.csv"]
    assert not (tmp_path / "one").exists()
    (tmp_path / "loads.csv").write_bytes(DATA)
    assert again.unpack() == []
    config = json.loads((tmp_path / "one/workflow/config.json").read_text())
    assert config == {"results": "results", "forecasting": {"path": str(tmp_path / "loads.csv")}}


def test_inputs_that_the_crate_holds_are_where_they_will_lie(tmp_path):
    again = Rerun(crate(tmp_path / "c.zip", more={"data/loads.csv": DATA}), tmp_path / "one")
    assert again.unpack() == []
    held = tmp_path / "one/results/data/loads.csv"
    assert held.read_bytes() == DATA
    config = json.loads((tmp_path / "one/workflow/config.json").read_text())
    assert config["forecasting"] == {"path": str(held)}
    other = Rerun(crate(tmp_path / "d.zip", more={"data/loads.csv": DATA + b"3,4\n"}), tmp_path / "two")
    assert [each.name for each in other.unpack()] == ["/scratch/loads.csv"] and not (tmp_path / "two").exists()


@pytest.mark.parametrize("there", ["", "a", "a/b"])
def test_of_what_cannot_be_written_to_its_end_nothing_is_left(there, tmp_path):
    """A configuration file has the name of the workflow's folder."""
    (tmp_path / "loads.csv").write_bytes(DATA)
    path = crate(tmp_path / "c.zip", more={"workflow/configfiles/workflow": b"a: 1\n"})
    (tmp_path / "x" / there).mkdir(parents=True)
    with pytest.raises(OSError):
        Rerun(path, tmp_path / "x/a/b", (tmp_path,)).unpack()
    assert [*(tmp_path / "x" / there).iterdir()] == []


def test_only_the_same_bytes_are_equal(tmp_path):
    again = Rerun(crate(tmp_path / "c.zip"), tmp_path / "one")
    assert not again.equal()
    made = tmp_path / "one" / "results" / "metrics.json"
    made.parent.mkdir(parents=True)
    made.write_bytes(METRICS)
    assert again.equal()
    made.write_bytes(METRICS.replace(b"1.0", b"1.00"))
    assert not again.equal() and again.apart() == []


def test_other_versions_are_named(tmp_path):
    again = Rerun(crate(tmp_path / "c.zip", versions={"numpy": "0.1", "nobody-has-it": "2"}), tmp_path / "one")
    [numpy, other] = again.versions()
    assert numpy.startswith("numpy 0.1, here ") and other == "nobody-has-it 2, here none"


def test_an_altered_crate_and_a_full_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="the crate was altered") as refused:
        Rerun(crate(tmp_path / "c.zip", altered=True), tmp_path / "one").unpack()
    assert refused.value.found == "workflow/Snakefile"
    with pytest.raises(ConfigError, match="the folder is not empty"):
        Rerun(crate(tmp_path / "d.zip"), tmp_path).unpack()
    (tmp_path / "e.zip").write_text("no archive")
    with pytest.raises(InputError, match="not the crate of a run"):
        Rerun(tmp_path / "e.zip", tmp_path / "one").versions()


def test_files_of_which_the_metadata_say_nothing_are_refused_by_name(tmp_path):
    """They could be anybody's, and would run."""
    more = {"workflow/rules/more.smk": b"# more\n"}
    path = crate(tmp_path / "c.zip", more=more, unsummed=("workflow/Snakefile", *more))
    with pytest.raises(InputError, match="the crate's metadata say no SHA-256 of files in it") as refused:
        Rerun(path, tmp_path / "one").unpack()
    assert refused.value.found == "workflow/Snakefile, workflow/rules/more.smk" and not (tmp_path / "one").exists()


def test_what_is_said_to_be_a_product_is_no_way_around(tmp_path):
    (tmp_path / "loads.csv").write_bytes(DATA)
    graph = ({"@id": "#job-1", "result": [{"@id": "workflow/"}]}, {"@id": "workflow/", "name": "elsewhere"})
    path = crate(tmp_path / "c.zip", unsummed=("workflow/Snakefile",), graph=graph)
    assert Rerun(path, tmp_path / "one", (tmp_path,)).unpack() == []
    assert [each.name for each in (tmp_path / "one").rglob("*") if each.is_file()] == ["config.json"]  # written anew


@pytest.mark.parametrize(
    "metadata",
    [{}, [], 7, {"@graph": {}}, {"@graph": []}, {"@graph": ["x"]}, {"@graph": [{"@id": "./"}]},
     {"@graph": [{"@id": "./", "mainEntity": "workflow/Snakefile"}]}],
)  # fmt: skip
def test_what_is_no_crate_is_refused_in_one_sentence(metadata, tmp_path):
    path = crate(tmp_path / "c.zip", metadata=metadata)
    for asked in (lambda: Rerun(path, tmp_path / "one").versions(), lambda: kept.find(str(path), tmp_path)):
        with pytest.raises(InputError, match="not the crate of a run") as refused:
            asked()
        assert "ro-crate-metadata.json" in refused.value.found


@pytest.mark.parametrize("content", [b"{}", b"[]", b"no JSON", b'{"config": {}, "versions": {}}', b"\xff\xfe\xfa"])
def test_nor_is_one_whose_run_is_not_told(content, tmp_path):
    path = crate(tmp_path / "c.zip", more={"run.json": content})
    for asked in (lambda: Rerun(path, tmp_path / "one").versions(), lambda: kept.find(str(path), tmp_path)):
        with pytest.raises(InputError, match="not the crate of a run") as refused:
            asked()
        assert "run.json" in refused.value.found


def test_a_masked_configuration_is_refused_by_its_keys(tmp_path):
    config = {**CONFIG, "mine": {"api_key": "***", "from": ["https://ada:***@example.org/x"]}}
    with pytest.raises(InputError, match="the crate's configuration was masked") as refused:
        Rerun(crate(tmp_path / "c.zip", config=config), tmp_path / "one").unpack()
    assert refused.value.found == "mine.api_key, mine.from.0" and not (tmp_path / "one").exists()


def test_a_workflow_around_ours_keeps_its_own_keys(tmp_path):
    (tmp_path / "loads.csv").write_bytes(DATA)
    more = {"workflow/configfiles/config/config.yaml": b"mine: {digits: 4}  # of four\n"}
    path = crate(tmp_path / "c.zip", config={**CONFIG, "mine": {"digits": "3"}}, more=more)
    assert Rerun(path, tmp_path / "one", (tmp_path,)).unpack() == []
    told = json.loads((tmp_path / "one/workflow/config.json").read_text())
    assert told["mine"] == {"digits": "3"} and told["results"] == "results"
    assert (tmp_path / "one/config/config.yaml").read_bytes() == b"mine: {digits: 4}  # of four\n"


def test_files_that_would_be_one_are_refused_by_name(tmp_path):
    path = crate(tmp_path / "c.zip", more={"workflow/configfiles/workflow/Snakefile": b"a: 1\n"})
    with pytest.raises(InputError, match="files of the crate that would be one") as refused:
        Rerun(path, tmp_path / "one").unpack()
    assert refused.value.found == "workflow/Snakefile, workflow/configfiles/workflow/Snakefile"
    assert not (tmp_path / "one").exists()


def test_results_that_cannot_be_led_elsewhere_are_refused(tmp_path):
    """Else the run would write into those of the first one."""
    with pytest.raises(InputError, match="its results folder otherwise than by the key `results`") as refused:
        Rerun(crate(tmp_path / "c.zip", config={"ours": CONFIG}), tmp_path / "one").unpack()
    assert refused.value.found == "/scratch/elsewhere" and not (tmp_path / "one").exists()


def test_products_of_own_rules_are_compared_and_no_run_begins_with_them(tmp_path):
    (tmp_path / "loads.csv").write_bytes(DATA)
    more = {"summary.csv": b"a\n", "data/made.csv": b"1\n", "plots/a.txt": b"a", "model.pt": b"0"}
    graph = (
        {"@id": "#rule-summary", "isPartOf": {"@id": "workflow/Snakefile"}}, {"@id": "#rule-ours"},
        {"@id": "plots/", "name": "plots"}, {"@id": "#left-out/large/", "name": "large"},
        {"@id": "#job-1", "instrument": {"@id": "#rule-ours"}, "result": [{"@id": "model.pt"}]},
        {"@id": "#job-2", "instrument": {"@id": "#rule-summary"}, "result": {"@id": "summary.csv"}},
        {"@id": "#job-3", "instrument": {"@id": "#rule-summary"},
         "result": [{"@id": "data/made.csv"}, {"@id": "plots/"}, {"@id": "#left-out/large/"}]},
    )  # fmt: skip
    again = Rerun(
        crate(tmp_path / "c.zip", more=more, graph=graph, unsummed=("plots/a.txt",)), tmp_path / "one", (tmp_path,)
    )
    assert again.unpack() == []
    results = tmp_path / "one" / "results"
    assert not results.exists()

    def compared() -> list[bool | None]:
        return [each.same(results) for each in again.own()]

    assert [each.name for each in again.own()] == ["data/made.csv", "large", "plots", "summary.csv"]
    assert compared() == [False, None, False, False]
    for name, content in more.items():
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_bytes(content)
    assert compared() == [True, None, True, True]
    (results / "plots" / "b.txt").touch()
    (results / "summary.csv").write_bytes(b"b\n")
    assert compared() == [True, None, False, False]


def deeprc(folder: Path, *words: str) -> str:
    """What `deeprc` says where it refuses."""
    program = Path(sys.executable).with_name("deeprc")
    done = subprocess.run([program, *words], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--folder", "noch einmal"],
            ["the folder of the rerun has signs in its path", "found: a space", "by --folder"],
        ),
        (["--site", "nowhere"], ["no Snakemake profile of the site 'nowhere'", "by --site"]),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_written(words, said, tmp_path):
    (tmp_path / "loads.csv").write_bytes(DATA)
    crate(tmp_path / "c.zip")
    told = deeprc(tmp_path, "rerun", "c.zip", "--data", ".", *words)
    assert [each for each in said if each not in told] == [], told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.zip", "loads.csv"]


@pytest.mark.parametrize("words", [["rerun", "c.zip"], ["run", "show", "c.zip"]])
def test_no_crate_is_told_by_the_commands_without_a_traceback(words, tmp_path):
    crate(tmp_path / "c.zip", metadata={})
    assert "not the crate of a run" in deeprc(tmp_path, *words)
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("README.md", "no crate")
    assert "ro-crate-metadata.json" in deeprc(tmp_path, *words)
