"""A crate that is to run again: what it needs is looked at first, and only its very metrics count as equal."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from deeprc.core.errors import ConfigError, InputError
from deeprc.reporting.crate.again import Rerun

DATA, METRICS = b"a,b\n1,2\n", b'{"forecasting": {"mae": 1.0}}\n'
CONFIG = {"results": "/scratch/elsewhere", "forecasting": {"path": "/scratch/loads.csv"}}


def crate(path: Path, *, altered: bool = False, versions: dict | None = None) -> Path:
    """A small crate, whose input is only named."""
    about = {
        "run": "1", "versions": versions or {}, "config": CONFIG, "site": None,
        "data": [{"pipeline": "forecasting", "file": "/scratch/loads.csv", "sha256": hashlib.sha256(DATA).hexdigest()}],
    }  # fmt: skip
    files = {"workflow/Snakefile": b"rule all: pass\n", "workflow/config.json": json.dumps(CONFIG).encode(),
             "metrics.json": METRICS, "run.json": json.dumps(about).encode()}  # fmt: skip
    graph = [{"@id": "./", "mainEntity": {"@id": "workflow/Snakefile"}}]
    graph += [{"@id": name, "sha256": hashlib.sha256(text).hexdigest()} for name, text in files.items()]
    if altered:
        files["workflow/Snakefile"] += b"# more\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, "ro-crate-metadata.json": json.dumps({"@graph": graph}).encode()}.items():
            archive.writestr(name, text)
    return path


def test_inputs_are_taken_by_what_is_in_them(tmp_path):
    (tmp_path / "loads.csv").write_bytes(DATA + b"3,4\n")
    again = Rerun(crate(tmp_path / "c.zip"), tmp_path / "one", (tmp_path,))
    assert [each.name for each in again.unpack()] == ["/scratch/loads.csv"]
    (tmp_path / "loads.csv").write_bytes(DATA)
    again = Rerun(crate(tmp_path / "c.zip"), tmp_path / "two", (tmp_path,))
    assert again.unpack() == []
    config = json.loads((tmp_path / "two/workflow/config.json").read_text())
    assert config == {"results": "results", "forecasting": {"path": str(tmp_path / "loads.csv")}}


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
