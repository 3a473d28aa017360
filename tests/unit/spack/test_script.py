"""The commands of a build: exactly as printed, whole in themselves, at locked versions; what is refused before."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.testing import CliRunner

from deeprc.commands.spack import app
from deeprc.core.errors import ConfigError
from deeprc.images.catalog import load_catalog
from deeprc.images.lock import Locked
from deeprc.sites import load_site
from deeprc.spack.build import BY_SPACK, Build, Cache, pinned, prepare, requirements
from deeprc.spack.choose import choose
from deeprc.spack.script import fill_script, packed_script, script
from deeprc.spack.tree import spack_folder, variants

CATALOG, TREE = load_catalog(), spack_folder()
BIN = Path(sys.executable).parent


def build(site: str, partition: str | None = None, prefix: Path = Path("/sw/deep rc"), **options) -> Build:
    where = load_site(site)
    part = where.partition(partition)
    return Build(where, part, choose(where, part, CATALOG, TREE), prefix, TREE, TREE.parent, **options)


def test_the_commands_exactly() -> None:
    text = script(build("polaris", spack=Path("/opt/spack"), packages=Path("/opt/packages"), jobs=8))
    assert (
        text.replace(str(BIN), "BIN")
        == """\
set -euo pipefail
prefix='/sw/deep rc'
export DEEPRC_SPACK_PREFIX="$prefix"

# The tree, the site's externals, the code
BIN/deeprc spack prepare --site polaris --partition gpu --packages /opt/packages --prefix "$prefix"

# Spack v1.1.0, packages v2026.06.0

# polaris, partition gpu: variant cuda12-mpich-ofi
export DEEPRC_SPACK_SITE="$prefix/spack-env/sites/polaris"
export DEEPRC_SPACK_MPI="$prefix/spack-env/mpi/cray-mpich.yaml"
export DEEPRC_SPACK_TARGET="$prefix/spack-env/target/zen3.yaml"
# No settings but those below the prefix
export SPACK_DISABLE_LOCAL_CONFIG=true SPACK_USER_CACHE_PATH="$prefix/cache" PYTHONNOUSERSITE=1

# Spack's solver, as a wheel: Spack itself would fetch it from elsewhere
test -x "$prefix/solver/bin/python" || BIN/python -m venv "$prefix/solver"
"$prefix/solver/bin/python" -m pip install --quiet --no-deps --require-hashes --only-binary :all: \
--requirement "$prefix/requirements/solver.txt"
export SPACK_PYTHON="$prefix/solver/bin/python"
spack() { /opt/spack/bin/spack -C "$prefix/spack-scope" -e "$prefix/spack-env/variants/cuda12-mpich-ofi" "$@"; }

spack concretize --force --fresh
spack python "$prefix/programs/wrappers.py"
spack install --fail-fast --use-buildcache never -j 8

