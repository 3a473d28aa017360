"""Accelerate: `by_accelerate.py FOLDER RUN MODE`, on the ranks of torchrun.

As its documentation says: `save_state` every so many steps, `load_state` of the last one, a sampler with a seed, and in
the epoch that was interrupted `skip_first_batches` (MODE skip), or a data loader with a state (MODE stateful), which
takes its place.
"""

from __future__ import annotations

import sys
from pathlib import Path

import task
import torch
from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.utils import set_seed


def main(folder: Path, run: int, stateful: bool) -> None:
    """Train to the end, from wherever an earlier run was killed."""
    torch.set_num_threads(1)
    set_seed(task.SEED)
    accelerator = Accelerator(
        cpu=True,
        dataloader_config=DataLoaderConfiguration(
            use_seedable_sampler=True, data_seed=task.SEED, use_stateful_dataloader=stateful
        ),
    )  # fmt: skip
    module = task.network()
    optimizer = torch.optim.AdamW(module.parameters(), lr=task.RATE, weight_decay=1e-4)
    batch = task.BATCH // task.RANKS
    loader = torch.utils.data.DataLoader(task.NumberedSamples(), batch_size=batch, shuffle=True)
    module, optimizer, loader = accelerator.prepare(module, optimizer, loader)
    notes, each = task.Notes(folder, run, accelerator.process_index), len(loader)
    steps = sorted(int(path.name.removeprefix("step_")) for path in (folder / "checkpoints").glob("step_*"))
    step = steps[-1] if steps else 0
    if step:
        accelerator.load_state(str(folder / "checkpoints" / f"step_{step}"))
    first, skipped = divmod(step, each)
    for epoch in range(first, task.EPOCHS):
        module.train()
        loader.set_epoch(epoch)
        interrupted = epoch == first and skipped and not stateful
        active = accelerator.skip_first_batches(loader, skipped) if interrupted else loader
        for samples, x, y in active:
            step += 1
            notes.used(step, epoch, samples.tolist())
            optimizer.zero_grad()
            accelerator.backward(task.loss(module, x, y))
            accelerator.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            if step % task.EVERY == 0:
                accelerator.save_state(str(folder / "checkpoints" / f"step_{step}"))
    notes.done(accelerator.unwrap_model(module))
    accelerator.end_training()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "stateful")
