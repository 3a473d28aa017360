"""`tests/golden/jobs/<case>.txt`: the command that submits a pilot's job, the job's script, and how a task is launched.

They are what RADICAL-Pilot, PSI/J and Deep RC's changes to them make together; each option and directive in them is
looked up in the batch system's own documents (DOCUMENTED), as no machine here has PBS Pro or LSF to be asked.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import local_engine  # noqa: F401  it finds the patches
from deeprc.launch import Layout, compose
from deeprc.pilot import curve
from deeprc.pilot.batch import submission
from deeprc.pilot.environment import broker_environment
from deeprc.pilot.launch_scripts import launch_script
from deeprc.pilot.launch_scripts import slots as slots_of
from deeprc.pilot.queueing import Queueing
from deeprc.pilot.resource import resource_config
from deeprc.sites import Site, load_site
from samples.sites import cluster

import deeprc_launch  # isort: skip

JOBS = Path(__file__).with_name("jobs")
PBS = {"scheduler": {"name": "pbspro"}, "launcher": {"name": "mpiexec-pals", "pmi": ["pals"]}}
JSRUN = {"scheduler": {"name": "lsf", "csm": True}, "launcher": {"name": "jsrun"}}
SLOTS = {"scheduler": {"name": "lsf", "csm": False}, "launcher": {"name": "mpirun-openmpi"}}
OLD = {"scheduler_options": ["-l ncpus={ranks_per_node}", "-l mem=190gb"], "queue": "normal"}
CASES = {  # the site, and how many nodes its pilot has
    "polaris": (lambda: load_site("polaris"), 2),
    "aurora": (lambda: load_site("aurora"), 2),
    "summit": (lambda: load_site("summit"), 2),
    "jsrun": (lambda: cluster(**JSRUN, partition={"queue": "batch"}), 2),
    "frontera": (lambda: load_site("frontera"), 2),
    "lsf-slots": (lambda: cluster(**SLOTS, partition={"queue": "normal"}), 2),
    # NCI Gadi's way; beside these words PBS takes neither select nor place (qsub(1B), Caveats).
    "pbs-without-select": (lambda: cluster(**PBS, partition=OLD), 1),
    "pbs-one-node": (lambda: cluster(**PBS, partition={"scheduler_options": ["-l select={nodes}:ncpus=128"]}), 1),
    "pbs-queue-only": (lambda: cluster(**PBS, partition={"queue": "workq"}), 1),
}
# What the commands take, by their own documents; the value is a pattern, None for an option without one.
QSUB = "OpenPBS 23.06, qsub(1B)"
BSUB = "IBM Spectrum LSF 10.1, command reference, bsub "
DOCUMENTED = {
    "qsub": {
        "-A": (f"{QSUB}, Options, -A", r"\w+"),
        "-N": (f"{QSUB}, Options, -N; PBS Pro until 19: 15 characters, the first a letter", r"[A-Za-z][\w.+-]{0,14}"),
        "-q": (f"{QSUB}, Options, -q", r"[\w@.-]+"),
        "-r": (f"{QSUB}, Options, -r", "[yn]"),
        "-e": (f"{QSUB}, Options, -e", r"[\w.-]*:?/\S+"),
        "-o": (f"{QSUB}, Options, -o", r"[\w.-]*:?/\S+"),
        "-l": (f"{QSUB}, Requesting Resources and Placing Jobs; pbs_resources(7B)", r"\S+=\S+"),
    },
    "bsub": {
        "-J": (f"{BSUB}-J (bsub.__j)", r"[\w-]+"),
        "-P": (f"{BSUB}-P (bsub.__p)", r"\w+"),
        "-q": (f"{BSUB}-q (bsub.q)", r"\w+"),
        "-rn": (f"{BSUB}-rn (bsub.rn)", None),
        "-nnodes": (f"{BSUB}-nnodes (bsub.nnodes), with the Cluster System Manager alone", r"\d+"),
        "-n": (f"{BSUB}-n (bsub.n)", r"\d+"),
        "-R": (f"{BSUB}-R (bsub.__r); administration, span string (span_string)", r"span\[ptile=\d+\]"),
        "-gpu": (f"{BSUB}-gpu (bsub.gpu)", r"num=\d+(/task|/host)?(:j_exclusive=(yes|no))?"),
        "-cwd": (f"{BSUB}-cwd (bsub.cwd)", r"/\S+"),
        "-env": (f"{BSUB}-env (bsub.env): one list", "none|all"),
        "-W": (f"{BSUB}-W (bsub.__w): [hour:]minute", r"(\d+:)?\d+"),
        "-e": (f"{BSUB}-e (bsub.e)", r"/\S+"),
        "-o": (f"{BSUB}-o (bsub.o)", r"/\S+"),
    },
}
# What launchers take; of Open MPI's the program itself is asked (test_grammar).
LAUNCHED = {
    "mpiexec": {  # ALCF, Aurora user guide, Running MPI+OpenMP+SYCL Applications, and Binding MPI ranks and threads
        "-n": r"\d+",
        "--ppn": r"\d+",
        "--depth": r"\d+",
        "--cpu-bind": r"\$\{DEEPRC_BINDING\}",
        "--hostfile": r"\$\{DEEPRC_HOSTFILE\}",
    },
    "ibrun": {"-n": r"\d+", "-o": r"\$\{DEEPRC_OFFSET\}"},  # TACC, Frontera user guide, Launching applications
    "jsrun": {  # OLCF, Summit user guide, Job Launcher (jsrun), Common jsrun Options
        "--nrs": r"\d+",
        "--tasks_per_rs": r"\d+",
        "--cpu_per_rs": r"\d+",
        "--gpu_per_rs": r"\d+",
        "--rs_per_host": r"\d+",
        "--bind": r"packed:\d+",
    },
}
# Resources of `qsub -l`; those that a facility adds are named with its own document.
RESOURCES = {
    "select": r"\d+(:(ncpus|mpiprocs|ngpus|mem)=\w+|:system=polaris)*",  # pbs_resources(7B); ALCF, polaris/running-jobs
    "place": r"(free|pack|scatter|vscatter)(:(excl|shared|exclhost))?",  # qsub(1B), place statement
    "walltime": r"(\d+:){0,2}\d+",  # pbs_resources(7B), walltime: Duration
    "ncpus": r"\d+",  # pbs_resources(7B)
    "mem": r"\d+[kmgt]?b",  # pbs_resources(7B)
    "filesystems": r"\w+(:\w+)*",  # ALCF, docs/aurora/running-jobs-aurora.md, polaris/containers/containers.md
    "singularity_fakeroot": "true",  # ALCF, docs/polaris/containers/containers.md
}


def described(site: Site, nodes: int, folder: Path) -> dict:
    """A pilot's job, as `link` has the broker describe it to RADICAL-Pilot."""
    partition = site.partition()
    given = submission(site, partition, name="deeprc-01234567", nodes=nodes, queueing=Queueing("project"))
    config = resource_config(site, partition, sandbox=folder / "sandbox", bootstrap=folder / "bootstrap.sh")
    size = {"nodes": nodes, "cores": nodes * partition.usable_cores, "gpus": nodes * partition.gpus, "runtime": 90}
    queued = {"queue": given.queue} if given.queue else {}
    environment = broker_environment(folder, "mark", given=given)
    environment["PATH"] = f"{folder}:{environment['PATH']}"
    return {"wanted": {"resource": "deeprc.site", **size, **queued}, "config": config, "environment": environment}


