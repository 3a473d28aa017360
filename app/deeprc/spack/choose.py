"""Which variant a site's partition needs, and which layers take the place of the variant's own there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deeprc.core.errors import ConfigError
from deeprc.images.catalog import Catalog, Image, ImageMpi
from deeprc.sites import Partition, Site
from deeprc.sites.software import Mpi
from deeprc.spack.mpi import FACILITYS, chosen_mpi, mpi_external, package_for
from deeprc.spack.tree import RDMA, Variant, find_variant, layers, read_layer, values_of

# What the text of `cpu` in a site file says about the processor; the first that matches. Zen 4 runs what Zen 3 does.
TARGETS = [
    (r"EPYC 7\w*3\w?\b|EPYC 9\d\d4|Zen ?[34]|Milan|Genoa|Trento", "zen3"),
    (r"Xeon (CPU )?Max|Sapphire Rapids|Xeon \w* ?8[45]\d\d\b", "sapphirerapids"),
    (r"Grace|Neoverse[- ]V2", "neoverse_v2"),
]
PORTABLE = {"x86_64": "x86_64_v3", "aarch64": "neoverse_v2"}
# What Spack builds of a site file's MPI: layers, by the provider of the network; None stands for any other.
MPI_LAYERS = {
    "mvapich": {None: "mvapich"},
    "aurora-mpich": {None: "mpich-ofi-cxi"},
    "mpich": {"cxi": "mpich-ofi-cxi", "mlx5": "mpich-ucx", None: "mpich"},
    "openmpi": {"mlx5": "openmpi-ucx", "cxi": "openmpi-ofi", "efa": "openmpi-ofi", None: "openmpi-ucx"},
}
ARCHITECTURE_KEYS = {"nvidia": ("nccl", "cuda_arch"), "amd": ("rccl", "amdgpu_target")}


@dataclass(frozen=True)
class Choice:
    """A partition's variant.

    Attributes
    ----------
    family
        The ABI family of its MPI.
    layers
        Names of layers by what they stand for (`mpi`, `target`, `gpu`, `plugin`), without those that the variant has.
    gpu
        The GPU's architecture in Spack's words, where no layer of the tree has it.
    words
        What the facility should know before it builds, a line each.
    """

    variant: Variant
    family: str
    layers: dict[str, str]
    gpu: tuple[str, str] | None = None
    words: tuple[str, ...] = ()


def choose(site: Site, partition: Partition, catalog: Catalog, folder: Path) -> Choice:
    """The variant for a partition.

    Raises
    ------
    ConfigError
        Where the catalog has no image of the partition's architecture, accelerator and MPI family.
    """
    if site.status.state == "retired":
        successor = f"use its successor, {site.status.successor}" if site.status.successor else None
        raise ConfigError(f"{site.name} was retired on {site.status.retired}", fix=successor)
    image = _image(site, partition, catalog)
    name, mine = _of_families(image, site.families)[0]
    variant = find_variant(name if partition.architecture == "x86_64" else f"{name}-{partition.architecture}", folder)
    swaps: dict[str, str] = {}
    mpi = chosen_mpi(site, partition, mine.family)
    # Of an MPI that only the facility has, and whose place the file does not tell, another of its family is built.
    if mpi and (package := package_for(mpi)) in FACILITYS:
        swaps["mpi"] = f"mpi/{package}"
    elif by_provider := MPI_LAYERS.get(mpi.implementation if mpi else mine.family):
        swaps["mpi"] = f"mpi/{by_provider.get(site.interconnect.provider, by_provider[None])}"
    swaps["target"] = f"target/{target(partition)}"
    swaps["plugin"] = "accel/ofi-plugin" if site.interconnect.provider in RDMA else "accel/no-ofi-plugin"
    gpu = _gpu_layer(partition, variant, folder)
    if gpu and gpu[0]:
        swaps["gpu"] = gpu[0]
    own = {layer.name for layer in variant.layers}
    words = _network(site, partition, mpi, swaps.get("mpi"), folder)
    swaps = {kind: name for kind, name in swaps.items() if name not in own and kind in variant.slots}
    return Choice(variant, mine.family, swaps, gpu[1] if gpu and not gpu[0] else None, tuple(words))


def _network(site: Site, partition: Partition, mpi: Mpi | None, layer: str | None, folder: Path) -> Iterator[str]:
    """A word where an MPI that Spack builds cannot reach a network that is reached through libfabric only."""
    provider = site.interconnect.provider
    if provider not in RDMA or layer is None or (mpi and isinstance(mpi_external(partition, mpi), dict)):
        return
    required = read_layer(folder / f"{layer}.yaml").data["packages"].get("libfabric", {}).get("require", [])
    if not any(provider in values_of(text, "fabrics") for text in required):
        title = mpi.title if mpi else layer
        yield (
            f"{title} as Spack builds it ({layer}) does not reach {site.interconnect.description} ({provider}): "
            "ranks on several nodes would talk over TCP. Name the facility's own in mpi.build of the site file"
        )


def target(partition: Partition) -> str:
    """The processor that Spack compiles for on a partition."""
    for pattern, name in TARGETS:
        if partition.cpu and re.search(pattern, partition.cpu):
            return name
    return PORTABLE[partition.architecture]


def _image(site: Site, partition: Partition, catalog: Catalog) -> Image:
    vendor = partition.accelerator.vendor if partition.accelerator else None
    order = {name: number for number, name in enumerate(site.images)}
    families = {family: number for number, family in enumerate(site.families)}
    fitting = [
        image
        for image in catalog.images
        if image.route != "cylon"
        and partition.architecture in image.architectures
        and (image.accelerator.vendor if image.accelerator else None) == vendor
        and _of_families(image, site.families)
    ]
    if not fitting:
        raise ConfigError(
            f"no Spack variant for partition {partition.name} of {site.name}",
            found=f"{partition.architecture}, {vendor or 'no accelerators'}, MPI of the family {', '.join(families)}",
            expected="an entry of the image catalog with these",
            fix="add an image to containers/catalog.yaml and its variant to spack-env/variants",
        )
    first = {image.name: families[_of_families(image, site.families)[0][1].family] for image in fitting}
    return min(fitting, key=lambda image: (order.get(image.name, len(order)), first[image.name]))


def _of_families(image: Image, families: list[str]) -> list[tuple[str, ImageMpi]]:
    """The variants that are like an image, with their MPI, of these families only, in their order."""
    fitting = [(name, mpi) for name, mpi in image.variants().items() if mpi.family in families]
    return sorted(fitting, key=lambda pair: families.index(pair[1].family))


def _gpu_layer(partition: Partition, variant: Variant, folder: Path) -> tuple[str | None, tuple[str, str]] | None:
    """The layer for the partition's GPUs and their architecture in Spack's words; no layer where none has it."""
    if not partition.accelerator or not partition.accelerator.arch:
        return None
    if partition.accelerator.vendor not in ARCHITECTURE_KEYS:
        return None
    package, key = ARCHITECTURE_KEYS[partition.accelerator.vendor]
    wanted = partition.accelerator.arch.removeprefix("sm_")
    candidates = [*variant.layers, *(layer for layer in layers(folder) if layer.name.startswith("accel/"))]
    for layer in candidates:  # the variant's own first
        required = layer.data.get("packages", {}).get(package, {}).get("require", [])
        if any(wanted in values_of(text, key) for text in required if isinstance(text, str)):
            return layer.name, (key, wanted)
    return None, (key, wanted)
