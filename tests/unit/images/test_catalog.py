"""The catalog: the shipped one, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from deeprc.core.errors import ConfigError
from deeprc.images import load_catalog
from deeprc.images.catalog import catalog_path
from deeprc.launch.choose import candidates
from deeprc.sites import known_sites, load_site

SHIPPED = Path(__file__).resolve().parents[3] / "containers" / "catalog.yaml"


MPICH = {"implementation": "mpich", "version": "5.0.2", "family": "mpich", "pmi": ["pmi1"], "fabrics": ["shm"]}


def entry(**changes: object) -> dict:
    """The first entry of the shipped catalog, changed."""
    return {**yaml.safe_load(SHIPPED.read_text())["images"][0], **changes}


def write(path: Path, *entries: dict) -> Path:
    path.write_text(yaml.safe_dump({"images": list(entries)}))
    return path


def test_the_shipped_catalog_has_every_variant():
    names = [image.name for image in load_catalog(SHIPPED).images]
    assert names == [
        "cpu", "cuda12-mpich-ofi", "cuda12-openmpi-ucx", "cuda12-openmpi-ofi",
        "cuda12-mpich-ucx", "rocm6-mpich-ofi", "oneapi-mpich", "cylon",
    ]  # fmt: skip


@pytest.mark.parametrize("image", load_catalog(SHIPPED).images, ids=lambda image: image.name)
def test_names_say_what_the_entries_hold(image):
    accelerator, *mpi = image.name.split("-")
    assert {"cpu": None, "cylon": None, "cuda12": "cuda", "rocm6": "rocm", "oneapi": "oneapi"}[accelerator] == (
        image.accelerator and image.accelerator.toolkit
    )
    if mpi:
        assert [mpi[0]] == image.families == [each.implementation for each in image.mpi]
    if image.accelerator and image.accelerator.vendor == "nvidia":
        assert image.accelerator.minimum_driver and any(name.startswith("nccl ") for name in image.collectives)
    # Slingshot sites bind their MPI over an -ofi image: it needs the collectives' plugin, and no fabric of its own.
    assert image.name.endswith("-mpich-ofi") <= image.for_binding
    assert image.name.endswith("-ofi") <= any("aws-ofi" in name for name in image.collectives)


def test_every_gpu_of_a_shipped_site_has_an_image_or_is_known_to_have_none():
    """Delta's MI100: the ROCm image is for MI200."""
    catalog, without = load_catalog(SHIPPED), set()
    for site in map(load_site, known_sites()):
        for part in site.partitions if site.status.state == "active" and site.runtime.kind != "none" else []:
            if part.gpus and candidates(catalog, site, part, gpus=True)[0][1].kind == "refuse":
                without.add((site.name, part.name))
    assert without == {("delta", "gpuMI100x8")}


def test_gh200_sites_of_both_families_have_an_image():
    images = [image for image in load_catalog(SHIPPED).images if "aarch64" in image.architectures]
    aarch64 = {(family, i.accelerator and i.accelerator.vendor) for i in images for family in i.families}
    assert {("openmpi", "nvidia"), ("mpich", "nvidia"), ("openmpi", None), ("mpich", None)} <= aarch64


def test_an_unknown_image_comes_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'cpu'"):
        load_catalog(SHIPPED).image("cpuu")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mpy": {}}, "did you mean 'mpi'"),
        ({"architectures": ["x86"]}, "architectures"),
        ({"architectures": []}, "architectures"),
        ({"mpi": [{**MPICH, "pmi": ["pmi3"]}]}, "pmi"),
        ({"mpi": []}, "mpi"),
        ({"mpi": [MPICH, {**MPICH, "implementation": "mvapich"}]}, "two MPIs of the family mpich"),
        ({"stages": ["frame"]}, "stages"),
        ({"uri": "docker://somewhere/x"}, "uri"),
        ({"uri": "oras://somewhere/x@sha256:0"}, "uri"),
        ({"key": "abc"}, "key"),
        ({"digests": {"x86_64": "sha256:12"}}, "digests"),
        ({"digests": {"ppc64le": "sha256:" + "0" * 64}}, "not among its architectures"),
        ({"mpi": [{**MPICH, "version": "5.0.2rc1"}]}, "version"),
        ({"collectives": ["NCCL, new"]}, "collectives"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, changes, message):
    path = write(tmp_path / "catalog.yaml", entry(**changes))
    with pytest.raises(ConfigError, match=message) as caught:
        load_catalog(path)
    assert str(path) in str(caught.value)


def test_a_name_is_listed_once(tmp_path):
    with pytest.raises(ConfigError, match="cpu: listed more than once"):
        load_catalog(write(tmp_path / "catalog.yaml", entry(), entry()))


def test_where_the_catalog_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEEPRC_CATALOG", raising=False)
    assert catalog_path() == SHIPPED
    (tmp_path / "containers").mkdir()
    write(tmp_path / "containers" / "catalog.yaml", entry())
    assert catalog_path() == SHIPPED
    with monkeypatch.context() as broken:  # an installation without it: somebody's digests and keys are none
        broken.setattr("deeprc.core.shipped.SHIPPED", tmp_path / "none")
        with pytest.raises(ConfigError, match="no image catalog"):
            catalog_path()
    named = write(tmp_path / "mine.yaml", entry(name="mine"))
    monkeypatch.setenv("DEEPRC_CATALOG", str(named))
    assert [image.name for image in load_catalog().images] == ["mine"]
    monkeypatch.setenv("DEEPRC_CATALOG", str(tmp_path / "gone.yaml"))
    with pytest.raises(ConfigError, match=r"gone\.yaml"):
        load_catalog()


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("cpu", "`deeprc image build cpu`"),  # nothing is published
        ("cpu-frames", "`deeprc image build cpu --stages frames`"),
        ("cpu-frames-torch", "`deeprc image build cpu --stages frames,torch`"),
        ("mine", "`deeprc image list` names those that can be built"),
        ("cpu-mine", "`deeprc image list` names those that can be built"),
    ],
)
def test_what_is_advised_to_get_an_image_is_what_works(name, advice):
    assert load_catalog(SHIPPED).advice(name, "x86_64") == advice
