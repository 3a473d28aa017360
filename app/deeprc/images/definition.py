"""Definitions: the templates of `containers/`, filled with a catalog entry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jinja2

from deeprc.core import needs
from deeprc.core.errors import ConfigError
from deeprc.core.shipped import SHIPPED
from deeprc.images.catalog import Image, catalog_path
from deeprc.images.debian import SUITE

# What is tried of stages that no application brings.
IMPORTS = {"frames": ("deeprc.frames", "mpi4py", "polars", "pyarrow"), "cylon": ("pycylon", "mpi4py")}
# Verbs are the kernel's interface and safe to have inside; UCX and libfabric reach InfiniBand and RoCE through them.
PACKAGES = ("python3", "libstdc++6", "libibverbs1", "ibverbs-providers", "librdmacm1")
# What is needed while an image of wheels is built, and does not stay.
TOOLS = ("binutils",)
# What a host's MPI brings along. A copy in an image would be found first and not fit the host's kernel or daemons.
HOST_LIBRARIES = ("libfabric", "libcxi", "libpmi", "libpmi2", "libpals", "libxpmem")
PYCYLON = "0.4.0"  # the newest that is published as a conda package


def templates() -> Path:
    """The folder of the templates: the catalog's own, or Deep RC's where a catalog lies alone."""
    beside = catalog_path().parent
    return beside if any(beside.glob("*.def.j2")) else SHIPPED / "containers"


def imports(stage: str) -> list[str]:
    """What must be there for stages of one kind: an image imports it as soon as it is built."""
    return [*IMPORTS.get(stage, ()), *needs.modules(stage)]


def base(*, context: str = ".") -> str:
    """The definition of the Debian that every image starts from."""
    return _render("debian.def.j2", {"suite": SUITE, "packages": PACKAGES, "context": context})


def render(
    image: Image,
    *,
    base: str,
    context: str,
    stages: list[str],
    version: str,
    labels: Mapping[str, str],
    **inputs: object,
) -> str:
    """The definition of an image.

    Parameters
    ----------
    base, context
        The base's SIF file, and the folder with what the template copies.
    stages
        The stages that it is built for: the catalog entry's, or some of them.
    inputs
        What a route needs besides: `spack`, `spack_packages` and `spack_env` (folders), `micromamba` (a program).
    """
    # spack-env has a variant per processor, since its compiler targets differ.
    processor = labels["deeprc.architecture"]
    fixed = {
        "variant": image.name if processor == "x86_64" else f"{image.name}-{processor}",
        "bound": image.for_binding,
        "host_libraries": HOST_LIBRARIES,
        "pycylon": PYCYLON,
        "tools": TOOLS,
    }
    names = {"image": image, "base": base, "context": context, "stages": stages, "version": version, "labels": labels}
    return _render(f"{image.route}.def.j2", fixed | names | inputs)


def _render(name: str, values: dict) -> str:
    loader = jinja2.FileSystemLoader(templates())
    environment = jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    try:
        return environment.get_template(name).render(values)
    except jinja2.UndefinedError as error:
        raise ConfigError(f"the template needs a value: {error.message}", where=templates() / name) from None
    except jinja2.TemplateNotFound:
        raise ConfigError("no such template", where=templates() / name) from None
