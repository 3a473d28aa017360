"""On MPI ranks, as if every two of them were a node: the toy learns by each way of synchronisation.

Each is trained to its end, and once more from its last checkpoint but one, in the middle of a round; the first rank
prints what came of them. `kinds.py FOLDER STEPS`.
"""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from toy import trained

from deeprc.learning.audit import audit
from deeprc.learning.peers import MpiPeers, join
from deeprc.learning.synchronisation import Synchronisation
from deeprc.learning.torch import state
from deeprc.learning.world import World

WAYS = {
    "allreduce": {},
    "fp16": {},
    "powersgd": {"rank": 1, "warmup": 4},
    "post_local_sgd": {"period": 5, "warmup": 10},
    "hierarchical": {"period": 3, "across": 9},
    "diloco": {"period": 6, "outer_momentum": 0.5},
    "fsdp": {},
}
RATES = {"learning_rate": 3e-2, "checks": 3}
EVERY = 14  # steps between two checkpoints: in the middle of rounds


def main(folder: Path, steps: int) -> dict:
    """By way: weights on all ranks, of both trainings, losses, bytes, faults in the ledger."""
    peers, found = join(), {}
    peers.world = replace(peers.world, node_rank=peers.rank // 2, nodes=(peers.size + 1) // 2)

    def train(kind: str, options: dict, said: list[str], peers=peers) -> tuple:
        how = Synchronisation(kind=kind, **options)
        return trained(
            folder / kind, steps, peers, lambda step: None, said.append, "fixed", every=EVERY, rates=RATES,
            synchronisation=how,
        )  # fmt: skip

    def forget(kind: str) -> None:
        if peers.rank == 0:
            shutil.rmtree(folder / kind / "checkpoints" / f"step-{steps:08d}")
        peers.allgather(None)

    for kind, options in WAYS.items():
        trainer, history = train(kind, options, [])
        whole = _digest(trainer, peers)
        forget(kind)
        other, _ = train(kind, options, said := [])
        found[kind] = {
            "whole": peers.allgather(whole),
            "again": peers.allgather(_digest(other, peers)),
            "resumed": said,
            "losses": history.validation,
            "sent": trainer.traffic.state(),
            "sent_again": other.traffic.state(),
            "faults": audit(folder / kind).faults if peers.rank == 0 else [],
        }
    for kind in ("allreduce", "fsdp", "diloco"):  # the weights of the last step, seen by one look or by none
        ways = {"looked": {"rates": RATES | {"checks": 1}}, "unseen": {"rates": RATES, "validation": False}}
        for name, options in ways.items():
            how = Synchronisation(kind=kind, **WAYS[kind])
            trainer, history = trained(
                folder / name / kind, steps - 1, peers, lambda step: None, lambda line: None, "fixed",
                synchronisation=how, **options,
            )  # fmt: skip
            found[kind][name] = state.digest_of(trainer.weights), history.best_step
    forget("fsdp")
    half = MpiPeers(peers.comm.Split(peers.rank // 2), World(peers.rank % 2, 2))
    if peers.rank < 2:  # what four ranks have saved, each its part, goes on on two
        history = train("fsdp", {}, said := [], half)[1]
        found["half"] = {"resumed": said, "losses": history.validation}
    return found if peers.rank == 0 else {}


def _digest(trainer, peers) -> str:
    """Of the weights on this rank; of those that no rank has whole, as the first one has gathered them."""
    if trainer.synchronisation.kind == "fsdp":
        return peers.allgather(state.digest_of(trainer.weights))[0]
    return state.digest(trainer.problem.module)


if __name__ == "__main__":
    if told := main(Path(sys.argv[1]), int(sys.argv[2])):
        print(json.dumps(told))
