"""On two MPI ranks: networks of TensorFlow learn as on one. `on_ranks.py FOLDER`."""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
from reservoirs import reservoirs, trained

from deeprc.learning.audit import audit
from deeprc.learning.notice import AskedToEnd
from deeprc.learning.peers import Alone, join
from deeprc.learning.tensorflow import state
from deeprc.learning.tensorflow.backend import start, tf


def curve(folder: Path) -> list[dict]:
    """The points in the lines, less their times."""
    points = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    return [{key: value for key, value in point.items() if key != "time"} for point in points]


def events(folder: Path) -> list[dict]:
    """The points in the only event file."""
    (path,) = folder.glob("events.out.tfevents.*")
    first, *rest = tf.compat.v1.train.summary_iterator(str(path))
    assert first.file_version == "brain.Event:2"
    return [{"step": one.step} | {value.tag: value.simple_value for value in one.summary.value} for one in rest]


folder, peers, data, both = Path(sys.argv[1]), join(), reservoirs(), ["brook", "river"]
start(threads=1, seed=1)
options = {"units": 4, "epochs": 2, "batch_size": 64, "learning_rate": 0.01}

# The same losses as on one rank, but for the order of sums, where nothing is drawn.
fixed = options | {"dropout": 0.0}
_, _, one, sim_one, _ = trained(data, both, Alone(), **fixed)
_, _, two, sim_two, training = trained(data, both, peers, folder / "fixed", **fixed)
np.testing.assert_allclose([list(row.values()) for row in two.losses], [list(row.values()) for row in one.losses], 1e-4)
np.testing.assert_allclose(sim_two, sim_one, 1e-3, 1e-3)
# In bfloat16 nearly the same: less than a hundredth from it. (Dropout draws other numbers there, hence without.)
_, _, near, _, _ = trained(data, both, peers, **fixed | {"precision": "bfloat16"})
assert near.losses != two.losses
np.testing.assert_allclose(
    [list(row.values()) for row in near.losses], [list(row.values()) for row in two.losses], 0.01
)
if peers.rank == 0:
    training.write_ledger(folder)
    found = audit(folder)
    assert found.faults == [] and found.samples == len(training.rows), found
    assert len(np.unique(training.rows)) == len(training.rows)

# The same bits as on one rank, though all draw; also where two ranks are asked to end, and one goes on.
elastic = options | {"dropout": 0.3, "reproducible": "elastic", "shards": 4}
mine = folder / f"alone-{peers.rank}"
_, alone, told, sim, _ = trained(data, both, Alone(), curves=mine, **elastic)


def ask(number: int) -> None:
    if (peers.rank, number) == (1, 2 * 4):  # two shards a step
        os.kill(os.getpid(), signal.SIGTERM)


try:
    trained(data, both, peers, folder / "elastic", before=ask, curves=folder / "curve", **elastic)
    raise AssertionError("nobody was asked to end")
except AskedToEnd as error:
    assert error.problem == f"the job was asked to end: the training is saved after step 5 of {told.steps}", error
peers.allgather(None)
if peers.rank == 0:
    before = events(folder / "curve")
    _, again, told_again, sim_again, training = trained(
        data, both, Alone(), folder / "elastic", curves=folder / "curve", **elastic
    )
    assert state.digest(again) == state.digest(alone)
    assert told_again == told
    np.testing.assert_array_equal(sim_again, sim)
    training.write_ledger(folder)
    assert audit(folder).faults == []
    # So is the curve, which TensorFlow's own reader (which compares checksums) finds in TensorBoard's file, too.
    found, whole = (curve(one) for one in (folder / "curve", mine))
    assert found == whole and [point["step"] for point in whole] == [*range(1, told.steps + 1)]
    assert [point["validation_loss"] for point in whole if "validation_loss" in point] == [
        e["val"] for e in told.losses
    ]
    assert events(folder / "curve") == [{key: np.float32(point[key]) for key in point} for point in whole]
    assert before == events(mine)[:5]

# So are those of bfloat16.
half = elastic | {"epochs": 1, "precision": "bfloat16"}
_, one, told_half, sim_half, _ = trained(data, both, Alone(), **half)
_, two, told_two, sim_two, _ = trained(data, both, peers, **half)
assert state.digest(two) == state.digest(one) != state.digest(alone)
assert told_two == told_half
np.testing.assert_array_equal(sim_two, sim_half)
if peers.rank == 0:
    print("all is equal", flush=True)