# The pure Python part, at the locked versions. Spack's Python brings no ensurepip: pip is that of the view
view="$prefix/spack-env/variants/cuda12-mpich-ofi/.spack-env/view"
python="$prefix/venv/bin/python"
cd "$prefix/requirements"
"$view/bin/python3" -m venv --without-pip --clear "$prefix/venv"
"$python" "$prefix/programs/join.py" "$view" environment.txt needed.txt
"$python" -m pip install --quiet --no-deps --require-hashes --only-binary :all: --requirement build.txt
"$python" -m pip install --quiet --no-deps --require-hashes --no-build-isolation --requirement needed.txt
"$python" -m pip install --quiet --no-deps --no-build-isolation "$prefix/source" \
"$prefix/source/app/snakemake_executor_plugin_radical_pilot"
"$python" -c 'import numpy, mpi4py, pyarrow, torch, tensorflow'
"$prefix/venv/bin/deeprc" --help >/dev/null
"""
    )


def test_a_checkout_of_another_commit_is_told_and_nothing_is_built_from_it() -> None:
    lines = script(build("anvil")).splitlines()
    clones = [line for line in lines if "git clone" in line]
    checks = [line for line in lines if "rev-parse HEAD" in line]
    assert len(clones) == len(checks) == 2
    assert all(re.search(r"= [0-9a-f]{40} \|\| \{ echo \"error: .*; exit 1; \}$", line) for line in checks)
    assert lines.index(checks[1]) < next(n for n, line in enumerate(lines) if line.startswith("spack concretize"))


def test_offline_asks_nobody(tmp_path: Path) -> None:
    text = script(build("anvil", archive=tmp_path / "a.tar"))
    assert "git clone" not in text
    assert f"--offline {tmp_path}/a.tar" in text
    assert text.index("export https_proxy=http://127.0.0.1:9") < text.index("pip install")
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert len(installs) == 4
    assert all('--no-index --find-links "$prefix/wheels"' in line for line in installs)
    packed = packed_script(build("anvil", archive=tmp_path / "a.tar"))
    assert packed.index("sha256sum --check --quiet SHA256SUMS") < packed.index("python3 -m venv")
    assert str(BIN) not in packed
    assert 'prefix=$(cd "$(dirname "$0")" && pwd)' in packed


def test_a_build_cache_is_signed_when_it_is_used_and_when_it_is_filled() -> None:
    cache = Cache("https://cache.example.org/deeprc", (Path("/k/a.asc"), Path("/k/b.asc")), "AB12")
    lines = script(build("anvil", cache=cache)).splitlines()
    assert [line for line in lines if line.startswith("spack")] == [
        next(line for line in lines if line.startswith("spack()")),
        "spack concretize --force --fresh",
        'spack python "$prefix/programs/wrappers.py"',
        'spack gpg trust "$prefix/keys/0.asc"',
        'spack gpg trust "$prefix/keys/1.asc"',
        "spack install --fail-fast --use-buildcache auto",
        "spack buildcache push --fail-fast --update-index --key AB12 builds",
    ]
    assert sum("--sign AB12" in line for line in lines if "spack prepare" in line) == 1
    [trial] = [number for number, line in enumerate(lines) if "--local-user AB12 --detach-sign" in line]
    assert trial < lines.index("spack concretize --force --fresh")


@pytest.mark.parametrize("site", ["anvil", "aurora", "vista"])
def test_every_script_is_shell(site: str, tmp_path: Path) -> None:
    made = build(site)
    for text in (script(made), fill_script(made), packed_script(build(site, archive=tmp_path))):
        assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0
    torch = "PyTorch for these GPUs: install its wheel now"
    assert (torch in script(made)) == (site == "aurora")


def test_a_prefix_is_one_partitions(tmp_path: Path) -> None:
    """Before, another partition's tree took the place of the first one's, whose view was gone."""
    first = build("anvil", "gpu", tmp_path)
    prepare(first)
    view = first.environment / ".spack-env" / "view" / "made"
    view.parent.mkdir(parents=True)
    view.write_text("")
    (first.environment / "spack.lock").write_text("{}")
    stale = tmp_path / "spack-env" / "mpi" / "gone.yaml"
    stale.write_text("")
    prepare(first)  # started again
    assert view.exists() and (first.environment / "spack.lock").exists() and not stale.exists()
    with pytest.raises(ConfigError, match="this prefix holds another environment") as error:
        prepare(build("anvil", "wholenode", tmp_path))
    assert "site anvil partition gpu variant cuda12-openmpi-ucx" in str(error.value)


REFUSED = [
    (["--cache", "/c"], "a build cache whose builds anybody may have made"),
    (["--cache-key", "/k"], "keys without a build cache"),
    (["--sign", "AB"], "keys without a build cache"),
    (["--cache", "/c", "--cache-key", "/no/such"], "no such key"),
]


@pytest.mark.parametrize(("options", "said"), REFUSED)
def test_what_cannot_be_trusted_is_refused(options: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["build", "--site", "anvil", "--prefix", "/sw", *options])
    assert isinstance(done.exception, ConfigError)
    assert said in str(done.exception)


def test_pip_leaves_alone_what_spack_has_built() -> None:
    names = {canonicalize_name(Requirement(text).name) for text in requirements(TREE.parent)}
    assert {"snakemake", "radical-pilot", "polars", "neuralforecast"} <= names
    assert not names & {*BY_SPACK, "pytest", "ruff"}
    pins = {package.name for package in locked()}
    assert names < pins
    assert {"pandas", "radical-utils"} <= pins
    assert not pins & BY_SPACK


@cache
def locked() -> list[Locked]:
    return pinned(build("anvil"))


@cache
def needs() -> list[tuple[str, Requirement]]:
    """What each of the locked packages asks for."""
    found = [(each.name, Requirement(text)) for each in locked() for text in metadata.requires(each.name) or []]
    return [(name, need) for name, need in found if not need.marker or need.marker.evaluate({"extra": ""})]


PURE = {"packaging", "typing-extensions"}  # pip brings another version of these, into the environment


@pytest.mark.parametrize("variant", [each.name for each in variants(TREE) if each.lock.is_file()])
def test_what_spack_builds_is_what_the_locked_packages_ask_for(variant: str) -> None:
    """pip is told not to look at requirements: here they are looked at."""
    lock = json.loads((TREE / "variants" / variant / "spack.lock").read_text())
    nodes = lock["concrete_specs"].values()
    built = {canonicalize_name(n["name"][3:]): n["version"] for n in nodes if n["name"].startswith("py-")}
    wrong = {
        need.name: (asks, str(need), built[name])
        for asks, need in needs()
        if (name := canonicalize_name(need.name)) in built and built[name] not in need.specifier
    }
    assert set(wrong) <= PURE, wrong
