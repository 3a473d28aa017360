"""Which accelerators a rank sees, where neither launcher nor pilot tells it."""

from __future__ import annotations

from deeprc.launch.launchers import Layout
from deeprc.sites import Accelerator


def tell_ranks(accelerator: Accelerator | None, layout: Layout, local_rank: str) -> list[str]:
    """What stands between launcher and container to give each rank accelerators of its own; empty for none.

    The n-th rank of a node gets the n-th share of its accelerators, or the n-th from the end where the last one is
    nearest to the first cores (ALCF Polaris: CUDA_VISIBLE_DEVICES = count - 1 - local rank), or as `order` has them.
    """
    each = layout.gpus_per_rank
    if accelerator is None or not each:
        return []
    first = f"{local_rank} * {each}"
    if accelerator.order:
        order, own = " ".join(map(str, accelerator.order)), f'"${{order[@]:{first}:{each}}}"'
        pick = f'order=({order}); own=({own}); export {accelerator.visible}=$(IFS=,; echo "${{own[*]}}")'
        return ["bash", "-c", f'{pick}; exec "$@"', "rank"]
    start = f"{accelerator.count} - {each} - {first}" if accelerator.reversed else first
    script = f'first=$(({start})); export {accelerator.visible}=$(seq -s, $first $((first + {each - 1}))); exec "$@"'
    return ["bash", "-c", script, "rank"]
