"""What `deeprc spack build` and `deeprc spack mirror` print is run, from nothing: with a stand-in for Spack alone.

The stand-in leaves behind what Spack does; Python, pip, sha256sum and Deep RC are real. Spack itself: test_real.py.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from deeprc.core.archives import unpack
from deeprc.spack.archive import TIME
from samples.spack import secret_key, site_file, without_spack

DEEPRC = Path(sys.executable).parent / "deeprc"


class Facility:
    """A checkout, a site, and what was run there."""

    def __init__(self, folder: Path) -> None:
        self.root = without_spack(folder / "checkout")
        self.site = site_file(folder / "site.yaml")
        self.prefix, self.archive = folder / "a prefix", folder / "out" / "site.tar"
        self.archive.parent.mkdir()
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "SPACK_"))}
        self.env |= {"DEEPRC_SPACK_ENV": str(self.root / "spack-env"), "SPACK_ROOT": str(self.root / "spack")}
        self.fingerprint = secret_key(folder / "gpg")
        self.env["GNUPGHOME"] = str(folder / "gpg")
        self.index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.root / "index")}

    def deeprc(self, *words: object, **env: str) -> subprocess.CompletedProcess:
        command = [str(DEEPRC), "spack", words[0], "--site", self.site, *words[1:]]
        return subprocess.run(list(map(str, command)), env=self.env | env, capture_output=True, text=True)


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> Facility:
    """One archive, written where there is a network (an index of wheels)."""
    made = Facility(tmp_path_factory.mktemp("facility"))
    packages = ["--packages", made.root / "packages"]
    done = made.deeprc("mirror", "--out", made.archive, *packages, **made.index)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == str(made.archive)
    return made


@pytest.fixture(scope="module")
def built(facility: Facility) -> list:
    """The environment, built from the archive with the printed commands, and what Spack was told meanwhile."""
    cache = ["--cache", facility.archive.with_name("cache"), "--sign", facility.fingerprint]
    printed = facility.deeprc("build", "--prefix", facility.prefix, "--offline", facility.archive, *cache)
    assert printed.returncode == 0, printed.stderr
    assert not facility.prefix.exists()  # printing does nothing
    shutil.rmtree(facility.root / "index")  # whatever was there before is out of reach
    done = subprocess.run(["bash"], input=printed.stdout, env=facility.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in (facility.prefix / "calls").read_text().splitlines()]


def test_the_archive_holds_all_of_it_and_nothing_of_whoever_made_it(facility: Facility) -> None:
    with tarfile.open(facility.archive) as tar:
        members = {member.name: member for member in tar}
        sums = tar.extractfile("SHA256SUMS").read().decode()
    wheels = {f"wheels/{name}-1.0-py3-none-any.whl" for name in ("builder", "clingo", "plain", "probe")}
    assert {"build.sh", "build.json", "sources/_source-cache/a.tar.gz", "source/app/stub.py", *wheels} <= members.keys()
    assert {
        "spack/bin/spack",
        "spack/etc/spack/defaults/config.yaml",
        "spack-packages/repos/repo.yaml",
    } <= members.keys()
    assert not [name for name in members if "/opt/" in name or ".git" in name or name == "spack/etc/spack/repos.yaml"]
    assert {(member.uid, member.uname, member.mtime) for member in members.values()} == {(0, "", TIME)}
    links = {name for name, member in members.items() if member.issym()}
    assert {line[66:] for line in sums.splitlines()} == members.keys() - links - {"SHA256SUMS"}
    check = ["sha256sum", "--check", "--quiet", f"{facility.archive.name}.sha256"]
    assert subprocess.run(check, cwd=facility.archive.parent).returncode == 0


def test_the_printed_commands_build_offline_and_the_environment_sees_what_spack_built(
    facility: Facility, built
) -> None:
    assert subprocess.run([facility.prefix / "venv/bin/deeprc"], capture_output=True, text=True).stdout == "42\n"
    code = "import plain, probe; print(plain.__file__, probe.__file__, sep='\\n')"
    command = [facility.prefix / "venv/bin/python", "-c", code]
    installed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    assert installed[0].startswith(str(facility.prefix / "venv"))
    assert installed[1].startswith(str(facility.prefix / "spack-env"))  # not the wheel
    assert [call[0][0] for call in built] == ["concretize", "python", "install", "buildcache"]
    for _, proxies in built:
        assert {value for name, value in proxies.items() if name == name.lower()} == {"http://127.0.0.1:9"}
    scope = (facility.prefix / "spack-scope" / "mirrors.yaml").read_text()
    # Where bootstrapping is off, Spack 1.1 refuses the machine's own gpg, too; it has nowhere to fetch from.
    bootstrap = yaml.safe_load((facility.prefix / "spack-scope" / "bootstrap.yaml").read_text())["bootstrap"]
    assert bootstrap["enable"] and bootstrap["sources:"] == []
    sources = "'mirrors:':\n  sources:\n    url: $DEEPRC_SPACK_PREFIX/sources\n    source: true\n    binary: false\n"
    builds = f"  builds:\n    url: {facility.archive.with_name('cache')}\n    source: false\n"
    assert scope == f"{sources}{builds}    binary: true\n    signed: true\n"


def test_a_machine_without_deep_rc_builds_from_the_unpacked_archive(facility: Facility, built, tmp_path: Path) -> None:
    with tarfile.open(facility.archive) as tar:
        unpack(tar, tmp_path)
    env = {"PATH": f"{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(["bash", tmp_path / "build.sh"], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([tmp_path / "venv/bin/deeprc"], capture_output=True, text=True).stdout == "42\n"
    (tmp_path / "sources/_source-cache/a.tar.gz").write_text("another")
    done = subprocess.run(["bash", tmp_path / "build.sh"], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert "sources/_source-cache/a.tar.gz: FAILED" in done.stdout + done.stderr


def test_a_key_that_is_not_there_is_told_before_anything_is_built(facility: Facility, tmp_path: Path) -> None:
    """Spack would build for hours, and then sign with whatever key there is."""
    cache = ["--cache", tmp_path / "cache", "--sign", "0" * 40]
    printed = facility.deeprc("build", "--prefix", facility.prefix, "--offline", facility.archive, *cache)
    trial = next(line for line in printed.stdout.splitlines() if "--detach-sign" in line)
    done = subprocess.run(["bash", "-c", trial], env=facility.env, capture_output=True, text=True)
    assert done.returncode != 0 and "No secret key" in done.stderr


def rewritten(archive: Path, out: Path, change) -> Path:
    """The archive with its members passed through `change(member, content)`: None leaves one out."""
    with tarfile.open(archive) as old, tarfile.open(out, "w") as new:
        for member in old:
            content = old.extractfile(member).read() if member.isfile() else b""
            if (kept := change(member, content)) is not None:
                member.size = len(kept)
                new.addfile(member, io.BytesIO(kept))
    return out


def test_a_changed_archive_or_another_partitions_is_refused_before_anything_is_touched(
    facility, built, tmp_path
) -> None:
    cases = {
        "changed": lambda member, content: content + b"x" if member.name.endswith("stub.py") else content,
        "missing": lambda member, content: None if member.name.endswith("stub.py") else content,
        "without": lambda member, content: None if member.name == "SHA256SUMS" else content,
    }
    for name, change in cases.items():
        archive = rewritten(facility.archive, tmp_path / f"{name}.tar", change)
        done = facility.deeprc("prepare", "--prefix", tmp_path / name, "--offline", archive)
        assert done.returncode != 0
        assert "not as `deeprc spack mirror` wrote it" in done.stderr
        assert not list((tmp_path / name).iterdir())
    with tarfile.open(facility.archive) as tar:
        record = tar.extractfile("build.json").read()
    older = record.replace(version("deeprc").encode(), b"0.0.9")
    assert older != record
    sums = [hashlib.sha256(text).hexdigest().encode() for text in (record, older)]
    changes = {"build.json": (record, older), "SHA256SUMS": sums}
    old = rewritten(
        facility.archive,
        tmp_path / "old.tar",
        lambda member, content: content.replace(*changes.get(member.name, (b"-", b"-"))),
    )
    done = facility.deeprc("prepare", "--prefix", tmp_path / "old", "--offline", old)
    assert "written by another release of Deep RC" in done.stderr and "found: 0.0.9" in done.stderr
    assert not list((tmp_path / "old").iterdir())
    facility.site.write_text(facility.site.read_text().replace("name: example", "name: other"))
    done = facility.deeprc("prepare", "--prefix", tmp_path / "other", "--offline", facility.archive)
    assert "this prefix holds another environment" in done.stderr
    assert not list((tmp_path / "other").iterdir())
