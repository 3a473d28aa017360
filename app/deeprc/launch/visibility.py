"""Which accelerators a rank sees, and how it is told its own.

Every rank uses another one. What else it sees is decided by what its ranks talk through and by vendor:

- NCCL needs sight of the node's other GPUs for NVLink and peer access (NVIDIA/nccl#1066, #1948): a rank's own come
  first in CUDA_VISIBLE_DEVICES, so that `cuda:0` is its own, and the others after them.
- RCCL and oneCCL find their peers by themselves (LUMI, OLCF, ALCF: one GCD or tile for each rank), but not across
  Slurm's control groups (LUMI): a variable tells each rank its own, unless the facility has the launcher do
  it.
- MPI: each rank sees its own.
- Slices (MIG) are known by UUIDs, which the launcher alone can tell, and NCCL does not connect them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deeprc.launch.launchers import Launcher, Layout
from deeprc.sites import Accelerator, Partition, Site
from deeprc.sites.setting import Comm


@dataclass(frozen=True)
class Sight:
    """What a rank sees, and who sees to it.

    Attributes
    ----------
    by
        `closest`, `per_task`: the launcher, in its words. `variable`: the launcher gives all of a node's to all of its
        ranks, and a line between launcher and container tells each its own.
    peers
        Whether a rank sees the other ranks' as well, after its own.
    """

    by: Literal["closest", "per_task", "variable"]
    peers: bool = False


def sight(
    site: Site, partition: Partition, layout: Layout, comm: Comm, starter: Launcher, *, together: bool
) -> Sight:  # fmt: skip
    """What the ranks are to see; `together`: those of a node are in one container, which has all of the node's."""
    if not layout.gpus_per_rank or (starter.binds_gpus and not starter.shares_gpus):
        return Sight("per_task")
    nvidia = partition.accelerator is not None and partition.accelerator.vendor == "nvidia"
    collective = comm != "mpi" and layout.ranks_per_node > 1
    if partition.accelerator is not None and partition.accelerator.sliced:
        return Sight("per_task")
    known = partition.gpu_binding.how if partition.gpu_binding else None
    if collective and nvidia:
        return Sight("variable", peers=True)
    if together or site.launcher_on(partition).gpus == "variable" or (collective and known is None):
        return Sight("variable")
    return Sight(known or "per_task")


def unfit(
    partition: Partition, layout: Layout, comm: Comm, starter: Launcher, *, together: bool, placed: bool
) -> tuple[str, str] | None:  # fmt: skip
    """Why the ranks cannot use the partition's accelerators, where these are slices (MIG), and what to do about it."""
    accelerator = partition.accelerator
    if not layout.gpus_per_rank or accelerator is None or not accelerator.sliced:
        return None
    what = f"the accelerators of partition {partition.name} are slices (MIG, {accelerator.model})"
    if comm != "mpi" and layout.ranks > 1:
        fix = "take a partition of whole accelerators, one rank, or --comm mpi (gloo in PyTorch)"
        return f"{what}, and NCCL does not connect them: {layout.ranks} ranks cannot talk by it (comm: {comm})", fix
    if layout.gpus_per_rank > 1:  # NVIDIA's MIG User Guide, CUDA_VISIBLE_DEVICES: one instance is enumerated
        why = f"a process uses one slice, however many it is given, not {layout.gpus_per_rank}"
        return f"{what}: {why}", "ask for one accelerator per rank and more ranks, or take whole accelerators"
    shared = layout.ranks_per_node > 1
    if shared and together:
        return f"{what}: in one container, ranks of a node cannot be told their own", "ask for one rank per node"
    if (shared or placed) and not starter.binds_gpus:  # a pilot's tasks lie side by side
        fix = "take whole accelerators, or srun as the launcher of the partition"
        return f"{what}: {starter.name} cannot tell each rank its own", fix
    return None


HIERARCHY = "ZE_FLAT_DEVICE_HIERARCHY"


