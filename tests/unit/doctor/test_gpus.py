"""What the doctor says of ranks and their accelerators."""

import pytest

from deeprc.doctor.gpus import judge
from deeprc.doctor.probe import gpus
from deeprc.doctor.probe.say import heard


def rank(*devices: str, host: str = "n1") -> dict:
    return {"host": host, "told": ",".join(devices), "devices": list(devices), "by": "UUID"}


@pytest.mark.parametrize(
    ("said", "seen", "status", "text"),
    [
        ([rank("a"), rank("b")], 1, "ok", "2 ranks use 2 accelerators, each its own (UUID), and see 1"),
        ([rank("a", "b"), rank("b", "a")], 2, "ok", "2 ranks use 2 accelerators, each its own (UUID), and see 2"),
        ([rank("a"), rank("a", host="n2")], 1, "ok", "2 ranks use 2 accelerators, each its own (UUID), and see 1"),
        ([rank("a", "b"), rank("a", "b")], 1, "failed",
         "2 ranks on n1 use the same accelerator (UUID a); 1 are used by 2 ranks"),
        ([rank("a"), rank("b")], 2, "warning", "each rank uses another one, but sees 1 instead of 2 (on n1, told a)"),
        ([rank("a"), rank()], 1, "failed", "1 of 2 ranks see no accelerator, or fewer than 1 (on n1, told nothing)"),
        ([rank("a")], 1, "failed", "1 of 2 ranks have told"),
    ],
)  # fmt: skip
def test_each_rank_has_its_own(said, seen, status, text):
    found = judge(said, ranks=2, each=1, seen=seen, comm="ccl", line="srun …")
    assert (found.status, found.text) == (status, text)
    assert bool(found.fix) == (status != "ok" and len(said) == 2)


def test_without_a_library_that_knows_names_the_variable_counts(capfd, monkeypatch):
    monkeypatch.setenv("ZE_AFFINITY_MASK", "1,0")
    gpus.main(60, "intel", "ZE_AFFINITY_MASK")
    (said,) = heard(capfd.readouterr().out)
    assert (said["devices"], said["by"], said["told"]) == (["1", "0"], "ZE_AFFINITY_MASK", "1,0")
