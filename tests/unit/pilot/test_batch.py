"""What batch systems are told: the exact words."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deeprc.pilot.address import own_address
from deeprc.pilot.batch import submission
from deeprc.pilot.queueing import Queueing
from deeprc.pilot.resource import PATCHES, bootstrap_text, resource_config
from samples.sites import cluster

PBS = {"scheduler": {"name": "pbspro"}, "launcher": {"name": "mpiexec-pals", "pmi": ["pals"]}}
LSF = {"scheduler": {"name": "lsf"}, "launcher": {"name": "jsrun"}}


def asked(site, nodes=2, **more):
    return submission(site, site.partition(), name="deeprc-1", nodes=nodes, **more)


def test_the_sites_options_reach_slurm_as_they_are():
    options = ["--partition={queue}", "--nodes={nodes}", "--ntasks-per-node={ranks_per_node}", "--constraint=a100"]
    site = cluster(
        scheduler={"name": "slurm", "options": ["--exclusive"]},
        partition={"scheduler_options": options, "queue": "gpuq", "reserved_cores": [0, 8]},
    )
    given = asked(site, queueing=Queueing("m1"), extra=["--network=disable_rdzv_get"])
    assert given.options == [
        "--exclusive", "--partition=gpuq", "--nodes=2", "--ntasks-per-node=62", "--constraint=a100",
        "--network=disable_rdzv_get", "--account=m1", "--job-name=deeprc-1", "--no-requeue",
    ]  # fmt: skip
    assert given.environment == {}  # an exclusive node comes with its accelerators
    assert given.queue is None  # named already


def test_accelerators_are_asked_for_where_the_site_does_not_and_the_queue_is_told():
    given = asked(cluster(partition={"queue": "gpuq"}))
    assert given.environment == {"SBATCH_GRES": "gpu:8"}
    assert given.queue == "gpuq"
    for own in ("--gres=gpu:8", "--gpus-per-node={gpus}", "--exclusive", "-G 16"):
        assert asked(cluster(partition={"scheduler_options": [own]})).environment == {}


def test_words_of_an_option_are_words_of_the_command():
    options = ["-l select={nodes}:system=polaris", "-l filesystems=home:eagle", "-q {queue}"]
    site = cluster(**PBS, partition={"scheduler_options": options, "queue": "prod"})
    given = asked(site, queueing=Queueing("datascience"))
    assert given.options == [
        "-l", "select=2:system=polaris", "-l", "filesystems=home:eagle", "-q", "prod", "-l", "place=scatter",
        "-A", "datascience", "-N", "deeprc-1", "-r", "n",
    ]  # fmt: skip
    assert (given.environment, given.queue) == ({}, None)


def test_every_word_of_an_option_reaches_the_batch_system():
    draft = ["-q", "{queue}", "-l", "select={nodes}:ncpus=128:ngpus=8", "-l", "place=scatter:excl"]
    site = cluster(**PBS, partition={"scheduler_options": draft, "queue": "workq"})
    assert asked(site, extra=["-l", "filesystems=home"]).options == [
        "-q", "workq", "-l", "select=2:ncpus=128:ngpus=8", "-l", "place=scatter:excl", "-l", "filesystems=home",
        "-N", "deeprc-1", "-r", "n",
    ]  # fmt: skip


SLOTS = ["-n", "124", "-R", "span[ptile=62]"]  # two nodes of 64 cores, two of them the system's
GPUS = ["-gpu", "num=8:j_exclusive=yes"]


@pytest.mark.parametrize(
    ("parts", "options", "expected"),
    [
        ({}, ["-alloc_flags smt1"], ["-alloc_flags", "smt1", "-nnodes", "2"]),  # jsrun: Summit, Sierra
        ({}, ["-nnodes {nodes}"], ["-nnodes", "2"]),
        ({"launcher": "mpirun-openmpi"}, ["-nnodes", "{nodes}"], ["-nnodes", "2"]),
        ({"launcher": "mpirun-openmpi", "csm": True}, [], ["-nnodes", "2"]),
        ({"launcher": "mpirun-openmpi"}, [], SLOTS + GPUS),
        ({"csm": False}, [], SLOTS + GPUS),
        ({"csm": False}, ["-gpu", "num=2"], ["-gpu", "num=2", *SLOTS]),
        ({"csm": False}, ['-R "rusage[ngpus_physical=4]"'], ["-R", "rusage[ngpus_physical=4]", *SLOTS]),
        ({"csm": False}, ["-n 8", "-x"], ["-n", "8", "-x", *GPUS]),
    ],
)
def test_lsf(parts, options, expected):
    """IBM Spectrum LSF 10.1: `-nnodes` is the Cluster System Manager's; all others give slots."""
    scheduler = LSF["scheduler"] | {"csm": parts.get("csm")}
    site = cluster(
        scheduler=scheduler, launcher={"name": parts.get("launcher", "jsrun")},
        partition={"scheduler_options": options, "queue": "batch", "reserved_cores": [0, 8]},
    )  # fmt: skip
    given = asked(site, queueing=Queueing("geo"))
    assert given.options == [*expected, "-P", "geo", "-J", "deeprc-1", "-rn"]
    assert given.queue == "batch"


