"""What a build of a site's environment starts from: tree, externals of the site, code, pins, Spack's settings."""

from __future__ import annotations

import json
import shutil
import tomllib
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deeprc.core import needs
from deeprc.core.errors import ConfigError
from deeprc.core.files import atomic
from deeprc.core.source import copy_source
from deeprc.images.lock import Locked, needed, read
from deeprc.sites import Partition, Site
from deeprc.spack.choose import ARCHITECTURE_KEYS, Choice
from deeprc.spack.externals import externals
from deeprc.spack.tree import OVERRIDES, spec_version

# What Spack has built by then, or what must be the machine's own: a wheel of these would hide it.
BY_SPACK = {"torch", "tensorflow", "tensorflow-cpu", "numpy", "pyarrow", "mpi4py", "mpich"}
PROGRAMS = Path(__file__).with_name("programs")
PREFIX = "DEEPRC_SPACK_PREFIX"  # the variable by which Spack's settings find the prefix, so that it can be moved


@dataclass(frozen=True)
class Cache:
    """A signed build cache.

    Attributes
    ----------
    url
        Where it is: a folder, `https://…`, `s3://…`, `oci://…`.
    keys
        Files of the public keys of those whose builds are taken.
    sign
        The fingerprint of the secret key that new builds are signed with and pushed; None where it is only read.
    """

    url: str
    keys: tuple[Path, ...] = ()
    sign: str | None = None


@dataclass(frozen=True)
class Build:
    """What a build needs to know.

    Attributes
    ----------
    prefix
        The folder that everything goes into: `spack/`, `spack-env/`, `store/`, `venv/`.
    tree, source
        The tree of Spack environments; the checkout of Deep RC that is installed.
    spack, packages
        A Spack and its packages that are there already; None where they are to be cloned at the pinned tags.
    jobs
        Compilers at once.
    cache
        A build cache to use, and to fill.
    archive
        What `deeprc spack mirror` wrote: the build takes everything from it, and nothing from elsewhere.
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
    cache: Cache | None = None
    archive: Path | None = None
    named: str = field(default="")  # the site as the user named it

    @property
    def environment(self) -> Path:
        """The folder of the variant's spack.yaml within the prefix."""
        return self.prefix / "spack-env" / "variants" / self.choice.variant.name

    @property
    def identity(self) -> dict[str, str]:
        """What a prefix is made for: one partition of one site."""
        return {"site": self.site.name, "partition": self.partition.name, "variant": self.choice.variant.name}


