"""The archive for a build without a network: what is none, stale or changed is refused by name."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from deeprc.images import load_catalog, supplies, wheels
from deeprc.images.build import Recipe
from deeprc.images.errors import ImageError
from deeprc.images.lock import Locked

CATALOG = load_catalog(Path(__file__).resolve().parents[3] / "containers" / "catalog.yaml")
WHEEL = b"a wheel"
LOCKED = Locked("a", "1", "", (f"sha256:{hashlib.sha256(WHEEL).hexdigest()}",), frozenset())


@pytest.fixture
def recipe(monkeypatch) -> Recipe:
    monkeypatch.setattr(wheels, "source_hash", lambda: "ours")
    return Recipe(CATALOG.image("cpu"), ["frames"])


def archive(path: Path, told: dict, files: dict[str, bytes], sums: dict[str, bytes] | None = None) -> Path:
    """An archive with these files, and the checksums of these or others."""
    files = {supplies.RECIPE: json.dumps(told).encode()} | files
    sums = {supplies.RECIPE: files[supplies.RECIPE]} | sums if sums is not None else files
    lines = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sums.items())
    with tarfile.open(path, "w") as tar:
        for name, data in (files | {supplies.SUMS: lines.encode()}).items():
            supplies.bundle.add(tar, name, data.decode())
    return path


def test_one_of_another_month_is_for_the_same_build(recipe, tmp_path):
    """Its Debian is of that month: the hash of the image says so."""
    file = archive(tmp_path / "a.tar", recipe.of("2020-01").told(), {})
    assert supplies.month(file, recipe) == "2020-01"
    assert recipe.of("2020-01").content() != recipe.content()


def test_one_of_other_code_or_other_stages_is_refused(recipe, tmp_path, monkeypatch):
    file = archive(tmp_path / "a.tar", recipe.told(), {})
    with pytest.raises(ImageError, match="for another build: name, content differ") as caught:
        supplies.month(file, Recipe(CATALOG.image("cpu")))
    assert "cpu-frames" in str(caught.value) and "--for-build" in str(caught.value)
    monkeypatch.setattr(wheels, "source_hash", lambda: "changed")
    with pytest.raises(ImageError, match="for another build: content differ"):
        supplies.month(file, recipe)


@pytest.mark.parametrize("data", [b"no tar", b""])
def test_what_is_no_archive_is_refused(recipe, tmp_path, data):
    (tmp_path / "a.tar").write_bytes(data)
    for path in ("a.tar", "missing.tar"):
        with pytest.raises(ImageError, match="no archive of what a build needs"):
            supplies.month(tmp_path / path, recipe)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"base.sif": b"other", "wheels/a.whl": WHEEL}, "base.sif"),
        ({"wheels/a.whl": WHEEL}, "base.sif"),
        ({"base.sif": b"base", "wheels/a.whl": WHEEL, "debian/more.deb": b"x"}, "debian/more.deb"),
    ],
)
def test_a_changed_one_is_refused(recipe, tmp_path, changed, named):
    whole = {"base.sif": b"base", "wheels/a.whl": WHEEL}
    with pytest.raises(ImageError, match=rf"not as it was written[^$]*1 files [^$]*{named}"):
        supplies.unpack(archive(tmp_path / "a.tar", recipe.told(), changed, whole), tmp_path / "new", recipe)


def test_a_wheel_counts_by_the_lock_whatever_the_checksums_say(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(wheels, "locked", lambda *_: [LOCKED])
    supplies.unpack(archive(tmp_path / "a.tar", recipe.told(), {"wheels/a.whl": WHEEL}), tmp_path / "good", recipe)
    assert (tmp_path / "good/wheels/a.whl").read_bytes() == WHEEL and not (tmp_path / "good" / supplies.SUMS).exists()
    odd = archive(tmp_path / "b.tar", recipe.told(), {"wheels/a.whl": b"another"})
    with pytest.raises(ImageError, match=r"wheels that the lock does not name[^$]*wheels/a.whl"):
        supplies.unpack(odd, tmp_path / "odd", recipe)


def test_images_of_other_routes_are_refused_before_anything_is_fetched(tmp_path):
    with pytest.raises(ImageError, match="made by the spack route"):
        supplies.check(Recipe(CATALOG.image("cuda12-openmpi-ucx")), tmp_path / "a.tar")
