"""Releases under a prefix: the modulefiles' text, the default and its history, all or nothing."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deeprc.commands.module import app
from deeprc.core.errors import ConfigError
from deeprc.modules import release as releases
from deeprc.modules.install import install
from deeprc.modules.release import Release, lay_out, publish, wrapper
from deeprc.modules.text import CATEGORY, KEYWORDS, lmod, required, tcl
from deeprc.sites import Site, load_site
from samples.sites import PLAIN

CHECKOUT = Path(__file__).resolve().parents[3]
LOCALHOST = load_site("localhost")


def site(**changes) -> Site:
    """A site with a module of its own and one of its container runtime."""
    data = PLAIN | {
        "name": "example",
        "url": "docs/facility.md",
        "description": 'a "quoted" [site] for $5',
        "runtime": {"kind": "apptainer", "modules": ["apptainer"]},
        "modules": ["use /soft/modulefiles", "gcc/12"],
    }
    return Site.model_validate(data | changes)


def test_lua_exactly() -> None:
    text = lmod("1.0", Path("/apps/releases/1.0"), Path("/apps/images"), site())
    assert text.splitlines()[1:] == [
        'whatis("Name: deeprc")',
        'whatis("Version: 1.0")',
        'whatis("Description: data engineering and deep learning as one pipeline, set up for example")',
        f'whatis("Category: {CATEGORY}")',
        f'whatis("Keywords: {", ".join([*KEYWORDS, "forecasting", "hydrology"])}")',
        'whatis("URL: docs/facility.md")',
        'conflict("deeprc")',
        'prepend_path("MODULEPATH", "/soft/modulefiles")',
        'depends_on("gcc/12")',
        'depends_on("apptainer")',
        'setenv("DEEPRC_SITE", "example")',
        'setenv("DEEPRC_SITES", "/apps/releases/1.0/site-configs")',
        'setenv("DEEPRC_CATALOG", "/apps/releases/1.0/containers/catalog.yaml")',
        'setenv("DEEPRC_SPACK_ENV", "/apps/releases/1.0/spack-env")',
        'prepend_path("PATH", "/apps/releases/1.0/bin")',
        'prepend_path("DEEPRC_PROFILES", "/apps/releases/1.0/profiles")',
        'prepend_path("DEEPRC_SHARED_IMAGES", "/apps/images")',
    ]
    assert text.startswith('help("Deep RC 1.0 for example: a \\"quoted\\" [site] for $5\\n')


def test_tcl_exactly() -> None:
    lines = tcl("1.0", Path("/apps/releases/1.0"), Path("/apps/images"), site()).splitlines()
    assert lines[:3] == [
        "#%Module1.0",
        "proc ModulesHelp { } {",
        '    puts stderr "Deep RC 1.0 for example: a \\"quoted\\" \\[site\\] for \\$5',
    ]
    assert lines[-14:-6] == [
        'module-whatis "deeprc 1.0: data engineering and deep learning as one pipeline, set up for example"',
        f'module-whatis "Category: {CATEGORY}"',
        f'module-whatis "Keywords: {", ".join([*KEYWORDS, "forecasting", "hydrology"])}"',
        "conflict deeprc",
        'module use "/soft/modulefiles"',
        "module load gcc/12",
        "module load apptainer",
        'setenv DEEPRC_SITE "example"',
    ]


def test_runtime_on_compute_nodes_only_is_not_loaded_where_users_log_in() -> None:
    runtime = {"kind": "apptainer", "modules": ["tacc-apptainer"], "where": "compute"}
    assert required(site(runtime=runtime)) == ["use /soft/modulefiles", "gcc/12"]


def test_wrapper_starts_the_program_with_our_profiles_ahead(tmp_path: Path) -> None:
    program = tmp_path / "a folder" / "snakemake"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$XDG_CONFIG_DIRS|${PYTHONPATH-unset}|$1"\n')
    program.chmod(0o755)
    script = tmp_path / "wrapper"
    script.write_text(wrapper(Release(tmp_path, "1.0"), program))

    def start(**env: str) -> str:
        return subprocess.run(["sh", script, "a b"], env=env, capture_output=True, text=True, check=True).stdout.strip()

    assert start(DEEPRC_PROFILES="/p", PYTHONPATH="/x") == "/p:/etc/xdg|unset|a b"
    assert start(DEEPRC_PROFILES="/p", XDG_CONFIG_DIRS="/mine") == "/p:/mine|unset|a b"
    assert start() == "/etc/xdg|unset|a b"


def made(prefix: Path, version: str) -> Release:
    release = Release(prefix, version)
    lay_out(release, Path(sys.executable), CHECKOUT, copy=False)
    publish(release, LOCALHOST, ["lmod", "tcl"])
    return release


def test_default_its_history_and_the_way_back(tmp_path: Path) -> None:
    for version in ("0.9.0", "0.10.0", "0.10.0-1"):
        made(tmp_path, version)
        releases.set_default(tmp_path, version)
    assert releases.versions(tmp_path) == ["0.9.0", "0.10.0", "0.10.0-1"]
    releases.set_default(tmp_path, "0.10.0-1")  # once more: no second entry
    assert releases.defaults(tmp_path) == ["0.9.0", "0.10.0", "0.10.0-1"]
    for path in Release(tmp_path, "0.10.0").modulefiles.values():  # withdrawn meanwhile: going back passes over it
        path.unlink()
    assert releases.roll_back(tmp_path) == "0.9.0"
    assert (tmp_path / "modulefiles/deeprc/.version").read_text() == '#%Module1.0\nset ModulesVersion "0.9.0"\n'
    with pytest.raises(ConfigError, match="no earlier default"):
        releases.roll_back(tmp_path)
    with pytest.raises(ConfigError, match=r"did you mean '0\.9\.0'"):
        releases.set_default(tmp_path, "0.9")


@pytest.mark.parametrize("version", ["", "../up", "v1", "1.0/2", "1.0\n", "1 0"])
def test_versions_that_no_module_can_have(version: str) -> None:
    with pytest.raises(ConfigError, match="not a version"):
        Release(Path("/apps"), version)


def test_install_is_readable_by_all_and_writable_by_none_else(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        install(Release(tmp_path, "1.0"), LOCALHOST, CHECKOUT, ["lmod"], environment=Path(sys.prefix))
    finally:
        os.umask(old)
    folder = tmp_path / "releases" / "1.0"
    paths = [path for path in [folder, *folder.rglob("*")] if not path.is_symlink()]
    assert len(paths) > 20
    for path in paths:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o022 == 0
        assert mode & 0o444 == 0o444
        assert not path.is_dir() or mode & 0o111 == 0o111
    assert (folder / "profiles/snakemake/workflows/Snakefile").is_file()
    assert (folder / "profiles/snakemake/site/localhost/config.yaml").is_file()
    # What modules and shells go through from the prefix down is open, too.
    for path in (tmp_path / "modulefiles", tmp_path / "modulefiles/deeprc", tmp_path / "releases", tmp_path / "images"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o555 == 0o555
    for path in (tmp_path / "modulefiles/deeprc").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o444 == 0o444


def test_a_published_version_is_never_changed(tmp_path: Path) -> None:
    release = Release(tmp_path, "1.0")
    install(release, LOCALHOST, CHECKOUT, ["tcl"], environment=Path(sys.prefix))
    with pytest.raises(ConfigError, match="published there already"):
        install(release, LOCALHOST, CHECKOUT, ["tcl"], environment=Path(sys.prefix))


def test_a_failure_leaves_nothing_and_the_default_as_it_was(tmp_path: Path) -> None:
    install(Release(tmp_path, "1.0"), LOCALHOST, CHECKOUT, ["tcl"], environment=Path(sys.prefix))
    with pytest.raises(ConfigError, match="not an environment with Deep RC"):
        install(Release(tmp_path, "2.0"), LOCALHOST, CHECKOUT, ["tcl"], environment=tmp_path)
    assert [path.name for path in (tmp_path / "releases").iterdir() if path.is_dir()] == ["1.0"]
    assert releases.versions(tmp_path) == ["1.0"]
    assert releases.defaults(tmp_path) == ["1.0"]
    # After it is mended, the same version can be installed.
    (tmp_path / "releases/2.0/bin").mkdir(parents=True)
    install(Release(tmp_path, "2.0"), LOCALHOST, CHECKOUT, ["tcl"], environment=Path(sys.prefix))
    assert releases.defaults(tmp_path) == ["1.0", "2.0"]


def test_a_folder_that_is_no_checkout_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a checkout"):
        install(Release(tmp_path / "apps", "1.0"), LOCALHOST, tmp_path, ["tcl"], environment=Path(sys.prefix))


@pytest.mark.requires("tclsh")
def test_tcl_is_complete_tcl(tmp_path: Path) -> None:
    (tmp_path / "module").write_text(tcl("1.0", tmp_path, tmp_path, site()))
    stubs = "\n".join(
        f"proc {name} args {{}}" for name in ("module-whatis", "conflict", "module", "setenv", "prepend-path")
    )
    script = f"{stubs}\nproc puts args {{ set ::said [lindex $args end] }}\nsource {tmp_path}/module\nModulesHelp\n"
    script += 'if {![string match {*a "quoted" \\[site\\] for $5*} $::said]} { exit 3 }\n'
    assert subprocess.run(["tclsh"], input=script, text=True).returncode == 0


@pytest.mark.requires("root")
def test_what_write_makes_can_be_used_by_all_whatever_the_umask(sticky: Path) -> None:
    """Sticky, as /tmp: a folder that a stranger can get to."""
    prefix, old = sticky / "apps" / "deeprc", os.umask(0o077)
    words = ["write", "--site", "localhost", "--version", "1.0", "--prefix", str(prefix)]
    try:
        done = CliRunner().invoke(app, words)
    finally:
        os.umask(old)
    assert not done.exception and "others cannot" not in done.output, done.output
    paths = [path for path in [prefix.parent, prefix, *prefix.rglob("*")] if not path.is_symlink()]
    assert [path for path in paths if ~path.stat().st_mode & (0o555 if path.is_dir() else 0o444)] == []
    prefix.parent.chmod(0o700)
    said = CliRunner().invoke(app, [*words, "--system", "tcl"]).output
    assert f"others cannot read {prefix}/modulefiles/deeprc: {prefix.parent} has the mode 0700" in said


@pytest.mark.parametrize("name", ["a folder", "größe", "a:b", "a'b", "$HOME", "a\nb"])
def test_prefixes_that_module_systems_cannot_read(tmp_path: Path, name: str) -> None:
    done = CliRunner().invoke(app, ["write", "--site", "localhost", "--prefix", str(tmp_path / name)])
    assert "not a prefix that module systems can take" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_prefix_that_is_not_there_is_not_one_without_versions(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["list", "--prefix", str(tmp_path / "nope")])
    assert "no such prefix" in str(done.exception)
    done = CliRunner().invoke(app, ["list", "--prefix", str(tmp_path)])
    assert (done.exit_code, done.output) == (0, f"no version is published in {tmp_path}\n")