@pytest.fixture(scope="module")
def submitted(tmp_path_factory) -> dict[str, tuple[list[str], str]]:
    """The words of the command that submits, and the job's script, of each case."""
    folder = tmp_path_factory.mktemp("jobs")
    for part in ("home", "tmp", "log"):
        (folder / part).mkdir()
    curve.write(folder)
    keep = 'n=$(ls -d "$HOME"/../job.* 2>/dev/null | wc -l); mkdir "$HOME/../job.$n"; cd "$HOME/../job.$n"\n'
    for name, source in (("qsub", 'cat "$last"'), ("sbatch", 'cat "$last"'), ("bsub", "cat")):
        (folder / name).write_text(
            f'#!/bin/bash\nfor last; do :; done\n{keep}printf "%s\\0" {name} "$@" > argv\n{source} > script\n'
            'echo "Submitted batch job 77"; echo "Job <77> is submitted"\n'
        )
        (folder / name).chmod(0o755)
    jobs = [described(site(), nodes, folder) for site, nodes in CASES.values()]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RADICAL_")}
    done = subprocess.run(
        [sys.executable, str(JOBS / "render.py"), str(folder)], input=json.dumps(jobs), cwd=folder,
        env={**clean, **jobs[0]["environment"]}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]

    def plain(text: str) -> str:
        for path, instead in ((f"{folder}/home/.psij/work", "/PSIJ"), (str(folder), "/FOLDER"), (sys.prefix, "/VENV")):
            text = text.replace(path, instead)
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "JOB", text)
        return re.sub(r"PSIJ/[0-9a-f]{64}/", "PSIJ/HASH/", text)

    return {
        name: (
            plain((folder / f"job.{number}" / "argv").read_text()).rstrip("\0").split("\0"),
            re.sub(r"\n{2,}", "\n", plain((folder / f"job.{number}" / "script").read_text())),
        )
        for number, name in enumerate(CASES)
    }


