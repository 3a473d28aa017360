"""What each way of synchronisation costs and gives: ranks of this machine, as if every two of them were a node.

A network of three layers learns what another one, drawn at random, says of random inputs. Time is measured here, bytes
are counted, and what slower networks would add is computed from both.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from deeprc.bench.machine import describe
from deeprc.bench.start import started, tell
from deeprc.learning.config import How
from deeprc.learning.peers import Peers, join
from deeprc.learning.synchronisation import KEYS, Synchronisation

BATCH, TRAIN, HELD_OUT = 128, 8192, 1024
WIDTHS = (128, 512, 512, 1)
RANKS_PER_NODE = 2
LEARNING_RATE = 2e-3


@dataclass(frozen=True)
class Network:
    """Between nodes: bytes per second of a node's link, and seconds that a message is on its way."""

    bandwidth: float
    latency: float


NETWORKS = {
    "10 Gbit/s, 50 us": Network(10e9 / 8, 50e-6),
    "1 Gbit/s, 500 us": Network(1e9 / 8, 500e-6),
    "100 Mbit/s, 20 ms": Network(1e8 / 8, 20e-3),
}


def modelled(step: float, across: float, rounds: float, ranks: int, nodes: int, network: Network) -> float:
    """Seconds of a step on a slower network.

    Parameters
    ----------
    step
        Seconds of a step here, where sending takes next to nothing.
    across, rounds
        Bytes that cross nodes in a step, on all links of the ring together (one link per node), and how often.
    """
    return step + across / nodes / network.bandwidth + rounds * 2 * (ranks - 1) * network.latency


class Teacher:
    """What is learned: a random network's answers."""

    def __init__(self) -> None:
        import torch

        torch.manual_seed(3)
        teacher, self.module = _layers(torch), _layers(torch)
        with torch.no_grad():
            self.x = torch.randn(TRAIN + HELD_OUT, WIDTHS[0])
            y = teacher(self.x)[:, 0]
            self.y = (y - y.mean()) / y.std() + 0.1 * torch.randn(len(y))
        self.rows = np.arange(TRAIN)

    def loss(self, samples: np.ndarray):
        """Mean squared error; 1 for who knows nothing, 0.01 for who knows the teacher."""
        return ((self.module(self.x[samples])[:, 0] - self.y[samples]) ** 2).mean()

    def weight(self, samples: np.ndarray) -> int:
        """Each counts alike."""
        return len(samples)

    def validate(self) -> float:
        """The loss of samples held out."""
        return float(self.loss(np.arange(TRAIN, TRAIN + HELD_OUT)))


def _layers(torch):
    ends = itertools.pairwise(WIDTHS)
    layers = [layer for a, b in ends for layer in (torch.nn.Linear(a, b), torch.nn.Tanh())]
    return torch.nn.Sequential(*layers[:-1])


def bench_synchronisation(steps: int, repeats: int, peers: Peers) -> dict:
    """Train by each way, in turns; every rank calls it and gets the same result.

    Returns
    -------
    By way: `step_ms` (median of the repeats, slowest rank), bytes and rounds per step, the validation loss in the end,
    and `modelled_step_ms` by network.
    """
    world = peers.world
    peers.world = replace(world, node_rank=peers.rank // RANKS_PER_NODE, nodes=-(-peers.size // RANKS_PER_NODE))
    nodes, times, found = peers.world.nodes, {kind: [] for kind in KEYS}, {}
    for turn, kind in itertools.product(range(1, repeats + 1), KEYS):
        if peers.rank == 0:
            tell(f"repeat {turn} of {repeats}: {kind}")
        seconds, trainer, history = _train(kind, steps, peers)
        times[kind].append(max(peers.allgather(seconds)) / steps)
        sent = trainer.traffic.state()
        found[kind] = {name: round(sent[name] / steps, 3) for name in ("across", "within", "rounds")}
        found[kind] |= {"validation_loss": round(history.validation[-1][1], 4)}
    for kind, figures in found.items():
        step = statistics.median(times[kind])
        where = (step, figures["across"], figures["rounds"], peers.size, nodes)
        figures["step_ms"] = round(1000 * step, 2)
        figures["modelled_step_ms"] = {
            name: round(1000 * modelled(*where, network), 2) for name, network in NETWORKS.items()
        }
    parameters = sum(one.numel() for one in trainer.problem.module.parameters())
    return {"nodes": nodes, "parameters": parameters, "kinds": found}


def _train(kind: str, steps: int, peers: Peers):
    from deeprc.learning.torch.loop import make_deterministic
    from deeprc.learning.torch.train import Trainer

    make_deterministic(1, 1)
    problem = Teacher()
    trainer = Trainer(
        problem, peers, steps=steps, batch=BATCH, seed=1, reproducible="fixed", shards=None, how=How(backend="gloo"),
        facts={}, checkpoints=None, synchronisation=Synchronisation(kind=kind),
    )  # fmt: skip
    trainer.say = lambda line: None
    peers.allgather(None)
    began = time.perf_counter()
    history = trainer.run(problem.validate, learning_rate=LEARNING_RATE, checks=1)
    return time.perf_counter() - began, trainer, history


def run(ranks: int, steps: int, repeats: int, say: Callable[[str], None] = print) -> dict:
    """Start the ranks on this machine and measure; see `bench_synchronisation`. `say` takes how far it is.

    Raises
    ------
    DeepRCError
        When the ranks fail.
    """
    measured = started(ranks, "deeprc.bench.synchronisation", [steps, repeats], say=say)
    about = describe(("deeprc", "torch", "mpi4py", "mpich"))
    return {"ranks": ranks, "steps": steps, "batch": BATCH, **measured, "machine": about}


if __name__ == "__main__":
    ours = join()
    figures = bench_synchronisation(int(sys.argv[1]), int(sys.argv[2]), ours)
    if ours.rank == 0:
        print(json.dumps(figures))
