"""The commands of a build, and of what fills an archive for one: scripts of shell, whole in themselves."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from deeprc.core.source import PLUGIN
from deeprc.core.validation import read_yaml
from deeprc.spack.build import PREFIX, Build, overrides
from deeprc.spack.externals import externals
from deeprc.spack.tree import package_of, spec_version

HERE = '"$prefix"'
# Where an address is asked for in spite of all: nothing listens there.
NOWHERE = "http://127.0.0.1:9"
# What must be there in the end -> how Python calls it.
MODULES = {
    "py-numpy": "numpy",
    "py-mpi4py": "mpi4py",
    "py-pyarrow": "pyarrow",
    "py-torch": "torch",
    "py-tensorflow": "tensorflow",
}


def script(build: Build) -> str:
    """The build of a site's environment, from nothing."""
    return _text([_head(str(build.prefix)), _files(build), *_common(build), _install(build), _python(build)])


def packed_script(build: Build) -> str:
    """The build as an archive has it: run where the archive was unpacked, by a machine that has no Deep RC."""
    head = _head('$(cd "$(dirname "$0")" && pwd)', quoted=True)
    check = [
        "# Nothing is missing, and nothing was changed on the way.",
        f"(cd {HERE} && sha256sum --check --quiet SHA256SUMS)",
    ]
    return _text([head, check, *_common(build, python="python3"), _install(build), _python(build)])


def fill_script(build: Build) -> str:
    """Fetch everything that a build needs into the prefix: sources of all packages, wheels of all Python packages."""
    python = spec_version(build.choice.variant, "python") or "3.12"
    pip = f'{shlex.quote(sys.executable)} -m pip download --quiet --no-deps --require-hashes --dest "$prefix/wheels"'
    fetch = [
        "# Sources of every package, those that may not be passed on to others too: the archive is the facility's own",
        "spack concretize --force --fresh",
        'spack mirror create --all --private --directory "$prefix/sources"',
        "# Wheels, and the few packages that have none",
        *(
            f'{pip} --no-build-isolation {_target(build, python)} --requirement "$prefix/requirements/{name}.txt"'
            for name in ("build", "environment")
        ),
        "# Spack's solver, for the Pythons that the machine may have",
        *(
            f'{pip} --only-binary :all: {_target(build, each)} --requirement "$prefix/requirements/solver.txt"'
            for each in ("3.11", "3.12", "3.13")
        ),
    ]
    return _text([_head(str(build.prefix)), *_common(build), fetch])


def _target(build: Build, python: str) -> str:
    """pip's options for the machine that builds: wheels for the oldest system that facilities have (glibc 2.28)."""
    arch = build.partition.architecture
    platforms = [
        *(f"manylinux_2_{minor}_{arch}" for minor in range(28, 4, -1)),
        f"manylinux2014_{arch}",
        f"linux_{arch}",
    ]
    return " ".join(["--implementation cp --python-version", python, *(f"--platform {name}" for name in platforms)])


def _text(blocks: list[list[str]]) -> str:
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"


def _head(prefix: str, *, quoted: bool = False) -> list[str]:
    return ["set -euo pipefail", f"prefix={prefix if quoted else shlex.quote(prefix)}", f"export {PREFIX}={HERE}"]


def _files(build: Build) -> list[str]:
    """The first command: it writes what the others refer to."""
    deeprc = Path(sys.executable).parent / "deeprc"
    words = [str(deeprc), "spack", "prepare"]
    words += ["--site", build.named or build.site.name, "--partition", build.partition.name]
    for option, value in (
        ("--packages", build.packages),
        ("--offline", build.archive),
        ("--cache", build.cache.url if build.cache else None),
        *(("--cache-key", key) for key in (build.cache.keys if build.cache else ())),
        ("--sign", build.cache.sign if build.cache else None),
    ):
        words += [option, str(value)] if value else []
    own = [f"export {name}={shlex.quote(os.environ[name])}" for name in ("DEEPRC_SPACK_ENV",) if name in os.environ]
    return ["# The tree, the site's externals, the code", *own, f"{shlex.join(words)} --prefix {HERE}"]