def launched(site: Site, folder: Path) -> str:
    """How four ranks start on the last two nodes' first cores: the launch line, and the files that it reads."""
    folder.mkdir()
    partition = site.partition()
    plan = compose(site, partition, Layout(4, 2, 0, 2), [], image=None, comm="mpi", placed=True)
    if plan.refused:
        return f"# no task: {plan.reason}\n"
    cores = [number for number in range(partition.cores) if number not in partition.reserved_cores]
    slots = [
        {"node_name": f"node{node}", "node_index": node, "gpus": [],
         "cores": [{"index": core} for core in cores[rank * 2 : rank * 2 + 2]]}
        for node in (1, 2) for rank in (0, 1)
    ]  # fmt: skip
    deeprc_launch.place(slots, slots_of(site, partition, plan), folder)
    line = launch_script(plan, ["RANK"], folder).splitlines()[-1]
    texts = [f"$ {line.removeprefix('exec ')}"]
    texts += [f"# {name}\n{(folder / name).read_text().rstrip()}" for name in ("placement.sh", "hosts")]
    told = {name: value for name, value in plan.environment.items() if name.startswith("IBRUN")}
    texts += [f"# environment\n{name}={value}" for name, value in told.items()]
    return "\n".join(texts).replace(str(folder), "/FOLDER/task") + "\n"


@pytest.mark.parametrize("name", CASES)
def test_job(name, submitted, tmp_path, request):
    argv, script = submitted[name]
    found = f"$ {shlex.join(argv)}\n{script}\n{launched(CASES[name][0](), tmp_path / 'task')}"
    path = JOBS / f"{name}.txt"
    if request.config.getoption("--update-golden", default=False):
        path.write_text(found)
    assert found == path.read_text(), "if this is meant: pytest tests/golden --update-golden, and read the difference"


def options(words: list[str], known: dict) -> list[tuple[str, str | None]]:
    """The words as options with their values; what is no option, the script's path, ends them."""
    found, rest = [], iter(words)
    for word in rest:
        if not word.startswith("-"):
            break
        assert word in known, f"{word} is in no document"
        found.append((word, None if known[word][1] is None else next(rest)))
    return found


def undocumented(command: str, given: list[tuple[str, str | None]]) -> list[str]:
    """What of the options is not as the documents have it."""
    wrong = []
    for name, value in given:
        _, pattern = DOCUMENTED[command][name]
        if pattern and not re.fullmatch(pattern, value or ""):
            wrong.append(f"{name} {value}")
        if (command, name) == ("qsub", "-l"):
            parts = [part.partition("=") for part in (value or "").split(",")]
            wrong += [f"-l {key}={text}" for key, _, text in parts if not re.fullmatch(RESOURCES.get(key, ""), text)]
    return wrong


