"""A small checkout whose Spack environment is one Python package: what `deeprc spack` builds in seconds."""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import yaml

from samples.sites import PLAIN

CHECKOUT = Path(__file__).resolve().parents[2]
PLUGIN = Path("app", "snakemake_executor_plugin_radical_pilot")
PYTHON = ".".join(map(str, sys.version_info[:2]))
PACKAGE = '''from pathlib import Path

from spack_repo.builtin.build_systems.generic import Package

from spack.package import *


class PyProbe(Package):
    """One Python package, as if it were compiled."""

    homepage = "https://example.org"
    url = "file://{archive}"
    version("1.0", sha256="{sum}")
    extends("python")
    depends_on("python-venv", type=("build", "run"))

    def install(self, spec, prefix):
        folder = Path(python_platlib)
        info = folder / "probe-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / "probe.py").write_text(Path("probe.py").read_text())
        (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: probe\\nVersion: 1.0\\n")
        (info / "WHEEL").write_text("Wheel-Version: 1.0\\nRoot-Is-Purelib: false\\n")
        (info / "RECORD").write_text("")
'''
PIP = '''import ensurepip
import glob
import os
import zipfile

from spack_repo.builtin.build_systems.generic import Package

from spack.package import *


class PyPip(Package):
    """The pip that this Python carries: no network is asked for another."""

    homepage = "https://example.org"
    has_code = False
    version("1.0")
    extends("python")
    depends_on("python-venv", type=("build", "run"))

    def install(self, spec, prefix):
        (wheel,) = glob.glob(os.path.join(os.path.dirname(ensurepip.__file__), "_bundled", "pip-*.whl"))
        zipfile.ZipFile(wheel).extractall(python_platlib)
'''
STUB = """[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "deeprc"
version = "1"
scripts = {deeprc = "stub:main"}
[tool.setuptools]
package-dir = {"" = "app"}
py-modules = ["stub"]
"""


def checkout(folder: Path) -> Path:
    """A checkout with a `spack-env` whose variant cpu-mpich is the package `py-probe` (`probe-1.0.tar.gz`)."""
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "stub.py").write_text("def main():\n    import probe\n    print(probe.answer)\n")
    (folder / "pyproject.toml").write_text(STUB)
    (folder / PLUGIN).mkdir()
    (folder / PLUGIN / "pyproject.toml").write_text(STUB.partition("scripts")[0].replace('"deeprc"', '"plugin"'))
    for name in ("README.md", "LICENSE"):
        (folder / name).write_text("")
    shutil.copytree(CHECKOUT / "locks", folder / "locks")
    source = folder / "probe-1.0" / "probe.py"
    source.parent.mkdir()
    source.write_text("answer = 42\n")
    archive = folder / "probe-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(source.parent, "probe-1.0")
    tree = folder / "spack-env"
    ignored = shutil.ignore_patterns("variants", ".spack-env", "__pycache__")
    shutil.copytree(CHECKOUT / "spack-env", tree, ignore=ignored)
    packages = tree / "repo/spack_repo/deeprc/packages"
    total = hashlib.sha256(archive.read_bytes()).hexdigest()
    for name, text in {"py_probe": PACKAGE.format(archive=archive, sum=total), "py_pip": PIP}.items():
        (packages / name).mkdir()
        (packages / name / "package.py").write_text(text)
    python = {"spec": f"python@{platform.python_version()}", "prefix": sys.base_prefix}
    layer = {
        "definitions": [{"stack": [f"python@{PYTHON}", "py-pip", "py-probe"]}],
        # Packages that cannot come in are not looked at.
        "concretizer": {"unify": True, "reuse": False, "static_analysis": True},
        "packages": {"python": {"buildable": False, "externals": [python]}},
    }
    (tree / "common" / "probe.yaml").write_text(yaml.safe_dump(layer))
    slot = {"name": "site", "path": "../../sites/generic", "path_override_env_var": "DEEPRC_SPACK_SITE"}
    variant = {
        "include": [slot, "../../common/probe.yaml"],
        "repos": {"deeprc": "../../repo/spack_repo/deeprc"},
        "specs": ["$stack"],
        "view": True,
    }
    (tree / "variants" / "cpu-mpich").mkdir(parents=True)
    (tree / "variants" / "cpu-mpich" / "spack.yaml").write_text(yaml.safe_dump({"spack": variant}, sort_keys=False))
    return folder


def site_file(path: Path) -> Path:
    """A site whose only partition takes that variant."""
    mpi = {"implementation": "mpich", "family": "mpich"}
    net = {"fabric": "ethernet", "description": "Ethernet", "provider": "tcp"}
    part = {"name": "main", "architecture": platform.machine(), "cores": 2}
    runs = {"scheduler": {"name": "fork"}, "launcher": {"name": "mpiexec-hydra"}, "interconnect": net}
    path.write_text(yaml.safe_dump(PLAIN | {"name": "example", "mpi": [mpi], "partitions": [part]} | runs))
    return path