def mistaken(partition: Partition, layout: Layout, environment: dict[str, str]) -> tuple[str, str] | None:
    """Why numbers in ZE_AFFINITY_MASK would mean something else than the site counts, and what to do about it.

    Where nothing says what they mean, it is set in `environment`.
    """
    accelerator = partition.accelerator
    if not layout.gpus_per_rank or accelerator is None or not accelerator.hierarchies:
        return None
    said = environment.setdefault(HIERARCHY, accelerator.hierarchies[0])
    if said.upper() in accelerator.hierarchies:
        return None
    unit = "tiles" if "FLAT" in accelerator.hierarchies else "cards"
    why = f"{HIERARCHY}={said} of the site's settings has {accelerator.visible} number something else than {unit}"
    fix = f"leave it out ({accelerator.hierarchies[0]} is then set), or correct unit and count of the accelerator"
    return f"{why}, of which partition {partition.name} counts {accelerator.count}", fix


def tell_ranks(
    accelerator: Accelerator | None, layout: Layout, local_rank: str, *, peers: bool = False, given: bool = False
) -> list[str]:
    """What stands between launcher and container to tell each rank the accelerators of its own; empty for none.

    The n-th rank of a node gets the n-th share of its accelerators, or the n-th from the end where the last one is
    nearest to the first cores (ALCF Polaris: CUDA_VISIBLE_DEVICES = count - 1 - local rank), or as `order` has them.

    Parameters
    ----------
    peers
        Whether the others follow after its own.
    given
        Whether the launcher gives the task a share of the node's only, and names them in the variable.
    """
    each = layout.gpus_per_rank
    if accelerator is None or not each or accelerator.sliced:
        return []
    name, first = accelerator.visible, f"{local_rank} * {each}"
    if peers or given:
        pick = _given(name, layout) if given else f"all=({' '.join(map(str, accelerator.nearest_first))})"
        pick += f'; at=$(({first})); own=("${{all[@]:at:{each}}}"'
        pick += f' "${{all[@]:0:at}}" "${{all[@]:at+{each}}}")' if peers else ")"
        script = f'{pick}; export {name}=$(IFS=,; echo "${{own[*]}}"); exec "$@"'
    elif accelerator.order:
        order, own = " ".join(map(str, accelerator.order)), f'"${{order[@]:{first}:{each}}}"'
        script = f'order=({order}); own=({own}); export {name}=$(IFS=,; echo "${{own[*]}}"); exec "$@"'
    else:
        start = f"{accelerator.count} - {each} - {first}" if accelerator.reversed else first
        script = f'first=$(({start})); export {name}=$(seq -s, $first $((first + {each - 1}))); exec "$@"'
    return ["bash", "-c", _counted(local_rank, layout.ranks_per_node) + script, "rank"]


def _counted(local_rank: str, ranks: int) -> str:
    """A rank whose number is unset, or beyond those of the plan, ends: to bash the one is 0, and the first accelerator
    would be everybody's; the other's are nobody's, or with `peers` the first one again.
    """
    if ranks == 1:
        return ""
    wrong = f'{{ echo "deeprc: {local_rank}=${local_rank}, of {ranks} ranks on a node" >&2; exit 1; }}'
    return f'[ "${{{local_rank}:-{ranks}}}" -lt {ranks} ] || {wrong}; '


def _given(name: str, layout: Layout) -> str:
    """All that the launcher gives the task on this node; fewer than its ranks want would be none for the last one."""
    numbers = ",".join(map(str, range(layout.gpus_per_node)))
    few = f'{{ echo "deeprc: {layout.gpus_per_node} accelerators were asked for, {name}=${name}" >&2; exit 1; }}'
    count = f"[ ${{#all[@]}} -ge {layout.gpus_per_node} ]"
    return f'IFS=, read -ra all <<< "${{{name}:-{numbers}}}"; {count} || {few}'