def test_lsf_counts_slots_as_its_site_does():
    site = cluster(**LSF | {"launcher": {"name": "mpirun-openmpi"}}, partition={"threads_per_core": 4})
    assert asked(site, nodes=3).options[:4] == ["-n", "768", "-R", "span[ptile=256]"]


@pytest.mark.parametrize(
    ("scheduler", "options", "message"),
    [
        ({"name": "lsf", "csm": False}, ["-nnodes 2"], "-nnodes is an option of IBM's Cluster System Manager"),
        ({"name": "slurm", "csm": True}, [], "csm is a fact of LSF, not of slurm"),
        ({"name": "lsf", "csm": "yes"}, [], "valid boolean"),
    ],
)
def test_what_csm_cannot_be(scheduler, options, message):
    with pytest.raises(ValueError, match=message):
        cluster(scheduler=scheduler, partition={"scheduler_options": options})


@pytest.mark.parametrize(
    ("parts", "endpoint", "manager"),
    [({}, "slurm://localhost/", "SLURM"), (PBS, "pbspro://localhost/", "PBSPRO"), (LSF, "lsf://localhost/", "LSF")],
)
def test_resource_configuration_of_a_batch_system(parts, endpoint, manager):
    site = cluster(**parts, partition={"reserved_cores": [8, 0, 16]})
    config = resource_config(site, site.partition(), sandbox=Path("/s"), bootstrap=Path("/run/it's here.sh"))
    assert config["schemas"]["local"]["job_manager_endpoint"] == endpoint
    assert config["resource_manager"] == manager
    assert (config["cores_per_node"], config["gpus_per_node"]) == (64, 8)
    assert config["system_architecture"] == {"blocked_cores": [0, 8, 16]}
    assert config["launch_methods"] == {"order": ["FORK"], "FORK": {}}


