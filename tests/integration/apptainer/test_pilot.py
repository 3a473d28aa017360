"""The pipelines in their image, as on a new cluster: build, sign, push, delete, pull, verify, run through the pilot."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from deeprc.core.files import read_json
from deeprc.images.store import Store

pytestmark = [pytest.mark.requires("apptainer"), pytest.mark.requires("registry"), pytest.mark.timeout(1500)]
ROOT = Path(__file__).resolve().parents[3]
MACHINE = platform.machine()
SMALL = {"forecasting": {"models": ["NHITS"], "steps": 20}, "hydrology": {"epochs": 1}}


def begin(folder: Path, site: str, *arguments: str, **environment: str) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    (folder / "small.yaml").write_text(yaml.safe_dump(SMALL))
    command = [str(Path(sys.executable).parent / "snakemake"), "--profile", f"site/{site}", "--directory", str(folder)]
    return subprocess.Popen(
        [*command, "--configfile", str(folder / "small.yaml"), *arguments], cwd=ROOT, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PWD": str(ROOT), **environment},
    )  # fmt: skip


def end(process: subprocess.Popen) -> str:
    try:
        output, _ = process.communicate(timeout=900)
    finally:
        process.kill()
    assert process.returncode == 0, output
    return output


def snakemake(*arguments: str | Path, **environment: str) -> str:
    return end(begin(*arguments, **environment))


@pytest.fixture(scope="module")
def pulled(publication, key, tmp_path_factory):
    """The image as a user of a new cluster has it: pulled by the catalog's digest, verified."""
    folder = tmp_path_factory.mktemp("cluster")
    user = Store(folder / "user", [])
    environment = {"DEEPRC_CATALOG": str(publication.catalog), "DEEPRC_IMAGES": str(user.folder)}

    program = "import sys; from deeprc.commands.image import app; sys.argv[0] = 'image'; app()"
    command = [sys.executable, "-c", program, "pull", "--site", "localhost-apptainer"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0 and f"signed with {key.fingerprint}" in done.stdout, done.stderr
    [held] = user.held()
    yield environment, held
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("run")


def test_both_pipelines_give_in_the_image_what_they_give_outside(pulled, folder):
    environment, held = pulled
    both = begin(folder / "inside", "localhost-apptainer", **environment), begin(folder / "outside", "localhost")
    for process in both:
        end(process)
    inside, outside = (read_json(folder / name / "results" / "metrics.json") for name in ("inside", "outside"))
    assert set(inside["forecasting"]["models"]) == set(SMALL["forecasting"]["models"])
    assert inside["forecasting"] == outside["forecasting"] and inside["hydrology"] == outside["hydrology"]
    # Every stage that the pilot ran was in that very file, and the launcher of several ranks outside of it.
    run = sorted((folder / "inside" / ".deeprc" / "runs").iterdir())[-1]
    jobs = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    lines = [job["argv"] for job in jobs if job["event"] == "job" and job.get("argv")]
    assert lines and all(str(held.path) in line for line in lines)
    several = [line for line in lines if Path(line[0]).name == "mpiexec"]
    assert several and all(line.index("apptainer") > line.index("-np") for line in several)
    [image] = read_json(folder / "inside" / "results" / "run.json")["images"]
    assert image["variant"] == held.name and image["digest"] == held.digest and image["source"] == held.source
    assert f"{held.name} (" in (folder / "inside" / "results" / "report.html").read_text()


def test_another_digest_has_all_made_anew(pulled, folder, tmp_path):
    environment, held = pulled
    assert "Nothing to be done" in snakemake(folder / "inside", "localhost-apptainer", "-n", **environment)
    text = Path(environment["DEEPRC_CATALOG"]).read_text().replace(held.digest, "sha256:" + "1" * 64)
    (tmp_path / "catalog.yaml").write_text(text)
    other = {**environment, "DEEPRC_CATALOG": str(tmp_path / "catalog.yaml")}
    said = snakemake(folder / "inside", "localhost-apptainer", "-n", **other)
    for pipeline in ("forecasting", "hydrology"):
        assert re.search(rf"{pipeline}_prepare +1  the image is another one", said)
        assert re.search(rf"{pipeline}_predict +\d+  follows from the above", said)


def test_an_image_that_is_missing_is_told_before_anything_starts(pulled, folder, tmp_path):
    environment, _ = pulled
    with pytest.raises(AssertionError, match="is not here") as caught:
        snakemake(tmp_path / "new", "localhost-apptainer", **{**environment, "DEEPRC_IMAGES": str(tmp_path / "none")})
    assert "deeprc image pull cpu" in str(caught.value) and not (tmp_path / "new" / "results" / "data").exists()


def test_ranks_warm_jobs_and_data_in_the_image(pulled, tmp_path, monkeypatch):
    """Data outside of the working directory are seen, variables of the host are not; warm jobs cost no container."""
    environment, _ = pulled
    (ROOT / ".cache").mkdir(exist_ok=True)
    elsewhere = Path(tempfile.mkdtemp(prefix="data-", dir=ROOT / ".cache"))  # containers see temporary folders anyway
    (elsewhere / "table.csv").write_text("mine\n")
    monkeypatch.setenv("MY_SECRET", "s")
    folder = tmp_path / "run"
    try:
        arguments = ["--snakefile", str(Path(__file__).with_name("inside.smk"))]
        snakemake(
            folder, "localhost-apptainer", *arguments, "--config", f"data={elsewhere}/table.csv",
            "--radical-pilot-keep", **environment,
        )  # fmt: skip
    finally:
        shutil.rmtree(elsewhere)
    assert (folder / "world").read_text() == "2"
    assert (folder / "data").read_text().splitlines()[0] == "mine" and len((folder / "data").read_text().split()) == 2
    assert {(folder / f"warm.{number}").read_text() for number in range(4)} == {"True /usr\n"}
    seen = (folder / "environment").read_text()
    assert "APPTAINER_CONTAINER=" in seen and "MY_SECRET" not in seen and "PYTHONPATH=" not in seen
    [run] = (folder / ".deeprc" / "runs").iterdir()
    for script in (run / "jobs").glob("warm.*/*.sh"):
        assert "apptainer exec" not in script.read_text()
