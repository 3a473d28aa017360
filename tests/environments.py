"""A second environment without a second installation: its packages are those of the tests' environment."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

PACKAGES = Path(sysconfig.get_path("purelib"))


def make(venv: Path, first: Iterable[Path] = ()) -> Path:
    """Make one, without programs yet; the folder for its own packages.

    The others are seen by a path file (whose own path files, such as that of an editable installation, are not read),
    after the folders `first`.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (packages,) = venv.glob("lib/python3*/site-packages")
    (packages / "those-of-the-tests.pth").write_text("".join(f"{folder}\n" for folder in (*first, PACKAGES)))
    return packages


def equip(venv: Path) -> None:
    """Bring what packages have as programs, for this environment's Python, and MPICH's libraries."""
    for program in Path(sys.executable).parent.iterdir():
        if program.is_file():
            _bring(program, venv)
    for library in Path(sys.prefix, "lib").iterdir():
        if not library.name.startswith("python"):
            (venv / "lib" / library.name).symlink_to(library)


def _bring(program: Path, venv: Path) -> None:
    copy = venv / "bin" / program.name
    if copy.exists() or copy.is_symlink():
        return
    with program.open("rb") as file:
        first = file.readline(512)
    if first.startswith(b"#!") and sys.prefix.encode() in first:
        copy.write_bytes(program.read_bytes().replace(sys.prefix.encode(), str(venv).encode()))
        copy.chmod(0o755)
    else:
        copy.symlink_to(program)
