"""Batches of more windows than a network has to learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deeprc.applications.hydrology.config import VARIANTS
from deeprc.core.errors import ConfigError

if TYPE_CHECKING:
    from deeprc.applications.hydrology.config import HydrologyConfig


def to_learn_from(kinds: Mapping[str, Any], windows: Mapping[str, Mapping[str, int]]) -> list[int]:
    """The windows of the training part of each network: of all basins of a kind (unit and inputs)."""
    counts = dict.fromkeys(kinds.values(), 0)
    for basin, kind in kinds.items():
        counts[kind] += windows[basin].get("train", 0)  # one that is held out has none
    return [*counts.values()]


def refuse_batch(options: HydrologyConfig, windows: Sequence[int]) -> None:
    """Refuse what cannot be trained, or would be without effect, with so many windows for each network.

    A step takes all windows where a batch has more of them: the variant's usual one may.

    Raises
    ------
    ConfigError
        For a rank (or shard) without a window, and for a batch that is larger than any network's part.
    """
    training = options.training
    parts, what = (training.shards, "shards") if training.reproducible == "elastic" else (training.ranks, "ranks")
    if parts > (least := min(windows)):
        raise ConfigError(
            f"a network has fewer windows to learn from than its training has {what}",
            found=f"{least:,} in the training part, {parts} {what}",
            fix=f"give fewer (key 'training.{what}'), a shorter 'window', or another split",
        )
    if options.batch_size > (most := max(windows)) and options.batch_size != VARIANTS[options.variant]["batch_size"]:
        raise ConfigError(
            "the batch_size is larger than all that a network is to learn from",
            found=f"{options.batch_size:,}",
            expected=f"at most the {most:,} windows of the training part",
            fix="give a smaller one, or leave it out",
        )
