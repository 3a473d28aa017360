"""Causes, from what launchers and libraries really print when they do not fit (see notes in docs/doctor.md)."""

import pytest

from deeprc.doctor.cause import of_failure, of_wrong_world
from deeprc.doctor.ranks import Output
from samples.reported import REPORTED

MPICH = "MPICH Version: 5.0.2 MPICH Release date: Fri Sep 25"
OPENMPI = "Open MPI v5.0.11, package: Open MPI user@localhost Distribution"


def output(code, err, image=False):
    return Output("mpirun -np 2 python", code, "", err, 3.0, image)


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


@pytest.mark.parametrize(("source", "log", "words", "cure"), REPORTED, ids=[one[0][:30] for one in REPORTED])
def test_what_people_have_reported(source, log, words, cure):
    whole = f"srun: launching\n{log}\nsrun: error: n1: task 0: Exited with exit code 1"
    text, fix = of_failure(output(1, whole, "with Slurm's" in words or "the container" in words))
    assert words in text and cure in fix
    line = text.partition("; the log says: ")[2]
    assert line and line in " ".join(log.split())[:300]


@pytest.mark.parametrize(
    ("log", "words", "cure"),
    [
        (
            "srun: error: If munged is up, restart with --num-threads=10\nsrun: error: Munge encode failed: Failed to "
            'access "/run/munge/munge.socket.2": No such file or directory',
            "does not run on this node",
            "munge -n",
        ),
        ("PMIX ERROR: ERROR in file gds_ds12_lock_pthread.c at line 168", "the ranks' PMIx", "PMIX_MCA_gds=hash"),
        ("Framework: psec\nComponent: munge", "the ranks' PMIx", "PMIX_MCA_psec=^munge"),
    ],
)
def test_without_an_image_no_container_is_to_blame(log, words, cure):
    text, fix = of_failure(output(1, log))
    assert words in text and cure in fix and "container" not in text + fix


def test_a_library_that_is_not_preloaded_is_no_cause():
    ignored = (
        "ERROR: ld.so: object '/opt/x.so' from LD_PRELOAD cannot be preloaded (/lib64/libc.so.6: version "
        "`GLIBC_2.34' not found (required by /opt/x.so)): ignored.\n"
    )
    assert of_failure(output(1, ignored + "Killed"))[0].startswith("exit code 1: ")
    assert "invalid device" in of_failure(output(1, ignored + "CUDA error: invalid device ordinal"))[0]


def test_a_cause_is_told_by_its_line():
    log = "one\n[n1:7] PMIX ERROR: ERROR in file gds_ds12.c at line 9\nthree"
    assert of_failure(output(1, log))[0].endswith(
        "; the log says: [n1:7] PMIX ERROR: ERROR in file gds_ds12.c at line 9"
    )


@pytest.mark.parametrize(
    "log",
    [
        "mkdir: cannot create directory '/scratch/x': Permission denied",  # no program that cannot be started
        "OSError: [Errno 28] No space left on device: '/tmp/x'",
        "PMIX ERROR: PMIX TEMPORARILY UNAVAILABLE in file ptl_tcp.c at line 688",
    ],
)
def test_what_only_looks_like_one_is_none(log):
    assert of_failure(output(1, log)) == (f"exit code 1: {log}", None)


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
        (
            "Intel(R) MPI Library 2021.9 for Linux* OS",
            {"SLURM_PROCID": "0", "PMI_RANK": "0"},
            "Intel MPI finds Slurm's PMI by I_MPI_PMI_LIBRARY only",
            "mpi.pmi_library in the site file",
        ),
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