def _common(build: Build, python: str = shlex.quote(sys.executable)) -> list[list[str]]:
    """Spack and its packages, its solver, and what both are told by the environment."""
    pins = read_yaml(build.tree / "versions.yaml")
    checkouts = [f"# Spack {pins['spack']['tag']}, packages {pins['packages']['tag']}"]
    if build.spack is None and not build.archive:
        checkouts += _clone(pins["spack"], "spack")
    if build.packages is None and not build.archive:
        checkouts += _clone(pins["packages"], "spack-packages")
    where = [f"# {build.site.name}, partition {build.partition.name}: variant {build.choice.variant.name}"]
    where += [f"# Note: {word}" for word in build.choice.words]
    where += [f'export {name}="{value}"' for name, value in overrides(build, "$prefix").items()]
    where += [f"module {use}" for use in externals(build.site, build.partition, build.choice.family).before]
    where += ["# No settings but those below the prefix"]
    where += ['export SPACK_DISABLE_LOCAL_CONFIG=true SPACK_USER_CACHE_PATH="$prefix/cache" PYTHONNOUSERSITE=1']
    if build.archive:
        where += ["# Nothing is asked of any other machine"]
        where += [f"export {name}={NOWHERE}" for name in ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy")]
        where += ["unset no_proxy NO_PROXY HTTP_PROXY HTTPS_PROXY ALL_PROXY FTP_PROXY"]
        where += ["export GIT_ALLOW_PROTOCOL=file PIP_CONFIG_FILE=/dev/null PIP_NO_INDEX=1"]
    solver = [
        "# Spack's solver, as a wheel: Spack itself would fetch it from elsewhere",
        f'test -x "$prefix/solver/bin/python" || {python} -m venv "$prefix/solver"',
        f'"$prefix/solver/bin/python" -m pip install {_quiet(build)} --require-hashes --only-binary :all: '
        '--requirement "$prefix/requirements/solver.txt"',
        'export SPACK_PYTHON="$prefix/solver/bin/python"',
    ]
    return [checkouts, where, [*solver, *_spack(build)]]


def _install(build: Build) -> list[str]:
    """Spack's part."""
    cache = build.cache
    jobs = f" -j {build.jobs}" if build.jobs else ""
    lines = []
    if cache and cache.sign:
        # Without such a key Spack takes the only one that exists (spack#24656), and does so hours later.
        lines += ["# Signing is tried before anything is built"]
        trial = '"$(command -v gpg2 || command -v gpg)" --batch --quiet --local-user'
        lines += [f"echo | {trial} {shlex.quote(cache.sign)} --detach-sign >/dev/null"]
    lines += ["spack concretize --force --fresh", 'spack python "$prefix/programs/wrappers.py"']
    if cache:
        lines += [
            "# Only what these have signed is taken from the build cache",
            'export SPACK_GNUPGHOME="$prefix/cache/gpg"',
        ]
        lines += ['mkdir -p -m 700 "$SPACK_GNUPGHOME"']
        lines += [f'spack gpg trust "$prefix/keys/{number}.asc"' for number in range(len(cache.keys))]
    lines += [f"spack install --fail-fast --use-buildcache {'auto' if cache and cache.keys else 'never'}{jobs}"]
    if cache and cache.sign:
        lines += ["# What was built is signed and pushed; packages of the facility's own are not among it"]
        lines += ['export SPACK_GNUPGHOME="${GNUPGHOME:-$HOME/.gnupg}"']
        lines += [f"spack buildcache push --fail-fast --update-index --key {shlex.quote(cache.sign)} builds"]
    return lines


def _python(build: Build) -> list[str]:
    """What comes by pip, into a virtual environment that sees Spack's packages."""
    pip = f'"$python" -m pip install {_quiet(build)}'
    specs = {package_of(spec) for spec in build.choice.variant.specs}
    modules = ", ".join(module for spec, module in MODULES.items() if spec in specs)
    lines = [
        "# The pure Python part, at the locked versions. Spack's Python brings no ensurepip: pip is that of the view",
        f'view="$prefix/spack-env/variants/{build.choice.variant.name}/.spack-env/view"',
        'python="$prefix/venv/bin/python"',
        'cd "$prefix/requirements"',
        '"$view/bin/python3" -m venv --without-pip --clear "$prefix/venv"',
        '"$python" "$prefix/programs/join.py" "$view" environment.txt needed.txt',
    ]
    if "py-torch" not in specs:
        lines += [
            "# PyTorch for these GPUs: install its wheel now, from the index that the PyTorch site names for them."
        ]
    lines += [
        f"{pip} --require-hashes --only-binary :all: --requirement build.txt",
        f"{pip} --require-hashes --no-build-isolation --requirement needed.txt",
        f'{pip} --no-build-isolation "$prefix/source" "$prefix/source/{PLUGIN}"',
    ]
    lines += [f"\"$python\" -c 'import {modules}'"] if modules else []
    return [*lines, '"$prefix/venv/bin/deeprc" --help >/dev/null']


def _quiet(build: Build) -> str:
    """pip's options: exactly what is named, and from the archive where there is one."""
    return "--quiet --no-deps" + (' --no-index --find-links "$prefix/wheels"' if build.archive else "")


def _spack(build: Build) -> list[str]:
    """Spack with its settings and environment."""
    root = '"$prefix/spack/bin/spack"'
    if build.spack and not build.archive:
        root = shlex.quote(str(build.spack / "bin" / "spack"))
    environment = f'"$prefix/spack-env/variants/{build.choice.variant.name}"'
    return [f'spack() {{ {root} -C "$prefix/spack-scope" -e {environment} "$@"; }}']


def _clone(pin: dict, name: str) -> list[str]:
    place = f'"$prefix/{name}"'
    clone = f"git clone --quiet --depth=1 --branch={shlex.quote(pin['tag'])} {shlex.quote(pin['git'])} {place}"
    lines = [f"test -d {place} || {clone}"]
    if "commit" in pin:  # a tag can be moved
        told = f"error: $prefix/{name} is not commit {pin['commit']}; remove it, start again"
        lines.append(f'test "$(git -C {place} rev-parse HEAD)" = {pin["commit"]} || {{ echo "{told}" >&2; exit 1; }}')
    return lines
