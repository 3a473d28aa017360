"""Every model of the zoo on one, two and four MPI ranks."""

import json
import sys
from pathlib import Path

import pytest

from deeprc.applications.forecasting.zoo import ZOO

sys.path.append(str(Path(__file__).parent))  # last: it must not hide our conftest
from on_ranks import train

HALF = ("NHITS@bfloat16", "LSTM@bfloat16", "PatchTST@bfloat16", "iTransformer@bfloat16", "NHITS@float16")
# Without dropout, so that ranks draw nothing of their own. TimesNet takes its periods from the batch that it is given.
EXACT = ("NBEATS", "NHITS", "DeepAR", "LSTM", "GRU", "TCN")


def on(mpirun, ranks: int, prepared, mode: str, *names: str) -> dict:
    done = mpirun(ranks, [Path(__file__).with_name("on_ranks.py"), prepared, mode, "2", *names], timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_elastic_weights_are_the_same_bits_on_one_two_and_four_ranks(mpirun, prepared):
    names = [f"{name}:80" for name in ZOO]  # quantiles of all models; one forecast of some
    names += HALF
    one = train(prepared, "elastic", 2, [*names, *EXACT])
    assert len({found["weights"] for found in one.values()}) == len(one) - 1
    assert one["DeepAR:80"]["weights"] == one["DeepAR"]["weights"]  # it learns a distribution in any case
    assert one["DeepAR:80"]["validation"] != one["DeepAR"]["validation"]
    for ranks in (2, 4):
        assert on(mpirun, ranks, prepared, "elastic", *names, *EXACT) == one


def test_losses_of_two_ranks_are_those_of_one_at_the_same_batch(mpirun, prepared):
    exact = [*EXACT, *(f"{name}:80" for name in EXACT)]
    one, two = train(prepared, "fixed", 2, exact), on(mpirun, 2, prepared, "fixed", *ZOO, *exact[len(EXACT) :], *HALF)
    for name in exact:
        for part in ("training", "validation"):
            assert two[name][part] == pytest.approx(one[name][part], rel=1e-5), name
    for name in HALF:  # by gloo, in another precision: close, and not the same
        for part in ("training", "validation"):
            assert two[name][part] == pytest.approx(two[name.partition("@")[0]][part], rel=0.02), name
        assert two[name]["weights"] != two[name.partition("@")[0]]["weights"]
    # Weights that no rank holds whole: each rank draws the dropout that it draws with whole ones.
    whole = [name for name, one in ZOO.items() if not one.undivided]
    parted = on(mpirun, 2, prepared, "fsdp", *whole, "GRU:80", "PatchTST@bfloat16")
    assert len(parted) == len(ZOO) >= 11
    for name in parted:
        for part in ("training", "validation"):
            assert parted[name][part] == pytest.approx(two[name][part], rel=1e-5), name
