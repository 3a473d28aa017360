import pytest

from deeprc.learning.rendezvous import address, first_of
from deeprc.learning.world import WorldError


@pytest.mark.parametrize(
    "nodes, first",
    [
        ("nid[001-004,007],gpu1", "nid001"),
        ("nid001", "nid001"),
        ("a,b", "a"),
        ("rack[2-3]-node", "rack2-node"),
        ("c[7,9]", "c7"),
    ],
)
def test_the_first_node_of_a_short_list(nodes, first):
    assert first_of(nodes) == first


def test_ranks_of_a_step_meet_at_its_first_node_and_steps_do_not_meet_each_other():
    job = {"SLURM_STEP_NODELIST": "n[3-4]", "SLURM_JOB_ID": "4711", "SLURM_STEP_ID": "2"}
    host, port = address(job)
    assert host == "n3"
    assert 20_000 <= port < 30_000
    assert address({**job, "SLURM_STEP_ID": "3"})[1] != port
    assert address({**job, "SLURM_JOB_ID": "4712"})[1] != port


def test_pbs_and_what_the_user_sets(tmp_path):
    nodes = tmp_path / "nodes"
    nodes.write_text("x3005\nx3005\nx3006\n")
    assert address({"PBS_NODEFILE": str(nodes), "PBS_JOBID": "123.polaris"})[0] == "x3005"
    assert address({"MASTER_ADDR": "here", "MASTER_PORT": "29500"}) == ("here", 29500)


def test_nowhere_to_meet_is_refused():
    with pytest.raises(WorldError, match="nothing tells the ranks where the first one is"):
        address({})
