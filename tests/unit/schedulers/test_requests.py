"""What a site's own options of an allocation ask for, compared with what a plan needs."""

import pytest
from pydantic import ValidationError

from deeprc import schedulers
from deeprc.launch import Layout, compose
from deeprc.sites.allocation import asked
from samples.sites import cluster

PBS = {"scheduler": {"name": "pbspro"}, "launcher": {"name": "mpiexec-pals", "pmi": ["cray"]}}
LSF = {"scheduler": {"name": "lsf"}, "launcher": {"name": "srun"}}


@pytest.mark.parametrize(
    ("scheduler", "options", "nodes", "count"),
    [
        ("slurm", ["--gres=gpu:1"], 1, 1),
        ("slurm", ["--gres gpu:a100:2"], 1, 2),
        ("slurm", ["--gres=gpu"], 1, 1),
        ("slurm", ["--gres=gpu:a100"], 1, 1),
        ("slurm", ["--gres=lustre:1,gpu:a100:2(S:0)"], 1, 2),
        ("slurm", ["--gres=none"], 1, 0),
        ("slurm", ["--gres=nvme:4"], 1, None),
        ("slurm", ["--gpus-per-node=v100-32:8"], 1, 8),
        ("slurm", ["--gpus-per-node=$N"], 1, None),
        ("slurm", ["-G4"], 2, 2),
        ("slurm", ["-G", "a100:2,h100:2"], 1, 4),
        ("slurm", ["--gpus=8", "--gpus-per-node=2"], 2, 2),
        ("slurm", ["--gpus-per-task=1", "--ntasks-per-node=4"], 2, 4),
        ("slurm", ["--gpus-per-task=1"], 1, 1),
        ("slurm", ["--gpus-per-socket=2"], 1, 4),
        ("slurm", ["--tres-per-node=gres/gpu:2"], 1, 2),
        ("slurm", ["--gres=gpu:1", "--gres=gpu:4"], 1, 4),  # the last counts
        ("slurm", ["--nodes=2", "--exclusive"], 1, None),
        ("pbspro", ["-l select=2:ncpus=8:ngpus=2"], 2, 2),
        ("pbspro", ["-lselect=2:ngpus=2"], 2, 2),
        ("pbspro", ["-l", "select=1:ngpus=2+1:ngpus=1", "-l", "place=scatter"], 2, 1),
        ("pbspro", ["-l select=4:ngpus=1", "-l place=pack"], 1, 4),
        ("pbspro", ["-l walltime=1:00:00,nodes=2:ppn=8:gpus=2"], 2, 2),
        ("pbspro", ["-l ngpus=2"], 1, 2),
        ("pbspro", ["-l select=2:system=polaris"], 2, None),
        ("lsf", ['-gpu "num=2:mode=exclusive_process"'], 1, 2),
        ("lsf", ["-gpu", "-"], 1, 1),
        ("lsf", ["-gpu num=1/task"], 1, None),
        ("lsf", ["-R rusage[ngpus_physical=4]"], 1, 4),
        ("fork", ["--gres=gpu:1"], 1, None),
    ],
)  # fmt: skip
def test_accelerators_of_a_node(scheduler, options, nodes, count):
    found = [one.count for one in schedulers.scheduler(scheduler).gpus_asked(options, nodes, sockets=2)]
    assert min(found, default=None) == count


@pytest.mark.parametrize(
    ("parts", "option", "at", "count", "instead"),
    [
        ({}, "--gres=gpu:1", "site", 1, "--gres=gpu:{gpus}"),
        ({}, "--gpus-per-node=mi250x:4", "partition", 4, "--gpus-per-node=mi250x:{gpus}"),
        ({}, "--gres=gpu", "partition", 1, "--gres=gpu:{gpus}"),
        ({}, "-G 12", "partition", 6, "--gpus-per-node={gpus}"),
        (PBS, "-l select={nodes}:ncpus=64:ngpus=2", "partition", 2, "-l select={nodes}:ncpus=64:ngpus={gpus}"),
        (LSF, "-gpu num=4:j_exclusive=yes", "partition", 4, "-gpu num={gpus}:j_exclusive=yes"),
    ],
)
def test_fewer_accelerators_than_a_plan_needs_are_refused(parts, option, at, count, instead):
    name = parts.get("scheduler", {"name": "slurm"})["name"]
    own = {"scheduler": {"name": name, "options": [option]}} if at == "site" else {}
    site = cluster(**parts | own, partition={"scheduler_options": [option]} if at == "partition" else {})
    made = compose(site, site.partition(), Layout(16, 4, 1, 2), ["run"])
    shown = option.format(nodes=2, gpus="{gpus}")
    assert made.refused and made.argv == []
    assert made.reason == (
        f"the site's own options of {name} ask for {count} accelerator{'s' * (count > 1)} of a node ({shown}), and the"
        " plan needs 8: its ranks would share them, or not start"
    )
    assert made.fix == (
        f"write {instead} into the partition's scheduler_options: {{gpus}} is filled in with all that a node has"
    )
    few = compose(site, site.partition(), Layout(2 * count, 4, 1, 2), ["run"])
    assert not few.refused and not compose(site, site.partition(), Layout(4, 4, 0, 2), ["run"]).refused


