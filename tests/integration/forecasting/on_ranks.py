"""On MPI ranks: train models of the zoo for some steps; the first rank prints what came of them.

`on_ranks.py PREPARED MODE STEPS MODEL…`; a model of the form `NAME:80` learns that interval, and one of the form
`NAME@bfloat16` is computed in that precision.
"""

import json
import sys
from pathlib import Path

from deeprc.applications.forecasting.network import Forecaster
from deeprc.applications.forecasting.problem import ForecastProblem
from deeprc.applications.forecasting.series import load
from deeprc.applications.forecasting.zoo import ZOO
from deeprc.learning.config import How
from deeprc.learning.peers import join
from deeprc.learning.synchronisation import Synchronisation
from deeprc.learning.torch import state
from deeprc.learning.torch.loop import make_deterministic
from deeprc.learning.torch.train import Trainer


def train(prepared: Path, mode: str, steps: int, names: list[str]) -> dict[str, dict]:
    """By model: the SHA-256 of its weights, and its losses."""
    series, peers, found = load(prepared), join(), {}
    for named in names:
        make_deterministic(1, 1)
        whole, _, precision = named.partition("@")
        name, _, interval = whole.partition(":")
        intervals = [float(interval)] if interval else []
        precision = precision or "float32"
        network = Forecaster(name, ZOO[name].options, series.meta, intervals=intervals, precision=precision)
        problem = ForecastProblem(network, series)
        trainer = Trainer(
            problem, peers, steps=steps, batch=16, seed=1, shards=4, how=How(), facts={}, checkpoints=None,
            reproducible="elastic" if mode == "elastic" else "fixed",
            precision=precision, synchronisation=Synchronisation(kind="fsdp" if mode == "fsdp" else "allreduce"),
        )  # fmt: skip
        trainer.say = lambda line: None
        history = trainer.run(problem.validate, learning_rate=1e-3, checks=1, name=name)
        losses = {"training": history.train[-1][1], "validation": history.validation[-1][1]}
        found[named] = {"weights": state.digest_of(trainer.weights), **losses} if peers.rank == 0 else {}
    return found


if __name__ == "__main__":
    told = train(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    if any(told.values()):
        print(json.dumps(told))