def prepare(build: Build) -> None:
    """Write into the prefix what the commands of a build refer to; what an earlier build made there stays.

    Raises
    ------
    ConfigError
        Where the prefix is another partition's: its environment would be taken to pieces.
    """
    mine(build)
    _copy_tree(build)
    with atomic(build.prefix / "source") as folder:
        copy_source(build.source, folder)
    with atomic(build.prefix / "programs") as folder:
        shutil.copytree(PROGRAMS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    with atomic(build.prefix / "requirements") as folder:
        folder.mkdir()
        locks = build.source / "locks"
        shutil.copy(locks / "build.txt", folder)
        solver = needed(read(locks / "images.txt"), ["clingo"], markers(build, "3.12"))
        (folder / "solver.txt").write_text(lines(solver), encoding="utf-8")
        (folder / "environment.txt").write_text(lines(pinned(build)), encoding="utf-8")
    settings(build)
    with atomic(build.prefix / "build.json") as path:
        path.write_text(json.dumps({**build.identity, "deeprc": version("deeprc")}, indent=1) + "\n")


def mine(build: Build) -> None:
    """Refuse the prefix of another partition."""
    record = build.prefix / "build.json"
    found = json.loads(record.read_text()) if record.is_file() else {}
    found = {key: found[key] for key in build.identity if key in found}
    if record.is_file() and found != build.identity:
        raise ConfigError(
            "this prefix holds another environment",
            where=build.prefix,
            found=" ".join(f"{key} {value}" for key, value in found.items()),
            expected=" ".join(f"{key} {value}" for key, value in build.identity.items()),
            fix="give each partition a --prefix of its own",
        )


def same_release(build: Build) -> None:
    """Refuse what another release of Deep RC has written: its commands and its files go together."""
    record = build.prefix / "build.json"
    found, own = json.loads(record.read_text()).get("deeprc", "none, so an older one"), version("deeprc")
    if found != own:
        raise ConfigError(
            "this archive was written by another release of Deep RC",
            where=build.archive,
            found=found,
            expected=own,
            fix="unpack it into the prefix, and run the build.sh that it brings",
        )


def _copy_tree(build: Build) -> None:
    """The tree with the site's folder in it and without the locks of others; views and locks of a build stay."""
    target = build.prefix / "spack-env"
    wanted: dict[str, bytes] = {}
    for path in sorted(build.tree.rglob("*")):
        if path.is_file() and path.name != "spack.lock" and not {".spack-env", "__pycache__"} & set(path.parts):
            wanted[path.relative_to(build.tree).as_posix()] = path.read_bytes()
    name = f"sites/{build.site.name}/packages.yaml"
    own = wanted.get(f"sites/{build.site.name}-{build.partition.name}/packages.yaml", wanted.get(name))
    if own is None:  # a facility's own, kept in the tree, counts more
        found = externals(build.site, build.partition, build.choice.family)
        own = found.text(build.site, build.partition).encode()
    wanted[name] = own
    if build.choice.gpu:
        wanted[f"sites/{build.site.name}/gpu.yaml"] = gpu_layer(*build.choice.gpu).encode()
    for old in target.rglob("*") if target.is_dir() else []:
        inner = old.relative_to(target)
        if (
            old.is_file()
            and inner.as_posix() not in wanted
            and old.name != "spack.lock"
            and ".spack-env" not in inner.parts
        ):
            old.unlink()
    for inner, content in wanted.items():
        with atomic(target / inner) as path:
            path.write_bytes(content)


def settings(build: Build) -> None:
    """Spack's settings: nothing of the user's or the machine's counts, and everything goes below the prefix."""
    root = f"${PREFIX}"
    packages = build.packages if build.packages and not build.archive else f"{root}/spack-packages"
    mirrors: dict[str, dict] = {}
    if build.archive:
        mirrors["sources"] = {"url": f"{root}/sources", "source": True, "binary": False}
    if build.cache:
        mirrors["builds"] = {"url": build.cache.url, "source": False, "binary": True, "signed": True}
    files = {
        # Ours is named here too: Spack's own default (`repos::` ends it) and the environment's list go down together.
        "repos": {
            "repos:": {
                "deeprc": f"{root}/spack-env/repo/spack_repo/deeprc",
                "builtin": f"{packages}/repos/spack_repo/builtin",
            }
        },
        "mirrors": {"mirrors:" if build.archive else "mirrors": mirrors},
        # The solver is a wheel of the lock, gpg the machine's own: nothing is fetched. Switched off, Spack 1.1 would
        # not look for the machine's gpg either, and neither sign nor check anything.
        "bootstrap": {"bootstrap": {"enable": True, "root": f"{root}/cache/bootstrap", "sources:": []}},
        "config": {
            "config": {
                "install_tree": {"root": f"{root}/store"},
                "source_cache": f"{root}/cache/sources",
                "checksum": True,
            }
        },
    }
    with atomic(build.prefix / "spack-scope") as scope:
        scope.mkdir()
        for name, content in files.items():
            (scope / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    with atomic(build.prefix / "keys") as folder:
        folder.mkdir()
        for number, key in enumerate(build.cache.keys if build.cache else ()):
            shutil.copy(key, folder / f"{number}.asc")


def overrides(build: Build, prefix: Path | str | None = None) -> dict[str, str]:
    """The environment variables that put the site's layers in place of the variant's own."""
    tree = f"{prefix or build.prefix}/spack-env"
    values = {OVERRIDES["site"]: f"{tree}/sites/{build.site.name}"}
    values |= {OVERRIDES[kind]: f"{tree}/{name}.yaml" for kind, name in build.choice.layers.items()}
    if build.choice.gpu:
        values[OVERRIDES["gpu"]] = f"{tree}/sites/{build.site.name}/gpu.yaml"
    return values


def gpu_layer(key: str, architecture: str) -> str:
    """A layer for GPUs that no layer of the tree names: `cuda_arch`, `86`."""
    package = {key: package for package, key in ARCHITECTURE_KEYS.values()}[key]
    text = f"{key}={architecture}"
    packages: dict = {"all": {"prefer": [text]}}
    packages |= {name: {"require": [text]} for name in (package, "py-torch", "py-tensorflow")}
    return yaml.safe_dump({"packages": packages}, sort_keys=False)


def requirements(source: Path) -> list[str]:
    """What pip installs: the requirements of a checkout of Deep RC without those that Spack builds."""
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {})
    wanted = [*project.get("dependencies", []), *(text for extra in needs.extras() for text in extras.get(extra, []))]
    return [text for text in wanted if canonicalize_name(Requirement(text).name) not in BY_SPACK]


def pinned(build: Build) -> list[Locked]:
    """The packages of `requirements` and what they need, at the locked versions, without those that Spack builds."""
    lock = read(build.source / "locks" / "environment.txt")
    python = spec_version(build.choice.variant, "python") or "3.12"
    return [
        each for each in needed(lock, requirements(build.source), markers(build, python)) if each.name not in BY_SPACK
    ]


def markers(build: Build, python: str) -> dict[str, str]:
    """What the markers of the lock are asked for."""
    return {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": build.partition.architecture,
    }


def lines(packages: list[Locked]) -> str:
    """A file for `pip --require-hashes`."""
    return "".join(f"{package}\n" for package in packages)