def gpg(home: Path, *words: str) -> str:
    """What gpg prints, with the keys of this folder."""
    home.mkdir(mode=0o700, exist_ok=True)
    command = ["gpg", "--homedir", home, "--batch", "--quiet", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def secret_key(home: Path, name: str = "builder") -> str:
    """Make a key without a passphrase; its fingerprint."""
    gpg(home, "--passphrase", "", "--quick-generate-key", name, "default", "default", "never")
    listing = gpg(home, "--with-colons", "--list-keys", name).splitlines()
    return next(line.split(":")[9] for line in listing if line.startswith("fpr:"))


BACKEND = """import base64, hashlib, zipfile
from pathlib import Path


def build_wheel(folder, config=None, metadata=None):
    info, name = "deeprc-1.dist-info", "deeprc-1-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder) / name, "w") as wheel:
        wheel.write(Path(__file__).with_name("stub.py"), "stub.py")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: deeprc\\nVersion: 1\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\\ndeeprc = stub:main\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""
BACKED = """[build-system]
requires = []
build-backend = "backend"
backend-path = ["app"]
[project]
name = "deeprc"
version = "1"
dependencies = ["plain==1.0", "probe==1.0"]
"""
SPACK = '''#!/usr/bin/env python3
"""In Spack's place: what its commands leave behind, and what they were told by the environment."""
import ensurepip, json, os, subprocess, sys, zipfile
from pathlib import Path

scope, environment, command = Path(sys.argv[2]), Path(sys.argv[4]), sys.argv[5]
with (Path(os.environ["DEEPRC_SPACK_PREFIX"]) / "calls").open("a") as calls:
    calls.write(json.dumps([sys.argv[5:], {k: v for k, v in os.environ.items() if "proxy" in k.lower()}]) + "\\n")
if command == "concretize":
    (environment / "spack.lock").write_text("{}")
if command == "mirror":
    folder = Path(sys.argv[sys.argv.index("--directory") + 1])
    (folder / "probe").mkdir(parents=True)
    (folder / "_source-cache").mkdir()
    (folder / "_source-cache" / "a.tar.gz").write_text("source")
    (folder / "probe" / "probe-1.0.tar.gz").symlink_to("../_source-cache/a.tar.gz")
if command == "install":
    if os.environ.get("all_proxy"):  # offline: the sources must have come along
        assert (Path(os.environ["DEEPRC_SPACK_PREFIX"]) / "sources/probe/probe-1.0.tar.gz").read_text() == "source"
    view = environment / ".spack-env" / "view"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", view], check=True)
    (packages,) = view.glob("lib/python3*/site-packages")
    (packages / "probe.py").write_text("answer = 42\\n")
    info = packages / "probe-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: probe\\nVersion: 1.0\\n")
    (info / "WHEEL").write_text("Root-Is-Purelib: false\\n")
    (wheel,) = Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl")
    zipfile.ZipFile(wheel).extractall(packages)
'''


def wheel(folder: Path, name: str, code: str = "") -> str:
    """Write a wheel of one module into `folder`; returns its line of a lock."""
    folder.mkdir(parents=True, exist_ok=True)
    path, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", code)
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    total = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{name}==1.0 \\\n    --hash=sha256:{total}\n    # via deeprc (pyproject.toml)\n"


def without_spack(folder: Path) -> Path:
    """The checkout for machines without Spack: a stand-in for it, `spack/`, and an index of small wheels, `index/`.

    All other programs are real: the wheel of `probe` must not get in, since Spack's stand-in has built that.
    """
    root = checkout(folder)
    (root / "app" / "backend.py").write_text(BACKEND)
    (root / "pyproject.toml").write_text(BACKED)
    plugin = re.sub(r".*stub.*\n", "", BACKEND.replace("deeprc", "plugin"))
    (root / PLUGIN / "backend.py").write_text(plugin)
    (root / PLUGIN / "pyproject.toml").write_text(
        BACKED.partition("dependencies")[0].replace("deeprc", "plugin").replace('"app"', '"."')
    )
    index = root / "index"
    made = {name: wheel(index, name) for name in ("clingo", "builder", "plain")}
    made["probe"] = wheel(index, "probe", "answer = 'a wheel in place of what Spack built'")
    (root / "locks" / "images.txt").write_text(made["clingo"])
    (root / "locks" / "build.txt").write_text(made["builder"])
    (root / "locks" / "environment.txt").write_text(made["plain"] + made["probe"])
    program = root / "spack" / "bin" / "spack"
    program.parent.mkdir(parents=True)
    program.write_text(SPACK)
    program.chmod(0o755)
    for name in ("etc/spack/repos.yaml", "opt/spack/built", ".git/HEAD", "etc/spack/defaults/config.yaml"):
        (root / "spack" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "spack" / name).write_text("of whoever this Spack belongs to")
    (root / "packages" / "repos").mkdir(parents=True)
    (root / "packages" / "repos" / "repo.yaml").write_text("repo: {}\n")
    return root
