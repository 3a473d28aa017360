"""The steps of the pipeline's training on ranks: beside one rank's, and in either mode. Started by `run`, over MPI."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

from deeprc.applications.forecasting.series import Series
from deeprc.applications.forecasting.speed.made import LEARNING_RATE, SHARDS, problem, read, with_mlp
from deeprc.bench.contest import ratios
from deeprc.bench.start import tell
from deeprc.bench.turns import Step, turns
from deeprc.learning.config import How, Optimisation, Reproducible
from deeprc.learning.peers import Alone, Peers, join
from deeprc.learning.torch.group import group
from deeprc.learning.torch.loop import make_deterministic
from deeprc.learning.torch.train import Trainer
from deeprc.learning.torch.training import TrainingState


def step_of(name: str, series: Series, among: Peers, batch: int, mode: Reproducible, most: int) -> Step:
    """A step of a training from its samples to its weights; of the whole training, at most `most`."""
    make_deterministic(1, 1)
    ours = problem(name, series)
    trainer = Trainer(
        ours, among, steps=most, batch=batch, seed=1, reproducible=mode, shards=SHARDS, how=How(), facts={},
        checkpoints=None,
    )  # fmt: skip
    gradient, usual = trainer.gradient(), Optimisation()
    state = TrainingState(ours.module, gradient, LEARNING_RATE, most, usual.schedule)

    def step() -> None:
        ours.module.train()
        state.compute(gradient, state.step, usual.clip)
        state.advance(state.step + 1)

    return step


def gain(name: str, series: Series, peers: Peers, batch: int, steps: int, count: int) -> dict:
    """What ranks gain: `windows_per_second` of one rank and of all, each with `batch` windows a step; their `ratio`."""
    given, most = (name, series), steps * (count + 1)
    ways = {
        "one": step_of(*given, Alone(), batch, "fixed", most),
        "all": step_of(*given, peers, batch * peers.size, "fixed", most),
    }
    took = turns(ways, peers, steps=steps, count=count, alone=["one"])
    one, all_ = (batch * steps / statistics.median(each) for each in took.values())
    pairs = [({"seconds": peers.size * one}, {"seconds": both}) for one, both in zip(*took.values(), strict=True)]
    return {"windows_per_second": {"1": round(one, 1), str(peers.size): round(peers.size * all_, 1)}} | {
        "ratio": ratios(pairs)
    }


def modes(name: str, series: Series, peers: Peers, batch: int, steps: int, count: int) -> dict:
    """`step_ms` of either mode on all ranks, with `batch` windows for each; elastic's over fixed's (`ratio`)."""
    most, all_ = steps * (count + 1), batch * peers.size
    ways = {way: step_of(name, series, peers, all_, way, most) for way in ("elastic", "fixed")}
    took = turns(ways, peers, steps=steps, count=count)
    pairs = [tuple({"seconds": one} for one in pair) for pair in zip(*took.values(), strict=True)]
    told = {way: round(1000 * statistics.median(each) / steps, 2) for way, each in took.items()}
    return {"step_ms": told, "ratio": ratios(pairs)}


def main(folder: Path, batch: int, steps: int, count: int, names: list[str]) -> None:
    peers, series = join(), read(folder)
    given, found = (series, peers, batch, steps, count), {"gain": {}, "modes": {}}
    with with_mlp(), group(peers, on="cpu"):
        for name in names:
            for what, measure in (("gain", gain), ("modes", modes)):
                if peers.rank == 0:
                    tell(f"{name} on {peers.size} ranks: {what}")
                found[what][name] = measure(name, *given)
    if peers.rank == 0:
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]), sys.argv[5:])