def test_a_setting_may_ask_for_too_few_too():
    site = cluster(settings=[{"scheduler_options": ["--gres=gpu:1"]}])
    assert compose(site, site.partition(), Layout(8, 4, 1), ["run"]).refused


def test_a_placeholder_asks_for_enough():
    site = cluster(partition={"scheduler_options": ["--gpus-per-node={gpus}", "--nodes={nodes}"]})
    assert not compose(site, site.partition(), Layout(16, 4, 1, 2), ["run"]).refused


@pytest.mark.parametrize(
    ("parts", "option", "instead"),
    [
        ({}, "--nodes=1", "--nodes={nodes}"),
        ({}, "-N1", "--nodes={nodes}"),
        (PBS, "-l select=1:ncpus=64", "-l select={nodes}:…"),
        ({"scheduler": {"name": "lsf", "csm": True}, "launcher": {"name": "jsrun"}}, "-nnodes 1", "-nnodes {nodes}"),
    ],
)
def test_fewer_nodes_than_a_plan_needs_are_refused(parts, option, instead):
    site = cluster(**parts, partition={"scheduler_options": [option]})
    made = compose(site, site.partition(), Layout(4, 4, 0, 2), ["run"])
    shown = option.replace("-N1", "-N 1")
    assert made.reason.endswith(f"ask for 1 node ({shown}), and the plan needs 2")
    assert made.fix == f"write {instead} into the partition's scheduler_options: {{nodes}} is filled in"
    assert not compose(site, site.partition(), Layout(4, 4, 0, 1), ["run"]).refused


@pytest.mark.parametrize(
    ("options", "nodes", "added"),
    [
        (["-l select={nodes}:ncpus=64"], 2, ["-l", "place=scatter"]),
        (["-l select={nodes}:ncpus=64"], 1, []),
        (["-l select={nodes}", "-l place=scatter:excl"], 2, []),
        (["-lselect={nodes}", "-lplace=scatter"], 2, []),
        (["-l nodes={nodes}:ppn=64"], 2, []),  # Torque's words: scattered anyway, and PBS refuses both
        (["-l ncpus=96", "-l ngpus=8", "-l mem=380GB"], 2, []),  # NCI Gadi
        (["-l select={nodes}", "-l filesystems=home,walltime=1:0:0"], 2, ["-l", "place=scatter"]),
        ([], 2, ["-l", "place=scatter"]),
    ],
)
def test_pbs_is_told_that_each_chunk_is_a_node(options, nodes, added):
    """Without, the scheduler may put two on one host (PBS Pro's User Guide, place: free)."""
    site = cluster(**PBS, partition={"scheduler_options": options})
    found = asked(site, site.partition(), nodes, 1)
    assert found[len(options) :] == added


@pytest.mark.parametrize("place", ["pack", "free", "excl", "vscatter", "group=host"])
def test_a_place_that_may_put_two_nodes_on_one_host_is_refused(place):
    options = ["-l select={nodes}", f"-l place={place}"]
    with pytest.raises(ValidationError, match=f"place={place} may put several of a job's nodes on one host"):
        cluster(**PBS, partition={"scheduler_options": options})
    with pytest.raises(ValidationError, match="place=scatter"):
        cluster(**PBS | {"scheduler": {"name": "pbspro", "options": options[1:]}})
    assert cluster(**PBS, partition={"scheduler_options": options, "nodes": 1})
