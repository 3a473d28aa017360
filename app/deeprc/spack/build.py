"""The commands that build a site's environment: Spack at the pinned tags, the tree, the site's externals, pip."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path

import yaml

from deeprc.core.files import atomic
from deeprc.core.source import copy_source
from deeprc.core.validation import read_yaml
from deeprc.sites import Partition, Site
from deeprc.spack.choose import ARCHITECTURE_KEYS, Choice
from deeprc.spack.externals import externals
from deeprc.spack.tree import OVERRIDES

EXTRAS = ("forecasting", "hydrology")
# What Spack has built by then, or what must be the machine's own: a wheel of these would hide it.
BY_SPACK = {"torch", "tensorflow", "tensorflow-cpu", "numpy", "pyarrow", "mpi4py", "mpich"}


@dataclass(frozen=True)
class Build:
    """What a build needs to know.

    Attributes
    ----------
    prefix
        The folder that everything goes into: `spack/`, `spack-env/`, `venv/`.
    tree, source
        The tree of Spack environments; the checkout of Deep RC that is installed.
    spack, packages
        A Spack and its packages that are there already; None where they are to be cloned at the pinned tags.
    jobs
        Compilers at once.
    """

    site: Site
    partition: Partition
    choice: Choice
    prefix: Path
    tree: Path
    source: Path
    spack: Path | None = None
    packages: Path | None = None
    jobs: int | None = None

    @property
    def environment(self) -> Path:
        """The folder of the variant's spack.yaml within the prefix."""
        return self.prefix / "spack-env" / "variants" / self.choice.variant.name

    @property
    def venv(self) -> Path:
        return self.prefix / "venv"


def prepare(build: Build) -> None:
    """Write the tree into the prefix, with the site's folder in it and without the locks of others."""
    with atomic(build.prefix / "spack-env") as folder:
        for path in sorted(build.tree.rglob("*")):
            if path.is_file() and path.name != "spack.lock" and not {".spack-env", "__pycache__"} & set(path.parts):
                copy = folder / path.relative_to(build.tree)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
        site = folder / "sites" / build.site.name
        site.mkdir(parents=True, exist_ok=True)
        if not (site / "packages.yaml").exists():  # a facility's own, kept in the tree, counts more
            found = externals(build.site, build.partition, build.choice.family)
            (site / "packages.yaml").write_text(found.text(build.site, build.partition))
        if build.choice.gpu:
            (site / "gpu.yaml").write_text(gpu_layer(*build.choice.gpu))
    with atomic(build.prefix / "source") as folder:
        copy_source(build.source, folder)
    with atomic(build.prefix / "spack-scope") as scope:
        scope.mkdir()
        repository = (build.packages or build.prefix / "spack-packages") / "repos" / "spack_repo" / "builtin"
        # Ours is named here too: Spack's own default (`repos::` ends it) and the environment's list go down together.
        ours = build.prefix / "spack-env" / "repo" / "spack_repo" / "deeprc"
        (scope / "repos.yaml").write_text(
            yaml.safe_dump({"repos:": {"deeprc": str(ours), "builtin": str(repository)}}, sort_keys=False)
        )


def script(build: Build) -> str:
    """The build as a script of shell; `prepare` has written what it refers to."""
    pins = read_yaml(build.tree / "versions.yaml")
    spack_root = build.spack or build.prefix / "spack"
    lines = ["set -euo pipefail", ""]
    lines += [f"# Spack {pins['spack']['tag']}, packages {pins['packages']['tag']}"]
    if build.spack is None:
        lines += _clone(pins["spack"], build.prefix / "spack")
    if build.packages is None:
        lines += _clone(pins["packages"], build.prefix / "spack-packages")
    lines += ["", f"# {build.site.name}, partition {build.partition.name}: variant {build.choice.variant.name}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in overrides(build).items()]
    lines += [f"module {use}" for use in externals(build.site, build.partition).before]
    spack = shlex.join([f"{spack_root}/bin/spack", "-C", f"{build.prefix}/spack-scope", "-e", str(build.environment)])
    jobs = f" -j {build.jobs}" if build.jobs else ""
    lines += [f"{spack} concretize --force --fresh", f"{spack} install --fail-fast{jobs}", ""]
    lines += [
        "# The pure Python part, at the versions that Deep RC asks for; Spack's packages are seen through the venv."
    ]
    view = build.environment / ".spack-env" / "view"
    pip = shlex.quote(str(build.venv / "bin" / "pip"))
    lines.append(shlex.join([f"{view}/bin/python3", "-m", "venv", "--system-site-packages", str(build.venv)]))
    if "py-torch" not in {re.split("[@+~ ]", spec)[0] for spec in build.choice.variant.specs}:
        lines.append(
            "# PyTorch for these GPUs: install its wheel now, from the index that the PyTorch site names for them."
        )
    lines.append(f"{pip} install {shlex.join(requirements())}")
    lines.append(f"{pip} install --no-deps {shlex.quote(str(build.prefix / 'source'))}")
    return "\n".join(lines) + "\n"


def _clone(pin: dict, folder: Path) -> list[str]:
    place = shlex.quote(str(folder))
    clone = ["git", "clone", "--quiet", "--depth=1", f"--branch={pin['tag']}", pin["git"], str(folder)]
    lines = [f"test -d {place} || {shlex.join(clone)}"]
    if "commit" in pin:  # a tag can be moved
        lines.append(f'test "$(git -C {place} rev-parse HEAD)" = {pin["commit"]}')
    return lines


def overrides(build: Build) -> dict[str, str]:
    """The environment variables that put the site's layers in place of the variant's own."""
    tree = build.prefix / "spack-env"
    values = {OVERRIDES["site"]: str(tree / "sites" / build.site.name)}
    values |= {OVERRIDES[kind]: str(tree / f"{name}.yaml") for kind, name in build.choice.layers.items()}
    if build.choice.gpu:
        values[OVERRIDES["gpu"]] = str(tree / "sites" / build.site.name / "gpu.yaml")
    return values


def gpu_layer(key: str, architecture: str) -> str:
    """A layer for GPUs that no layer of the tree names: `cuda_arch`, `86`."""
    package = {key: package for package, key in ARCHITECTURE_KEYS.values()}[key]
    text = f"{key}={architecture}"
    packages: dict = {"all": {"prefer": [text]}}
    packages |= {name: {"require": [text]} for name in (package, "py-torch", "py-tensorflow")}
    return yaml.safe_dump({"packages": packages}, sort_keys=False)


def requirements() -> list[str]:
    """What pip installs: Deep RC's own requirements without those that Spack builds."""
    kept = []
    for text in requires("deeprc") or []:
        requirement, _, marker = (part.strip() for part in text.partition(";"))
        name = re.match(r"[\w.-]+", requirement).group().lower()
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", marker)
        if name not in BY_SPACK and (extra is None or extra.group(1) in EXTRAS):
            kept.append(requirement)
    return kept
