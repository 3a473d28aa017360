"""Causes, from what launchers and libraries really print when they do not fit (see notes in docs/doctor.md)."""

import pytest

from deeprc.doctor.cause import of_failure, of_wrong_world
from deeprc.doctor.launch import Output

MPICH = "MPICH Version: 5.0.2 MPICH Release date: Fri Sep 25"
OPENMPI = "Open MPI v5.0.11, package: Open MPI user@localhost Distribution"


def output(code, err):
    return Output("mpirun -np 2 python", code, "", err, 3.0)


def ranks(library, told, size=1, count=2):
    return [{"rank": 0, "size": size, "host": "n1", "library": library, "told": told}] * count


@pytest.mark.parametrize(
    ("code", "err", "words"),
    [
        (None, "", "it hung, and was ended after 3 s"),
        (16, "Runtime environment uses unsupported PMI version PMIx. Aborting.", "the launcher speaks PMIx"),
        (1, "python: error: libmpi.so.12: cannot open shared object file: No such file", "not found (libmpi.so.12)"),
        (1, "RuntimeError: cannot load MPI library", "the MPI library is not found"),
        (1, "mpirun has detected an attempt to run as root.", "refuses to run as root"),
        (1, "There are not enough slots available in the system", "counts fewer cores"),
        (1, "srun: error: Couldn't find the specified plugin name for mpi/pmix looking at all files", "has no plugin"),
        (127, "bash: line 3: ibrun: command not found", "ibrun: command not found"),
        (
            None,
            "srun: Job step creation temporarily disabled, retrying (Requested nodes are busy)",
            "a step of the job",
        ),
        (90, "deeprc: module load impi/9 failed", "module load impi/9 failed"),
        (5, "one\ntwo\nthree\nfour\n", "exit code 5: two / three / four"),
        (5, "", "nothing was printed"),
    ],
)
def test_failures(code, err, words):
    assert words in of_failure(output(code, err))[0]


@pytest.mark.parametrize(
    ("library", "told", "words", "fix"),
    [
        (
            OPENMPI,
            {"PMI_RANK": "0", "PMI_SIZE": "2"},
            "speaks PMI-1 or PMI-2, the ranks' library (openmpi 5.0.11) wants PMIx",
            "same installation",
        ),
        (
            MPICH,
            {"PMIX_RANK": "0"},
            "speaks PMIx, the ranks' library (mpich 5.0.2) wants PMI-1 or PMI-2",
            "same installation",
        ),
        (MPICH, {"SLURM_PROCID": "0", "SLURM_NTASKS": "2"}, "srun offers the ranks no PMI", "--mpi=pmi2"),
        (MPICH, {}, "the ranks see nothing of", "--cleanenv"),
    ],
)
def test_worlds_of_one(library, told, words, fix):
    cause, cure = of_wrong_world(ranks(library, told), 2, "the-launcher")
    assert cause.startswith("2 worlds of one rank instead of one of 2, and exit code 0: ")
    assert words in cause and fix in cure


def test_a_world_that_is_too_small():
    cause, _ = of_wrong_world(ranks(MPICH, {}, size=4, count=4), 8, "srun")
    assert cause == "4 ranks came up, with a world of 4; 8 were asked for"