def directives(script: str, prefix: str) -> list[str]:
    """The words of a script's directives."""
    return [word for line in script.splitlines() if line.startswith(prefix) for word in shlex.split(line)[1:]]


@pytest.mark.parametrize("name", [name for name, (site, _) in CASES.items() if site().scheduler.name != "slurm"])
def test_every_word_is_documented(name, submitted):
    (command, *words), script = submitted[name]
    prefix = {"qsub": "#PBS", "bsub": "#BSUB"}[command]
    known = DOCUMENTED[command]
    line, inside = options(words, known), options(directives(script, prefix), known)
    assert undocumented(command, [*line, *inside]) == []
    assert len(directives(script, prefix)) == sum(1 + (value is not None) for _, value in inside)
    if command == "qsub":
        assert words[-1].endswith(".job")
        # PBS reads directives up to the first command (qsub(1B), Submitting Jobs By Using Scripts), and counts those
        # on the command line first.
        lines = [each for each in script.splitlines() if each and not (each.startswith("#") and each[:4] != "#PBS")]
        commands = [number for number, each in enumerate(lines) if not each.startswith("#PBS")]
        assert all(number < commands[0] for number, each in enumerate(lines) if each.startswith("#PBS"))
        asked = {value.partition("=")[0] for option, value in [*line, *inside] if option == "-l"}
        assert not ({"select", "place"} & asked and {"ncpus", "mem", "nodes"} & asked), "qsub(1B), Caveats"
        assert "place" not in asked or "select" in asked, "place without select is refused"
    else:
        assert ("-env", "none") in inside and [each for each, _ in inside].count("-env") == 1


@pytest.mark.parametrize(("name", "rest"), [("polaris", 0), ("aurora", 0), ("frontera", 1), ("jsrun", 0)])
def test_every_word_of_a_launch_line_is_documented(name, rest, tmp_path):
    text = launched(CASES[name][0](), tmp_path / "task")
    program, *words = shlex.split(text.splitlines()[0].removeprefix("$ "))
    words = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    known = LAUNCHED[program]
    found = options(words, {word: ("", pattern) for word, pattern in known.items()})
    assert [word for word, value in found if not re.fullmatch(known[word], value)] == []
    assert words[2 * len(found) :] == ["task_affinity", "RANK"][1 - rest :]
    told = dict(line.split("=", 1) for line in text.splitlines() if line.startswith(("DEEPRC_", "IBRUN")))
    # ALCF: cpu-bind=list:CORES:CORES, a part for each of a node's ranks; a host a line (PBS_NODEFILE's form).
    assert re.fullmatch(r"list:\d+(,\d+)*(:\d+(,\d+)*)*", told["DEEPRC_BINDING"])
    # TACC: the offset counts entries of the job's file of hosts, where a node has one for each of its tasks.
    assert name != "frontera" or int(told["DEEPRC_OFFSET"]) == 1 * int(told["IBRUN_TASKS_PER_NODE"])
    assert re.search(r"(?m)^# hosts\nnode1\nnode1\nnode2\nnode2$", text)


def test_a_node_that_is_asked_for_whole_is_not_shared(submitted):
    """pbs_node_attributes(7B), sharing: `shared` in a job's `place` undoes a node's `default_excl`."""
    jobs = [script for argv, script in submitted.values() if argv[0] == "qsub"]
    assert [script for script in jobs if ":shared" in script] == []
    assert len(jobs) == 5


def test_a_wrong_word_is_found():
    assert undocumented("qsub", [("-l", "placement=scatter"), ("-N", "1st"), ("-l", "walltime=1h")]) == [
        "-l placement=scatter", "-N 1st", "-l walltime=1h",
    ]  # fmt: skip
    assert undocumented("bsub", [("-env", "A=1"), ("-gpu", "num=x")]) == ["-env A=1", "-gpu num=x"]
    with pytest.raises(AssertionError, match="-nodes is in no document"):
        options(["-nodes", "2"], DOCUMENTED["bsub"])
