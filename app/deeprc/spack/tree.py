"""The tree of Spack environments (spack-env/): its variants, and the layers that each is put together from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deeprc.core.errors import ConfigError, unknown
from deeprc.core.shipped import find
from deeprc.core.validation import read_yaml

# The environment variables that put another layer in one's place (Spack's `path_override_env_var`).
OVERRIDES = {
    "site": "DEEPRC_SPACK_SITE",
    "mpi": "DEEPRC_SPACK_MPI",
    "target": "DEEPRC_SPACK_TARGET",
    "gpu": "DEEPRC_SPACK_GPU",
    "plugin": "DEEPRC_SPACK_PLUGIN",
}
RDMA = {"cxi", "efa"}  # the fabrics that NCCL and RCCL reach through libfabric, and its plugin, only
TARGETS = {"x86_64_v3": "x86_64", "zen3": "x86_64", "sapphirerapids": "x86_64", "neoverse_v2": "aarch64"}


def spack_folder() -> Path:
    """The tree: $DEEPRC_SPACK_ENV, else the checkout's, else `spack-env` here."""
    return find(
        "DEEPRC_SPACK_ENV", "spack-env", "folder of Spack environments", lambda folder: (folder / "variants").is_dir()
    )


@dataclass
class Layer:
    """One file, or the packages.yaml of a site's folder."""

    path: Path
    data: dict[str, Any]

    @property
    def name(self) -> str:
        """Folder and name, as variants include it: `mpi/mpich`."""
        inner = self.path.parent if self.path.name == "packages.yaml" else self.path.with_suffix("")
        return f"{inner.parent.name}/{inner.name}"

    @property
    def specs(self) -> list[str]:
        """What it adds to the list of specs."""
        definitions = self.data.get("definitions") or []
        return [spec for each in definitions for spec in each.get("stack", [])]


@dataclass
class Variant:
    """One environment: `variants/<name>/spack.yaml`."""

    name: str
    path: Path
    includes: list[Path]
    slots: list[str] = field(default_factory=list)  # the names of includes that another layer can take the place of
    layers: list[Layer] = field(default_factory=list)  # those of `includes` that exist, in their order

    @property
    def image(self) -> str:
        """The name of the catalog's entry."""
        return self.name.removesuffix("-aarch64")

    @property
    def architecture(self) -> str:
        return "aarch64" if self.name.endswith("-aarch64") else "x86_64"

    @property
    def lock(self) -> Path:
        """The file that Spack has written of it; may not exist."""
        return self.path.with_name("spack.lock")

    @property
    def specs(self) -> list[str]:
        """All specs that its layers add up to."""
        return [spec for layer in self.layers for spec in layer.specs]

    def requirements(self, package: str) -> list[str]:
        """All that its layers require of a package, the foremost first."""
        found: list[str] = []
        for layer in self.layers:
            for item in (layer.data.get("packages") or {}).get(package, {}).get("require", []):
                texts = (
                    [item] if isinstance(item, str) else [item["spec"]] if "spec" in item else item.get("one_of", [])
                )
                found += texts
        return found

    def layer(self, folder: str) -> Layer | None:
        """Its layer out of a folder of the tree (`mpi`, `target`)."""
        return next((layer for layer in self.layers if layer.name.startswith(f"{folder}/")), None)


def read_layer(path: Path) -> Layer:
    """The layer in a file, or in a site's folder."""
    file = path / "packages.yaml" if path.is_dir() else path
    data = read_yaml(file)
    if not isinstance(data, dict):
        raise ConfigError("not a mapping of keys to values", where=file, found=type(data).__name__)
    return Layer(file, data)


def read_variant(path: Path) -> Variant:
    """The variant in a spack.yaml."""
    data = read_yaml(path)
    try:
        entries = data["spack"]["include"]
        texts = [entry if isinstance(entry, str) else entry["path"] for entry in entries]
    except (TypeError, KeyError):
        raise ConfigError("no list `include` under `spack`", where=path) from None
    includes = [(path.parent / text).resolve() for text in texts]
    slots = [entry["name"] for entry in entries if isinstance(entry, dict)]
    layers = [read_layer(include) for include in includes if include.exists()]
    return Variant(path.parent.name, path, includes, slots, layers)


def variants(folder: Path | None = None) -> list[Variant]:
    """All variants of the tree, sorted by name."""
    folder = folder or spack_folder()
    return [read_variant(path) for path in sorted(folder.glob("variants/*/spack.yaml"))]


def find_variant(name: str, folder: Path | None = None) -> Variant:
    """The variant called `name`."""
    folder = folder or spack_folder()
    known = {path.parent.name: path for path in folder.glob("variants/*/spack.yaml")}
    if name not in known:
        raise unknown("Spack variant", name, known, where=folder)
    return read_variant(known[name])  # it alone: they include a hundred layers


def layers(folder: Path) -> list[Layer]:
    """Every layer of the tree, whether a variant includes it or not."""
    files = [path for part in ("common", "accel", "mpi", "target") for path in sorted((folder / part).glob("*.yaml"))]
    return [read_layer(path) for path in [*files, *sorted(folder.glob("sites/*/packages.yaml"))]]


def package_of(spec: str) -> str:
    """The package that a spec is about: `py-torch` for `py-torch@2.9: +mpi`; empty for an anonymous one."""
    return re.match(r"[a-z0-9][a-z0-9-]*|", spec.strip()).group()


def version_of(spec: str) -> str | None:
    """The version that a spec asks for: `3.4.3` for `@3.4.3 device=ch4`; None where it leaves a choice."""
    match = re.search(r"@=?([\w.+-]+)(?=[\s+~%]|$)", spec)
    return match.group(1) if match and ":" not in spec[match.start() : match.end() + 1] else None


def spec_version(variant: Variant, package: str) -> str | None:
    """The version of a package that the variant asks for in its list of specs."""
    return next((version_of(spec) for spec in variant.specs if package_of(spec) == package), None)


def values_of(spec: str, key: str) -> set[str]:
    """The values of a variant in a spec: `{cxi, tcp}` of `fabrics=cxi,tcp`."""
    match = re.search(rf"(?:^|\s){re.escape(key)}:?=([\w,.-]+)", spec)
    return set(match.group(1).split(",")) if match else set()