def test_radical_pilot_finds_the_bootstrap_script_whatever_its_path(tmp_path):
    """Its own function reads the command as shell does, twice."""
    script = tmp_path / "a 'b' $c.sh"
    script.write_text("echo sourced\n")
    (command,) = resource_config(cluster(), cluster().partition(), sandbox=tmp_path, bootstrap=script)[
        "pre_bootstrap_0"
    ]
    both = 'f() { cmd=$(eval echo "$@"); eval "$cmd"; }; f "$1"'
    done = subprocess.run(["bash", "-c", both, "x", command], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("sourced\n", "")


def test_bootstrap_of_a_batch_job(tmp_path):
    text = bootstrap_text(
        cluster(modules=["use /sw/modules", "python/3.11"]), tmp_path, towards="192.0.2.7",
        environment={"SLURM_CONF": "/etc/it's.conf", "OTHER": "1"},
    )  # fmt: skip
    lines = text.splitlines()
    assert lines[-1].endswith("/bin:$PATH")
    assert "module use /sw/modules" in lines
    assert lines.index("module use /sw/modules") < lines.index("module load python/3.11")
    assert "OTHER" not in text
    check = 'module() { echo module $*; }; . ./b; echo $DEEPRC_TOWARDS $HOME "$SLURM_CONF"'
    (tmp_path / "b").write_text(text)
    done = subprocess.run(["bash", "-c", check], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines() == [
        "module use /sw/modules", "module load python/3.11", f"192.0.2.7 {tmp_path}/home /etc/it's.conf",
    ]  # fmt: skip


def test_address_that_the_user_names():
    assert own_address({"DEEPRC_ADDRESS": "192.0.2.9"}) == "192.0.2.9"
    assert len(own_address({}).split(".")) == 4


def test_psij_submits_with_the_options_and_tells_the_refusal(tmp_path):
    """The real PSI/J and an `sbatch` that writes down what it was given, and refuses."""
    fake = tmp_path / "sbatch"
    noted = f'printf "%s\\n" "$@" > {tmp_path}/given'
    fake.write_text(f'#!/bin/sh\n{noted}\necho "sbatch: error: no such thing" >&2\nexit 1\n')
    fake.chmod(0o755)
    program = (
        "import psij; e = psij.JobExecutor.get_instance('slurm')\n"
        "try:\n    e.submit(psij.Job(psij.JobSpec(executable='/bin/true')))\n"
        "except psij.SubmitException as error:\n    print('refused')\n"
        "import os; os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-uc", program],
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "PYTHONPATH": str(PATCHES),
            "DEEPRC_SUBMIT": json.dumps({"scheduler": "slurm", "options": ["--constraint=a b", "--x"]}),
            "DEEPRC_REFUSAL": str(tmp_path / "refusal"),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "refused\n", done.stderr
    first, second, script = (tmp_path / "given").read_text().splitlines()
    assert (first, second) == ("--constraint=a b", "--x")
    assert script.endswith(".job")
    assert (tmp_path / "refusal").read_text().strip() == "sbatch: error: no such thing"


def test_lsf_reads_psijs_script_from_its_input(tmp_path):
    """The real PSI/J and a `bsub` that notes its words and its input: most LSFs do not read options in a file that is
    named to them, none but the Cluster System Manager's knows `-nnodes`, and `-env` takes one list.
    """
    fake = tmp_path / "bsub"
    fake.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/given\ncat > {tmp_path}/script\necho "Job <77> is sent"\n'
    )
    fake.chmod(0o755)
    program = (
        "import psij; e = psij.JobExecutor.get_instance('lsf')\n"
        "spec = psij.JobSpec(executable='/bin/true', inherit_environment=False, environment={'A': \"it's b\"},\n"
        "    resources=psij.ResourceSpecV1(node_count=2, process_count=8))\n"
        "job = psij.Job(spec); e.submit(job); print(job.native_id)\n"
        "import os; os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-uc", program],
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "PYTHONPATH": str(PATCHES),
            "DEEPRC_SUBMIT": json.dumps({"scheduler": "lsf", "options": ["-n", "8", "-R", "span[ptile=4]"]}),
            "DEEPRC_REFUSAL": str(tmp_path / "refusal"),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "77\n", done.stderr
    assert (tmp_path / "given").read_text().splitlines() == ["-n", "8", "-R", "span[ptile=4]"]
    script = (tmp_path / "script").read_text().splitlines()
    assert script[0] == "#!/bin/bash"
    assert [line for line in script if line.startswith(("#BSUB -env", "#BSUB -n", "export A"))] == [
        "#BSUB -env none", "export A='it'\"'\"'s b'",
    ]  # fmt: skip


def test_radical_pilot_takes_the_site_files_cores_on_lsf(tmp_path):
    files = {
        "names": (["batch01"] * 30 + ["login2"] * 30, ["batch01", "login2"]),  # which RADICAL-Pilot leaves out
        "csm": (["launch1", *["h1"] * 42, *["h2"] * 42], ["h1", "h2"]),  # Summit's first host has one slot
        "single": (["h1", "h2"], ["h1", "h2"]),
    }
    for name, (hosts, _) in files.items():
        (tmp_path / name).write_text("".join(f"{host}\n" for host in hosts))
    program = (
        "from radical.pilot.agent.resource_manager.lsf import LSF\n"
        "from radical.pilot.agent.resource_manager.base import RMInfo\n"
        "import json, logging, os, sys\n"
        "manager = LSF.__new__(LSF); manager._log = logging.getLogger()\n"
        "for name in sys.argv[1:]:\n"
        "    os.environ['LSB_DJOB_HOSTFILE'] = name\n"
        "    info = RMInfo({'cores_per_node': 44, 'threads_per_core': 1, 'gpus_per_node': 4})\n"
        "    nodes = manager.init_from_scratch(info).node_list\n"
        "    print(json.dumps([[node['name'], len(node['cores'])] for node in nodes]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *(str(tmp_path / name) for name in files)],
        env={**os.environ, "PYTHONPATH": str(PATCHES), "LSB_JOBID": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()[-3:]]
    assert found == [[[name, 44] for name in expected] for _, expected in files.values()]


def test_radical_pilot_takes_the_site_files_cores_on_pbs(tmp_path):
    """`qstat` counts hardware threads on some machines; the file of nodes has one line for each."""
    (tmp_path / "nodes").write_text("x1\nx1\nx2\nx2\n")
    program = (
        "from radical.pilot.agent.resource_manager.pbspro import PBSPro\n"
        "from radical.pilot.agent.resource_manager.base import RMInfo\n"
        "import json, logging\n"
        "manager = PBSPro.__new__(PBSPro); manager._log = logging.getLogger(); manager._log.debug_2 = print\n"
        "info = manager.init_from_scratch(RMInfo({'cores_per_node': 32, 'threads_per_core': 1, 'gpus_per_node': 4}))\n"
        "print(json.dumps([[node['name'], len(node['cores'])] for node in info.node_list]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(PATCHES), "PBS_NODEFILE": str(tmp_path / "nodes"), "PBS_JOBID": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [["x1", 32], ["x2", 32]]
