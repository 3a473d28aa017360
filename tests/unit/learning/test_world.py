import socket

import pytest

from deeprc.learning.world import World, WorldError, node_name, placed, told

# What launchers set, as their ranks see it: MPICH's was taken down here, the others are as world.py's sources say.
HYDRA = {"PMI_RANK": "1", "PMI_SIZE": "2", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "2", "PMI_FD": "11"}
STEP = {
    "SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8", "SLURM_LOCALID": "1", "SLURM_NODEID": "1", "SLURM_NTASKS": "8",
}  # fmt: skip
BATCH = {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_NTASKS": "8"}
PMIX = {"PMIX_RANK": "5", **STEP}
PALS = {"PALS_RANKID": "7", "PALS_LOCAL_RANKID": "3", "PALS_LOCAL_SIZE": "4", "PALS_NODEID": "1", "PMI_SIZE": "12"}
OPENMPI = {
    "OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
}  # fmt: skip
JSRUN = {"JSM_NAMESPACE_RANK": "2", "JSM_NAMESPACE_SIZE": "6", "JSM_NAMESPACE_LOCAL_RANK": "2"}
FLUX = {"FLUX_TASK_RANK": "2", "FLUX_JOB_SIZE": "4", "FLUX_TASK_LOCAL_ID": "0"}


@pytest.mark.parametrize(
    "variables, text, local",
    [
        (HYDRA, "PMI: rank 1 of 2", 1),
        (STEP, "Slurm: rank 5 of 8", 1),
        (PMIX, "PMIx: rank 5 of 8", 1),
        (PALS, "PALS: rank 7 of 12", 3),
        (OPENMPI, "Open MPI: rank 3 of 4", 1),
        (JSRUN, "jsrun: rank 2 of 6", 2),
        (FLUX, "Flux: rank 2 of 4", 0),
        ({**STEP, **HYDRA}, "PMI: rank 1 of 2", 1),  # mpiexec within a step
        ({**STEP, "PMI_RANK": "5", "PMI_SIZE": "8"}, "PMI: rank 5 of 8", 1),  # srun --mpi=pmi2
        ({**STEP, **OPENMPI}, "Open MPI: rank 3 of 4", 1),
        ({**STEP, **HYDRA, "DEEPRC_RANKS": "8"}, "Slurm: rank 5 of 8", 1),
        ({"PALS_RANKID": "7", "DEEPRC_RANKS": "12"}, "PALS: rank 7 of 12", None),
    ],
)
def test_each_launcher_is_understood(variables, text, local):
    known = told(variables)
    assert str(known) == text
    assert known.local_rank == local


@pytest.mark.parametrize(
    "variables",
    [{}, BATCH, {**BATCH, "DEEPRC_RANKS": "1"}, {**STEP, "DEEPRC_RANKS": "1"}, {"PMI_RANK": "0", "PMI_SIZE": "1"}],
)
def test_one_process_is_no_rank_of_many(variables):
    assert told(variables) is None


@pytest.mark.parametrize(
    "variables, found",
    [
        ({"DEEPRC_RANKS": "4"}, "no launcher has told this process a rank"),
        ({**HYDRA, "DEEPRC_RANKS": "4"}, "PMI: rank 1 of 2"),
        ({"PMI_RANK": "0", "PMI_SIZE": "1", "DEEPRC_RANKS": "4"}, "PMI: rank 0 of 1"),
    ],
)
def test_a_world_of_another_size_is_refused(variables, found):
    with pytest.raises(WorldError) as caught:
        told(variables)
    assert str(caught.value) == (
        "the world has another size than the job\n"
        f"  found: {found}\n"
        "  expected: 4 ranks (DEEPRC_RANKS)\n"
        "  fix: start the ranks with the site's launcher; `deeprc plan` shows which one it is"
    )


def test_what_is_no_number_or_no_rank_is_refused():
    with pytest.raises(WorldError, match="PMI_RANK is no number"):
        told({"PMI_RANK": "one", "PMI_SIZE": "2"})
    with pytest.raises(WorldError, match="a rank that its world does not have"):
        told({"PMI_RANK": "2", "PMI_SIZE": "2"})


def test_local_and_node_ranks():
    known = told({"PMI_RANK": "3", "PMI_SIZE": "4"})
    seats = [("a", None), ("b", None), ("a", None), ("b", None)]  # dealt out in turn
    assert placed(known, seats) == World(3, 4, 1, 2, 1, 2, "PMI")
    assert placed(told({**OPENMPI}), [("a", 0), ("a", 1), ("b", 0), ("b", 1)]) == World(3, 4, 1, 2, 1, 2, "Open MPI")


def test_two_ranks_of_a_node_with_one_number_are_refused():
    with pytest.raises(WorldError, match="gives ranks of a node the same number on it\n  found: 0, 0 on a"):
        placed(told(FLUX), [("b", 0), ("b", 1), ("a", 0), ("a", 0)])


def test_nodes_of_slurms_that_are_one_machine_are_told_apart():
    names = [node_name({"SLURMD_NODENAME": name}) for name in ("node1", "node1", "node2", "node2")]
    seats = [*zip(names, (0, 1, 0, 1), strict=True)]
    known = told({"PMI_RANK": "3", "PMI_SIZE": "4", "SLURM_LOCALID": "1"})
    assert placed(known, seats) == World(3, 4, 1, 2, 1, 2, "PMI")
    assert node_name({}) == socket.gethostname()
