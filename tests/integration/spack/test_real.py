"""The printed commands with Spack itself, over one Python package of a repository of our own, and no network.

Needs SPACK_ROOT and DEEPRC_SPACK_PACKAGES (docs/spack.md). Wheels, the solver's among them, come from pip's index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import need
from samples.spack import checkout, gpg, secret_key, site_file

pytestmark = [pytest.mark.requires("spack"), pytest.mark.timeout(3600)]
DEEPRC = Path(sys.executable).parent / "deeprc"


class Facility:
    """A checkout of one package, and a site."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root, self.site = folder, checkout(folder / "checkout"), site_file(folder / "site.yaml")
        self.cache = folder / "builds"
        self.packages = os.environ["DEEPRC_SPACK_PACKAGES"]
        self.env = os.environ | {"DEEPRC_SPACK_ENV": str(self.root / "spack-env")}

    def deeprc(self, *words: object) -> subprocess.CompletedProcess:
        command = [str(DEEPRC), "spack", words[0], "--site", self.site, *words[1:]]
        return subprocess.run(["nice", *map(str, command)], env=self.env, capture_output=True, text=True)

    def build(self, name: str, *options: object) -> subprocess.CompletedProcess:
        """Print the commands, and run what was printed."""
        printed = self.deeprc("build", "--prefix", self.folder / name, *options)
        assert printed.returncode == 0, printed.stderr
        # Spack's indices of its 8,000 packages: a minute for each prefix, else.
        shutil.copytree(self.folder / "mirror/cache/cache", self.folder / name / "cache/cache")
        env = self.env | {"GNUPGHOME": str(self.folder / "gpg")}
        done = subprocess.run(["nice", "bash"], input=printed.stdout, env=env, capture_output=True, text=True)
        (self.folder / f"{name}.log").write_text(done.stdout + done.stderr)
        return done

    def key(self, name: str) -> tuple[str, Path]:
        """A new key: its fingerprint and the file of its public half."""
        fingerprint, public = secret_key(self.folder / "gpg", name), self.folder / f"{name}.asc"
        public.write_text(gpg(self.folder / "gpg", "--armor", "--export", fingerprint))
        return fingerprint, public

    def answers(self, name: str) -> str:
        return subprocess.run([self.folder / name / "venv/bin/deeprc"], capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> Facility:
    """An archive, and a first build from the checkouts, which fills a build cache; then the source is gone."""
    need("spack")
    made = Facility(tmp_path_factory.mktemp("facility"))
    here = ["--packages", made.packages]
    done = made.deeprc("mirror", "--out", made.folder / "site.tar", "--prefix", made.folder / "mirror", *here)
    assert done.returncode == 0, done.stderr
    fingerprint, made.public = made.key("builder")
    done = made.build("first", *here, "--cache", made.cache, "--sign", fingerprint)
    assert done.returncode == 0, done.stderr
    (made.root / "probe-1.0.tar.gz").unlink()
    return made


def test_the_environment_sees_spacks_packages(facility: Facility) -> None:
    assert facility.answers("first") == "42\n"
    python = facility.folder / "first" / "venv/bin/python"
    where = subprocess.run([python, "-c", "import probe; print(probe.__file__)"], capture_output=True, text=True).stdout
    assert where.startswith(str(facility.folder / "first" / "spack-env"))


def test_an_archive_is_enough(facility: Facility) -> None:
    done = facility.build("offline", "--offline", facility.folder / "site.tar")
    assert done.returncode == 0, done.stderr
    assert facility.answers("offline") == "42\n"


def test_a_signed_build_cache_is_enough(facility: Facility) -> None:
    use = ["--packages", facility.packages, "--cache", facility.cache, "--cache-key", facility.public]
    done = facility.build("cached", *use)
    assert done.returncode == 0, done.stderr
    assert facility.answers("cached") == "42\n"


def test_of_a_build_cache_nothing_is_taken_that_somebody_else_has_signed(facility: Facility) -> None:
    """It would be built instead, and cannot be: the source is gone."""
    _, other = facility.key("somebody")
    use = ["--packages", facility.packages, "--cache", facility.cache, "--cache-key", other]
    done = facility.build("other", *use)
    assert "No binary for py-probe-1.0" in (facility.folder / "other.log").read_text()
    assert done.returncode != 0 and not (facility.folder / "other" / "venv").exists()


def test_of_a_build_cache_nothing_is_taken_that_was_changed(facility: Facility) -> None:
    """Its list is as it was signed, and the packages are not."""
    cache = shutil.copytree(facility.cache, facility.folder / "changed-builds")
    blobs = [path for path in (cache / "blobs").rglob("*") if path.is_file()]
    packages = [path for path in blobs if path.read_bytes()[:2] == b"\x1f\x8b"]
    for path in packages:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    assert packages
    use = ["--packages", facility.packages, "--cache", cache, "--cache-key", facility.public]
    done = facility.build("changed", *use)
    assert "No binary for py-probe-1.0" in (facility.folder / "changed.log").read_text()
    assert done.returncode != 0 and not (facility.folder / "changed" / "venv").exists()
