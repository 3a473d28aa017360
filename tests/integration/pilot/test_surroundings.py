"""Folder, shell, environment and software of jobs, where the user's are odd: as with the local executor."""

from __future__ import annotations

import os
import re

import pytest

from deeprc.pilot import launch_scripts
from deeprc.pilot.worker import surroundings
from pilots import QUIET, WORKFLOWS, finish, run, start, survivors, tree

ODD = {
    "here": "/nowhere",
    "rank": "gold",
    "i": "7",
    "start": "never",
    "code": "3",
    "file": "f",
    "name": "n",
    "a-b": "no name of a shell",
    "QUOTES": 'it\'s a "b" $HOME `touch expanded` $(touch expanded)\n\\',
    "BYTES": "M\udcfcller",
    "EMPTY": "",
    "BASH_FUNC_module%%": "() {  export TOOL=$2\n}",
    "BASH_FUNC_cd%%": "() {  builtin cd /\n}",
    "SHELLOPTS": "braceexpand:hashall:interactive-comments:noglob",
    "IFS": "_",
    "CDPATH": "/usr",
    "SHLVL": "5",
    "OLDPWD": "/usr",
    "LC_NUMERIC": "xx_YY",
    "PS4": "$(touch expanded)",
    "PYTHONWARNINGS": "error::SyntaxWarning",
    "RADICAL_BASE": "/nowhere",
    "DEEPRC_OF_MINE": "kept",
    "LARGE": "x" * 120_000,
}
APPTAINER = """\
#!/bin/bash
# Stands in for Apptainer: tells its version, or runs what follows the image.
case $1 in
  exec) while [[ $1 != *.sif ]]; do shift; done; shift; INSIDE=yes exec "$@";;
  *) echo "apptainer version 1.4.5";;
esac
"""
# Per-rank variables of the launcher, and the folder through which a world of the wrong size is noticed.
RANKS = ("PMI_", "HYD", "MPI", "PYTHONPATH")
# What Snakemake's own executors set, each in its way.
OWN = (
    "OMP_NUM",
    "GOTO_NUM",
    "OPENBLAS_NUM",
    "MKL_NUM",
    "VECLIB_MAX",
    "NUMEXPR_NUM",
    "TMPDIR",
    "TMP",
    "TEMPDIR",
    "TEMP",
)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    base = tmp_path_factory.mktemp("surroundings")
    (base / "bin").mkdir()
    (base / "bin" / "apptainer").write_text(APPTAINER)
    (base / "bin" / "apptainer").chmod(0o755)
    (base / "image.sif").touch()
    options = ["--software-deployment-method", "apptainer", "env-modules", "--config", f"image={base / 'image.sif'}"]
    path = f"{base / 'bin'}{os.pathsep}{os.environ['PATH']}"
    odd = {"path": path, "umask": 0o027, **ODD}
    pilot = start(base / "pilot", "surroundings.smk", *options, *QUIET, **odd)
    try:
        local = run(base / "local", "surroundings.smk", *options, "--cores", "2", *QUIET, executor="local", **odd)
    finally:
        ended = finish(pilot, 240)
    return base, ended, local


def environment(path) -> dict[bytes, bytes]:
    return surroundings.read(str(path))


def test_the_workflow_runs_as_with_the_local_executor(both):
    base, pilot, local = both
    assert local[0] == 0, local[1]
    assert pilot[0] == 0, pilot[1]
    made, expected = ({**tree(base / name, dumps=False)} for name in ("pilot", "local"))
    assert len(made.pop("elsewhere/bench.tsv").splitlines()) == len(expected.pop("elsewhere/bench.tsv").splitlines())
    assert made == expected
    files = [base / "pilot" / "elsewhere" / f"{kind}.env" for kind in ("shell", "ranks.0", "warm")]
    assert [f"{file.stat().st_mode & 0o777:o}" for file in files] == ["640"] * 3
    assert made["elsewhere/contained.txt"].endswith(" yes deep\n")
    assert made["elsewhere/modules.txt"].endswith(" tool/1.0\n")
    assert made["elsewhere/named.txt"].endswith(" module\n")
    assert survivors(base) == {}


@pytest.mark.parametrize("kind", ["shell", "sh", "script", "run", "ranks.0", "warm"])
def test_a_job_sees_the_environment_that_snakemake_was_started_in(both, kind):
    base, *_ = both
    seen, expected = (environment(base / name / "elsewhere" / f"{kind}.env") for name in ("pilot", "local"))
    for each, folder in ((seen, "pilot"), (expected, "local")):
        for name in (b"PWD", b"OLDPWD"):
            each[name] = each.get(name, b"-").replace(str(base / folder).encode(), b"<base>")
    differ = {name.decode() for name in {*seen, *expected} if seen.get(name) != expected.get(name)}
    if kind == "run":  # `sh`, which the local executor starts for it, loses these
        assert all(name in seen for name in (b"a-b", b"BASH_FUNC_module%%"))
        differ -= {"a-b", "BASH_FUNC_module%%", "BASH_FUNC_cd%%", "OLDPWD"}
    allowed = ("DEEPRC_", "RP_", *OWN, *(RANKS if kind == "ranks.0" else ()), *(["PATH"] if kind == "warm" else ()))
    assert {name for name in differ if not name.startswith(allowed)} == set()
    assert seen[b"BYTES"] == b"M\xfcller"
    assert seen[b"DEEPRC_OF_MINE"] == b"kept"
    assert len(seen[b"LARGE"]) == 120_000


def test_a_job_ignores_no_signal(both):
    """Whatever what has started it ignores: it ends by SIGINT, and by a pipe that nobody reads."""
    folder = both[0] / "pilot" / "elsewhere"
    seen = {name: (folder / f"{name}.env").read_text() for name in ("signals", "ranks.0.signals", "warm.signals")}
    assert seen == {"signals": "0000000\n", "ranks.0.signals": "0000000\n", "warm.signals": "True True\n"}


def test_what_starts_ranks_has_nothing_of_it(both):
    """Strangers can ask Hydra's mpiexec for its environment."""
    seen = environment(both[0] / "pilot" / ".launcher.0")
    allowed = (surroundings.LAUNCHERS, surroundings.MACHINES, re.compile(launch_scripts.NEEDED.encode()))
    assert b"DEEPRC_PILOT" in seen
    assert {name for name in seen if not any(each.match(name) for each in allowed)} == {
        b"OMP_NUM_THREADS"
    }  # the plan's


def test_nothing_was_expanded_or_left(both):
    base, *_ = both
    assert not list(base.rglob("expanded"))
    assert not list(WORKFLOWS.glob("*.env"))
