"""A run as one file, and that file run again in a fresh folder: the same bytes of metrics, or why not."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from deeprc.core.files import read_json
from deeprc.workflow.study import Study
from samples.validated import issues

pytestmark = pytest.mark.timeout(900)


def deeprc(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """`deeprc` in a folder, its two outputs joined."""
    program = Path(sys.executable).with_name("deeprc")
    return subprocess.run(
        [str(program), *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory, snakemake) -> Path:
    """A run of one model on a table of the user's, which is then moved, and its crate."""
    folder = tmp_path_factory.mktemp("crate")
    rows = [f"2024-01-{1 + hour // 24:02}T{hour % 24:02}:00,{hour % 24 + hour % 7 / 10}" for hour in range(24 * 30)]
    (folder / "loads.csv").write_text("\n".join(["time,load", *rows, ""]))
    config = {"dataset": "csv", "path": str(folder / "loads.csv"), "target": "load", "models": ["DLinear"], "steps": 20}
    config |= {"horizon": 6, "input_size": 24, "ranks": 1}
    (folder / "config.json").write_text(json.dumps({"pipelines": ["forecasting"], "forecasting": config}))
    done = snakemake(folder, "--configfile", str(folder / "config.json"))
    assert done.returncode == 0, done.stdout
    assert "no RO-Crate" not in done.stdout
    made = deeprc(folder, "run", "crate", "results", "-o", "crate.zip")
    assert made.returncode == 0, made.stdout
    return folder


def test_the_crate_holds_by_its_profiles(folder, tmp_path):
    with zipfile.ZipFile(folder / "crate.zip") as archive:
        archive.extractall(tmp_path)
    assert issues(tmp_path) == []
    assert (tmp_path / "metrics.json").read_bytes() == (folder / "results" / "metrics.json").read_bytes()


def test_it_gives_the_same_bytes_again_in_a_fresh_folder(folder):
    done = deeprc(folder, "rerun", "crate.zip", "--folder", "again", "--json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout[done.stdout.rindex("\n{\n") :])["equal"] is True
    again = folder / "again" / "results"
    assert (again / "metrics.json").read_bytes() == (folder / "results" / "metrics.json").read_bytes()
    assert [each["label"] for each in read_json(again / "run.json")["tasks"]]  # it did run, there
    (listed,) = json.loads(deeprc(folder, "run", "list", "--json").stdout)
    assert listed["state"] == "done", listed
    full = deeprc(folder, "rerun", "crate.zip", "--folder", "again")
    assert full.returncode == 2 and "the folder is not empty" in full.stdout


def altered(folder: Path, name: str, old: bytes, new: bytes, out: str) -> None:
    """The crate with other bytes in one of its files."""
    with zipfile.ZipFile(folder / "crate.zip") as archive, zipfile.ZipFile(folder / out, "w") as made:
        for member in archive.infolist():
            content = archive.read(member)
            assert member.filename != name or old in content
            made.writestr(member, content.replace(old, new) if member.filename == name else content)


def test_what_was_altered_is_refused_before_it_runs(folder):
    altered(folder, "workflow/config.json", b"DLinear", b"NLinear", "altered.zip")
    done = deeprc(folder, "rerun", "altered.zip", "--folder", "of-altered")
    assert done.returncode == 2 and "the crate was altered" in done.stdout and "workflow/config.json" in done.stdout
    assert not (folder / "of-altered").exists()


def test_data_that_changed_since_are_asked_for_by_their_hash(folder, tmp_path):
    kept = (folder / "loads.csv").read_bytes()
    (tmp_path / "loads.csv").write_bytes(kept)
    (folder / "loads.csv").write_bytes(kept + b"2024-02-01T00:00,3\n")
    try:
        done = deeprc(folder, "rerun", "crate.zip", "--folder", "of-others")
        assert done.returncode == 2 and "loads.csv (SHA-256 " in done.stdout, done.stdout
        assert not (folder / "of-others").exists()
        done = deeprc(folder, "rerun", "crate.zip", "--folder", "of-others", "--data", str(tmp_path))
        assert done.returncode == 0, done.stdout
    finally:
        (folder / "loads.csv").write_bytes(kept)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """A study with a rule that reads its configuration file, run with an option of its own, and its crate."""
    study = tmp_path_factory.mktemp("own") / "study"
    Study(study, ["forecasting"], ["localhost"]).make()
    rows = [f"2024-01-{1 + hour // 24:02}T{hour % 24:02}:00,{hour % 24 + hour % 7 / 10}" for hour in range(24 * 30)]
    (study / "data" / "loads.csv").write_text("\n".join(["time,load", *rows, ""]))
    config = yaml.safe_load((study / "config" / "config.yaml").read_text())
    config["forecasting"] = {"dataset": "csv", "path": "data/loads.csv", "target": "load", "models": ["DLinear"]}
    config["forecasting"] |= {"steps": 20, "horizon": 6, "input_size": 24, "ranks": 1}
    config["mine"]["since"] = datetime.date(2024, 1, 1)
    (study / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    told = 'rule told:\n    input:\n        "config/config.yaml",\n    output:\n        f"{RESULTS}/told.txt",\n'
    told += '    params:\n        since=config["mine"]["since"],\n    shell:\n'
    told += '        "(cat {input:q}; echo {params.since}) > {output:q}"\n\n\nrule all:'
    snakefile = (study / "workflow" / "Snakefile").read_text().replace("rule all:", told)
    snakefile = snakefile.replace("rules.summary.output,", "rules.summary.output,\n        rules.told.output,")
    (study / "workflow" / "Snakefile").write_text(snakefile)
    argv = [str(Path(sys.executable).with_name("snakemake")), "--profile", "site/localhost", "--config"]
    done = subprocess.run([*argv, "mine={digits: 3}"], cwd=study, capture_output=True, text=True, timeout=540)
    assert done.returncode == 0, done.stderr
    made = deeprc(study, "run", "crate", "results", "-o", "crate.zip")
    assert made.returncode == 0, made.stdout
    return study


def test_a_study_keeps_its_own_options_and_its_products_are_compared(study):
    with zipfile.ZipFile(study / "crate.zip") as archive:
        config = json.loads(archive.read("workflow/config.json"))
        assert config["mine"] == {"digits": "3", "since": "2024-01-01"}
        assert archive.read("workflow/configfiles/config/config.yaml") == (study / "config/config.yaml").read_bytes()
    done = deeprc(study, "rerun", "crate.zip", "--folder", "again", "--json")
    assert done.returncode == 0, done.stdout
    told = json.loads(done.stdout[done.stdout.rindex("\n{\n") :])
    assert told["equal"] is True and told["products"] == {
        "same": ["summary.csv", "told.txt"], "differ": [], "not compared": [],
    }  # fmt: skip
    for name in ("summary.csv", "told.txt", "metrics.json"):
        assert (study / "again/results" / name).read_bytes() == (study / "results" / name).read_bytes()
