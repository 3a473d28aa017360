"""Lightning: `by_lightning.py FOLDER RUN`; it starts its other rank itself.

As its documentation says: checkpoints by steps with `save_last`, `ckpt_path="last"`, and a data loader that has a state
(torchdata's), which the checkpoint then holds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import lightning
import task
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torchdata.stateful_dataloader import StatefulDataLoader
from torchdata.stateful_dataloader.sampler import StatefulDistributedSampler


class Module(lightning.LightningModule):
    """The task."""

    def __init__(self, folder: Path, run: int) -> None:
        super().__init__()
        self.net, self.folder, self.run, self.notes = task.network(), folder, run, None

    def train_dataloader(self):
        """Each rank's part of each epoch, in an order that depends on it (Lightning tells the sampler which it is)."""
        sampler = StatefulDistributedSampler(
            task.NumberedSamples(), num_replicas=task.RANKS, rank=self.global_rank, shuffle=True, seed=task.SEED
        )
        return StatefulDataLoader(task.NumberedSamples(), batch_size=task.BATCH // task.RANKS, sampler=sampler)

    def training_step(self, batch, number):
        """A step."""
        self.notes = self.notes or task.Notes(self.folder, self.run, self.global_rank)
        samples, x, y = batch
        self.notes.used(self.global_step + 1, self.current_epoch, samples.tolist())
        return task.loss(self.net, x, y)

    def configure_optimizers(self):
        """The same for all engines."""
        return torch.optim.AdamW(self.parameters(), lr=task.RATE, weight_decay=1e-4)


def main(folder: Path, run: int) -> None:
    """Train to the end, from wherever an earlier run was killed."""
    torch.set_num_threads(1)
    lightning.seed_everything(task.SEED)
    saved = ModelCheckpoint(folder / "checkpoints", every_n_train_steps=task.EVERY, save_last=True)
    trainer = lightning.Trainer(
        accelerator="cpu", devices=task.RANKS, strategy="ddp", max_epochs=task.EPOCHS, callbacks=[saved], logger=False,
        enable_progress_bar=False, enable_model_summary=False, deterministic=True, use_distributed_sampler=False,
        gradient_clip_val=1.0, default_root_dir=folder,
    )  # fmt: skip
    module = Module(folder, run)
    trainer.fit(module, ckpt_path="last")
    module.notes = module.notes or task.Notes(folder, run, module.global_rank)
    module.notes.done(module.net)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
