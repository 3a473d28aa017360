"""Where an image comes from: the commit, the recipe and every file that went in, in the form of SLSA 1.0.

The predicate lies in the image, so that its signature is over it. With the digest of the SIF, which only exists when
that is done, it is an in-toto statement: that is what lies beside an image and in the registry.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from deeprc.images import apptainer, sif, wheels

TYPE = "https://slsa.dev/provenance/v1"
STATEMENT = "https://in-toto.io/Statement/v1"
SOURCES = (
    "app",
    "containers",
    "locks",
    "hatch_build.py",
    "pyproject.toml",
    "spack-env",
)  # of the checkout, what goes into images


def predicate(facts: dict, context: Path) -> dict:
    """What is known before the build.

    Parameters
    ----------
    facts
        Those of the image (`image.json`).
    context
        The folder with all that goes in, `base.sif` among it: the Debian that it starts from.
    """
    inputs = [
        {"uri": "deeprc:debian", "digest": {"sha256": _debian(context / "base.sif")}},
        *map(_wheel, sorted(context.rglob("*.whl"))),
    ]
    if commit := _git("log", "-1", "--format=%H", "--", *SOURCES):
        changed = bool(_git("status", "--porcelain", "--untracked-files=no", "--", *SOURCES))
        inputs.insert(0, {"uri": "deeprc:source", "digest": {"gitCommit": commit}, "annotations": {"changed": changed}})
    chosen = {name: facts[name] for name in ("name", "architecture", "stages")}
    tools = {"deeprc": facts["labels"]["deeprc.version"], "apptainer": apptainer.version()}
    return {
        "buildDefinition": {
            "buildType": f"deeprc:image/{facts['labels']['deeprc.route']}",
            "externalParameters": chosen,
            "internalParameters": {"content": facts["labels"]["deeprc.content"]},
            "resolvedDependencies": inputs,
        },
        "runDetails": {"builder": {"id": "deeprc:image-build", "version": tools}},
    }


def statement(made: dict, name: str, digest: str) -> dict:
    """The predicate as a statement on the SIF file with that digest."""
    subject = {"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}
    return {"_type": STATEMENT, "subject": [subject], "predicateType": TYPE, "predicate": made}


def _wheel(path: Path) -> dict:
    name, release = path.name.split("-")[:2] if path.name.count("-") > 1 else (path.stem, "")
    uri = f"pkg:pypi/{name.replace('_', '-').lower()}" + (f"@{release}" if release else "")
    return {"uri": uri, "name": path.name, "digest": {"sha256": _digest(path)}}


def _debian(base: Path) -> str:
    """A hash of its packages and their versions: its file tells of the day and the mirror, too."""
    query = ["dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture}\n"]
    listed = apptainer.run("exec", "--containall", base, *query, what="asking for the base's packages", timeout=120)
    return hashlib.sha256(listed.encode()).hexdigest()


def _digest(path: Path) -> str:
    return sif.digest(path).removeprefix("sha256:")


def _git(*words: str) -> str | None:
    """What git says of the checkout; None where it is none."""
    command = ["git", "-C", str(wheels.checkout()), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
