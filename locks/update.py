"""Make the locks anew: `make lock` keeps versions that still fit, `make lock ARGS=--upgrade` takes the newest ones.

Runs with the packages of tools.txt. Which index the hashes are from is uv's own setting; none is written down.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

LOCKS = Path(__file__).resolve().parent
ROOT = LOCKS.parent
HEAD = "# Made by `make lock` from pyproject.toml; never edited by hand.\n"
# PyTorch as the index has it, and what only that asks for: gigabytes that its CPU build (torch-cpu.txt) does without.
CUDA = ("torch==", "nvidia-", "cuda-", "triton==")
OURS = "workflow"  # asks for the executor's wheel, which is the checkout's own, with what Deep RC itself asks for
# No part of the environment: the first and the last have locks of their own, written by hand.
APART = ("zero-shot", "mlflow", "axe")


def compiled(name: str, known: str, *arguments: str) -> str:
    """What uv makes of pyproject.toml for all platforms, with the versions in `known` where they fit."""
    oldest = re.search(r">=\s*([\d.]+)", PROJECT["project"]["requires-python"])[1]
    out = LOCKS / f".{name}.new"
    try:
        out.write_text(known)
        uv = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "--universal", "--generate-hashes"]
        uv += ["--no-header", "--quiet", "--no-python-downloads", "--python-version", oldest, "--output-file", str(out)]
        subprocess.run([*uv, *arguments, *sys.argv[1:]], cwd=ROOT, check=True)
        return out.read_text()
    finally:
        out.unlink(missing_ok=True)


def entries(text: str) -> list[str]:
    """A lock's packages, each with its hashes and with what asks for it."""
    return [entry for entry in re.split(r"^(?=[^\s#])", text, flags=re.M) if entry.strip() and entry[0] != "#"]


def write(name: str, found: list[str]) -> None:
    """Write a lock, whole or not at all."""
    new = LOCKS / f".{name}.new"
    new.write_text(HEAD + "".join(found))
    new.replace(LOCKS / name)


def known(*names: str) -> str:
    """The versions in the locks that there are. Without their hashes, which uv would keep."""
    text = "".join((LOCKS / name).read_text() for name in names if (LOCKS / name).exists())
    return re.sub(r" \\\n +--hash=\S+", "", text)


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

if __name__ == "__main__":
    locked = known("environment.txt", "torch-cuda.txt")
    extras = [f"--extra={name}" for name in PROJECT["project"]["optional-dependencies"] if name not in (OURS, *APART)]
    found = entries(compiled("environment.txt", locked, "pyproject.toml", *extras))
    write("torch-cuda.txt", [entry for entry in found if entry.startswith(CUDA)])
    write("environment.txt", [entry for entry in found if not entry.startswith(CUDA)])
    for group in PROJECT["dependency-groups"].keys() - APART:
        shared = ("--constraints", "locks/environment.txt")
        write(f"{group}.txt", entries(compiled(f"{group}.txt", known(f"{group}.txt"), "--group", group, *shared)))
