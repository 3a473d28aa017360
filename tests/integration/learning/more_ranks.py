"""On MPI ranks: what the first of them has saved alone, with `fixed`, goes on on all. `more_ranks.py FOLDER`."""

import json
import shutil
import sys
from pathlib import Path

from toy import trained

from deeprc.learning.audit import audit
from deeprc.learning.peers import MpiPeers, join
from deeprc.learning.torch import state
from deeprc.learning.world import World

STEPS = 24


def main(folder: Path) -> None:
    """Print, from the first rank, what was said, the weights of all ranks and faults in the ledger."""
    peers, said = join(), []
    alone = MpiPeers(peers.comm.Split(peers.rank), World(0, 1))
    if peers.rank == 0:
        trained(folder, STEPS, alone, lambda step: None, lambda line: None, "fixed")
        shutil.rmtree(folder / "checkpoints" / f"step-{STEPS:08d}")
    peers.allgather(None)
    trainer, history = trained(folder, STEPS, peers, lambda step: None, said.append, "fixed")
    weights = peers.allgather(state.digest(trainer.problem.module))
    if peers.rank == 0:
        told = {"said": said, "weights": weights, "losses": history.train, "faults": audit(folder).faults}
        print(json.dumps({**told, "sent": trainer.traffic.state()}))


main(Path(sys.argv[1]))
