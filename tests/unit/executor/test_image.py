"""The digest that a Snakefile makes a parameter of its rules: what a command line says of the image."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

import pytest
import yaml

from deeprc.core.events import RunImage
from deeprc.core.files import read_json, write_json
from deeprc.images import sif
from deeprc.images.store import Store
from deeprc.launch import Layout, Plan
from samples.sifs import stored, write
from snakemake_executor_plugin_radical_pilot.image import chosen, digest, holds, used

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def catalog(tmp_path, monkeypatch) -> Path:
    """The shipped catalog with a digest for each image; the working directory is somewhere else."""
    data = yaml.safe_load((ROOT / "containers" / "catalog.yaml").read_text())
    for number, image in enumerate(data["images"]):
        image["digests"] = dict.fromkeys(image["architectures"], f"sha256:{number:064x}")
    path = tmp_path / "catalog.yaml"
    path.write_text(yaml.safe_dump(data))
    monkeypatch.setenv("DEEPRC_CATALOG", str(path))
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return path


def of(*arguments: str) -> str | None:
    return digest(["/bin/snakemake", *arguments], ROOT)


def test_the_image_of_the_site_in_the_profile():
    assert of("--profile", "site/localhost-apptainer") == f"sha256:{0:064x}"
    assert of("--profile", "site/localhost-apptainer", "-n", "--directory", "/tmp") == f"sha256:{0:064x}"


def test_an_image_that_is_named():
    named = ["--radical-pilot-image", "cuda12-mpich-ofi"]
    assert of("--profile", "site/localhost-apptainer", *named) == f"sha256:{1:064x}"
    assert of("--executor", "radical-pilot", "--radical-pilot-site", "localhost-apptainer", *named) is not None
    assert of("--profile", "site/localhost-apptainer", "--radical-pilot-image", "none") is None


def test_pilots_of_several_shapes_have_the_images_of_all_of_them():
    """Whichever of them a job goes to: another image makes its product anew."""
    site, cpu = ["--profile", "site/localhost-apptainer", "--radical-pilot-pilots"], f"sha256:{0:064x}"
    assert of(*site, "nodes=1,max=2", "nodes=2") == cpu
    assert of(*site, "nodes=1", "nodes=1,image=cuda12-mpich-ofi") == f"{cpu}, sha256:{1:064x}"
    assert of(*site, "nodes=1,image=none", "nodes=1,image=none") is None
    assert of(*site, "auto") == cpu


def test_the_image_of_pilots_of_several_shapes_holds_what_any_of_theirs_does():
    """And none is known where jobs may run without one: their code is then that of this environment."""

    def names(*shapes: str) -> tuple | None:
        found = chosen(
            ["/bin/snakemake", "--profile", "site/localhost-apptainer", "--radical-pilot-pilots", *shapes], ROOT
        )
        return found and (found.name, *found.stages)

    assert names("nodes=1", "nodes=2") == ("cpu", "frames", "torch", "tensorflow")
    assert names("nodes=1,image=cylon") == ("cylon", "cylon")
    assert names("nodes=1,image=cylon", "nodes=1") == ("cylon, cpu", "cylon", "frames", "torch", "tensorflow")
    assert names("nodes=1,image=none") is names("nodes=1", "nodes=1,image=none") is None


@pytest.mark.parametrize("arguments", [["--profile", "site/localhost"], ["--cores", "1"], ["--executor", "local"]])
def test_runs_without_images(arguments):
    assert of(*arguments) is None


def test_another_program(catalog):
    assert digest(["/bin/pytest", "-q"], ROOT) is None
    assert digest(["/bin/snakemake", "--no-such-option"], ROOT) is None


def test_an_image_that_is_neither_pinned_nor_here(catalog, monkeypatch, tmp_path):
    monkeypatch.setenv("DEEPRC_CATALOG", str(ROOT / "containers" / "catalog.yaml"))
    monkeypatch.setenv("DEEPRC_IMAGES", str(tmp_path / "images"))
    assert of("--profile", "site/localhost-apptainer") == "cpu, not here"


def plan(*runtime: str, image: str | None = "cpu", files: dict[str, str] | None = None) -> Plan:
    return Plan("s", "p", Layout(1, 1, 0, 1), image, "bind", "", runtime=list(runtime), files=files or {})


def test_a_job_tells_the_file_that_its_launch_line_names(tmp_path):
    """Two images of one name are here: the digest is that of the file that the job ran in, not the newest one's."""
    store = Store(tmp_path / "images", [])
    held = {}
    for source in ("oras://registry/cpu:1", "built"):
        store.folder.mkdir(exist_ok=True)
        (part := store.folder / "part").write_text(source)
        digest = f"sha256:{hashlib.sha256(source.encode()).hexdigest()}"
        held[source] = store.adopt(part, "cpu", "x86_64", digest, source=source)
    for source, each in held.items():
        expected = RunImage(variant="cpu", digest=each.digest, source=source)
        assert used(plan("apptainer", "exec", str(each.path)), store, "x86_64") == expected
        edf = {"/e.toml": f'image = "{store.squashfs(each)}"'}
        assert used(plan(files=edf), store, "x86_64") == expected
    assert used(plan(image=None), store, "x86_64") is None


def test_a_job_whose_image_a_task_is_yet_to_pull_tells_the_pinned_digest(tmp_path):
    store, pinned = Store(tmp_path / "images", []), f"sha256:{0:064x}"
    coming = plan("apptainer", "exec", str(store.path("cpu", "x86_64", pinned)))
    assert used(coming, store, "x86_64").digest == pinned
    assert used(plan("shifter", "--image=custom:deeprc/cpu:latest"), store, "x86_64").digest is None


def test_what_an_image_holds_is_known_where_it_is_here_and_says_so(catalog, monkeypatch, tmp_path):
    monkeypatch.setenv("DEEPRC_CATALOG", str(ROOT / "containers" / "catalog.yaml"))
    monkeypatch.setenv("DEEPRC_IMAGES", str(tmp_path / "images"))
    imaged = ["/bin/snakemake", "--profile", "site/localhost-apptainer"]
    assert holds(imaged, ROOT) is None
    held = stored(tmp_path / "images", "cpu", platform.machine(), ["torch"])
    assert holds(imaged, ROOT) == {"torch"} and holds(["/bin/snakemake", "--profile", "site/localhost"], ROOT) is None
    write(held.path, {"fs": (sif.PARTITION, b"squash")})  # of a release that wrote none
    state = held.path.stat()
    record = held.path.with_name(held.path.name + ".json")
    known = read_json(record) | {"size": state.st_size, "mtime_ns": state.st_mtime_ns}
    write_json(record, known)
    assert digest(imaged, ROOT) == held.digest and holds(imaged, ROOT) is None
