"""The modulefiles' text, in Lua for Lmod and in Tcl for Environment Modules (and for Lmod, which reads both)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from deeprc.core import needs
from deeprc.images.catalog import Image
from deeprc.sites import Site

# What `module spider`, `module keyword` and `module category` find it by.
CATEGORY = "workflows, machine learning, data"
KEYWORDS = ("Snakemake", "RADICAL-Pilot", "dataframes", "MPI", "PyTorch", "TensorFlow")


@dataclass(frozen=True)
class Chosen:
    """The image that a module of its own stands for: its catalog entry, and its file in the shared folder."""

    image: Image
    path: Path


def lmod(version: str, folder: Path, images: Path, site: Site, chosen: Chosen | None = None) -> str:
    """The modulefile of a release for Lmod, or of an image for that release."""
    lines = [f"help({_lua(_help(version, site, chosen))})"]
    lines += [f"whatis({_lua(f'{name}: {value}')})" for name, value in _facts(version, site, chosen).items()]
    lines += ['conflict("deeprc")']
    if chosen:
        path = _lua(str(chosen.path))
        lines.append(f"if not isFile({path}) then LmodError({_lua(_gone(chosen))}) end")
    for module in required(site):
        path = _use(module)
        lines.append(f"prepend_path({_lua('MODULEPATH')}, {_lua(path)})" if path else f"depends_on({_lua(module)})")
    variables = _variables(folder, site, chosen)
    lines += [f"setenv({_lua(name)}, {_lua(value)})" for name, value in variables.items()]
    lines += [f"prepend_path({_lua(name)}, {_lua(value)})" for name, value in _paths(folder, images)]
    return "\n".join(lines) + "\n"


def tcl(version: str, folder: Path, images: Path, site: Site, chosen: Chosen | None = None) -> str:
    """The modulefile of a release, or of an image for that release, for Environment Modules."""
    lines = ["#%Module1.0", "proc ModulesHelp { } {", f"    puts stderr {_tcl(_help(version, site, chosen))}", "}"]
    facts = _facts(version, site, chosen)
    told = [
        f"deeprc {version}: {facts['Description']}",
        *(f"{name}: {facts[name]}" for name in ("Category", "Keywords")),
    ]
    lines += [f"module-whatis {_tcl(line)}" for line in told]
    lines.append("conflict deeprc")
    if chosen:
        lines.append(f"if {{![file isfile {_tcl(str(chosen.path))}]}} {{ puts stderr {_tcl(_gone(chosen))}; break }}")
    for module in required(site):
        path = _use(module)
        lines.append(f"module use {_tcl(path)}" if path else f"module load {module}")
    lines += [f"setenv {name} {_tcl(value)}" for name, value in _variables(folder, site, chosen).items()]
    lines += [f"prepend-path {name} {_tcl(value)}" for name, value in _paths(folder, images)]
    return "\n".join(lines) + "\n"


def required(site: Site) -> list[str]:
    """The modules that the commands themselves need: the site's, and its container runtime's where that is everywhere.

    A task's own (its partition's, its MPI's) are loaded where it starts, see `deeprc plan`.
    """
    runtime = site.runtime.modules if site.runtime.where == "everywhere" else []
    return list(dict.fromkeys([*site.modules, *runtime]))


def _variables(folder: Path, site: Site, chosen: Chosen | None) -> dict[str, str]:
    image = {"DEEPRC_IMAGE": chosen.image.name, "DEEPRC_IMAGE_FILE": str(chosen.path)} if chosen else {}
    return image | {
        "DEEPRC_SITE": site.name,
        "DEEPRC_SITES": str(folder / "site-configs"),
        "DEEPRC_CATALOG": str(folder / "containers" / "catalog.yaml"),
        "DEEPRC_SPACK_ENV": str(folder / "spack-env"),
    }


def _paths(folder: Path, images: Path) -> list[tuple[str, str]]:
    return [
        ("PATH", str(folder / "bin")),
        ("DEEPRC_PROFILES", str(folder / "profiles")),
        ("DEEPRC_SHARED_IMAGES", str(images)),
    ]


def _facts(version: str, site: Site, chosen: Chosen | None) -> dict[str, str]:
    """What module systems show of it, by their own words for it."""
    what = f"data engineering and deep learning as one pipeline, set up for {site.name}"
    more = [chosen.image.name, *(mpi.implementation for mpi in chosen.image.mpi)] if chosen else []
    if chosen and chosen.image.accelerator:
        more += [chosen.image.accelerator.vendor, chosen.image.accelerator.toolkit]
    return {
        "Name": "deeprc",
        "Version": version,
        "Description": f"{what}, in the image {chosen.image.name}" if chosen else what,
        "Category": CATEGORY,
        "Keywords": ", ".join([*KEYWORDS, *needs.ours(), *more]),
        "URL": site.url,
    }


def _gone(chosen: Chosen) -> str:
    return f"deeprc: the image {chosen.path} is not there any more; ask whoever publishes deeprc here"


def _help(version: str, site: Site, chosen: Chosen | None) -> str:
    image = [f"Jobs run in the image {chosen.image.name}: {chosen.image.description}", ""] if chosen else []
    return "\n".join(
        [
            f"Deep RC {version} for {site.name}: {site.description}",
            "",
            *image,
            f"  snakemake --profile site/{site.name} -n     what would run",
            f"  snakemake --profile site/{site.name}        both pipelines, results below the working directory",
            f"  deeprc plan --site {site.name} -- CMD       how a task would be started",
            "",
            f"Questions: {site.contact}",
        ]
    )


def _use(module: str) -> str | None:
    return module.removeprefix("use ") if module.startswith("use ") else None


def _lua(text: str) -> str:
    # JSON's escapes are Lua's as well, as long as nothing beyond ASCII is escaped.
    return json.dumps(text, ensure_ascii=False)


def _tcl(text: str) -> str:
    return '"' + re.sub(r'([\\"$\[\]{}])', r"\\\1", text) + '"'
