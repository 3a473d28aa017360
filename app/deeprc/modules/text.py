"""The modulefiles' text, in Lua for Lmod and in Tcl for Environment Modules (and for Lmod, which reads both)."""

from __future__ import annotations

import json
import re
from pathlib import Path

from deeprc.sites import Site


def lmod(version: str, folder: Path, images: Path, site: Site) -> str:
    """The modulefile of a release for Lmod."""
    lines = [
        f"help({_lua(_help(version, site))})",
        'whatis("Name: deeprc")',
        f"whatis({_lua(f'Version: {version}')})",
        f"whatis({_lua(f'Description: {_what(site)}')})",
        f"whatis({_lua(f'URL: {site.url}')})",
        'conflict("deeprc")',
    ]
    for module in required(site):
        path = _use(module)
        lines.append(f"prepend_path({_lua('MODULEPATH')}, {_lua(path)})" if path else f"depends_on({_lua(module)})")
    lines += [f"setenv({_lua(name)}, {_lua(value)})" for name, value in _variables(folder, site).items()]
    lines += [f"prepend_path({_lua(name)}, {_lua(value)})" for name, value in _paths(folder, images)]
    return "\n".join(lines) + "\n"


def tcl(version: str, folder: Path, images: Path, site: Site) -> str:
    """The modulefile of a release for Environment Modules."""
    lines = [
        "#%Module1.0",
        "proc ModulesHelp { } {",
        f"    puts stderr {_tcl(_help(version, site))}",
        "}",
        f"module-whatis {_tcl(f'deeprc {version}: {_what(site)}')}",
        "conflict deeprc",
    ]
    for module in required(site):
        path = _use(module)
        lines.append(f"module use {_tcl(path)}" if path else f"module load {module}")
    lines += [f"setenv {name} {_tcl(value)}" for name, value in _variables(folder, site).items()]
    lines += [f"prepend-path {name} {_tcl(value)}" for name, value in _paths(folder, images)]
    return "\n".join(lines) + "\n"


def required(site: Site) -> list[str]:
    """The modules that the commands themselves need: the site's, and its container runtime's where that is everywhere.

    A task's own (its partition's, its MPI's) are loaded where it starts, see `deeprc plan`.
    """
    runtime = site.runtime.modules if site.runtime.where == "everywhere" else []
    return list(dict.fromkeys([*site.modules, *runtime]))


def _variables(folder: Path, site: Site) -> dict[str, str]:
    return {
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


def _what(site: Site) -> str:
    return f"data engineering and deep learning as one pipeline, set up for {site.name}"


def _help(version: str, site: Site) -> str:
    return "\n".join(
        [
            f"Deep RC {version} for {site.name}: {site.description}",
            "",
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
