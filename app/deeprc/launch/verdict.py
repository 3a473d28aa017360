"""Whether an image can run on a site, and how its MPI then meets the host's: decided before anything queues."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from deeprc.images.catalog import Image, ImageMpi
from deeprc.launch.pmi import both, called, of_host, of_image, of_ranks, offered, starter, strangers
from deeprc.sites import Partition, Site
from deeprc.sites.software import SONAMES, Mpi

Kind = Literal["bind", "hybrid", "translate", "refuse"]
# What an image's own MPI must be able to use for a site's network; anything else falls back to TCP without a word.
OWN_FABRIC = {
    "cxi": {"cxi"},
    "efa": {"efa"},
    "mlx5": {"ucx", "ofi"},
    "verbs": {"ucx", "ofi"},
    "psm2": {"ofi"},
    "tcp": {"tcp"},
    "shm": {"shm"},
}
UNASKED = "that way was not asked for, see --model"
SLOW = "12 to 34 times slower (CSCS, resource-hook.md)"
CORRECT = "correct the launcher, launcher.pmi or mpi.pmi in the site file"
PMI_OF_IMAGE = {"hydra": "pmi1"}  # Hydra speaks PMI-1


@dataclass(frozen=True)
class Verdict:
    """How an image runs on a site.

    Attributes
    ----------
    kind
        bind: the host's MPI replaces the image's. hybrid: the image's own MPI, started by the host's launcher.
        translate: the host's MPI behind a layer that speaks the image's ABI. refuse: not at all.
    reason
        One sentence.
    fix
        What to do about a refusal.
    mpi, own
        The MPI of the host and that of the image which meet.
    pmi
        What launcher and ranks then speak, where that is known.
    layer
        The layer of `translate`.
    """

    kind: Kind
    reason: str
    fix: str | None = None
    mpi: Mpi | None = None
    own: ImageMpi | None = None
    pmi: str | None = None
    layer: str | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def rank(self) -> int:
        """Order of preference; an MPI that cannot use the network comes after all that can."""
        slow = 10 if self.warnings else 0
        return slow + ("bind", "hybrid", "translate", "refuse").index(self.kind) + (100 if self.kind == "refuse" else 0)


def version(text: str | None) -> tuple[int, ...] | None:
    """The numbers of a version; None where there is none."""
    numbers = [int(part) for part in (text or "").split(".") if part.isdigit()]
    return tuple(numbers) or None


def release(text: str | None) -> tuple[int, ...] | None:
    """Major and minor: what an ABI grows by."""
    numbers = version(text)
    return numbers and numbers[:2]


def _age(one: str | None, other: str | None, whose: str = "") -> str:
    """In words, that the first is not older: only major and minor are compared, and patches may say otherwise."""
    mine, theirs = version(one), version(other)
    if mine is None or theirs is None:
        return f"how old {whose or 'it'} is, is not known"
    length = min(len(mine), len(theirs))
    if mine[:length] >= theirs[:length]:
        return f"not older{whose and f' than {whose}'}"
    return f"of the same release ({'.'.join(map(str, mine[:2]))}){whose and f' as {whose}'}"


def judge(
    image: Image, site: Site, partition: Partition, *, nodes: int = 1, gpus: bool = False, model: Kind | None = None
) -> Verdict:
    """The best way in which `image` runs on `partition`; `model` allows only that one.

    The rules (design, rule 2): bind wants host >= container, hybrid container >= host and a PMI that both speak;
    different families want a layer that translates.
    """
    for why, fix in _obstacles(image, site, partition, gpus=gpus):
        return Verdict("refuse", why, fix)
    pairs = [(mpi, own) for mpi in site.mpi for own in image.mpi]
    ways = [way for pair in pairs for way in _ways(image, site, partition, *pair, nodes) if model in (None, way.kind)]
    return min(ways, key=lambda way: way.rank) if ways else _refusal(image, site, partition)


def _obstacles(image: Image, site: Site, partition: Partition, *, gpus: bool) -> Iterator[tuple[str, str]]:
    where = f"{site.name}, partition {partition.name}"
    if site.runtime.kind == "none":
        yield f"{site.name} has no container runtime", "run without an image, or take another site file"
    if partition.architecture not in image.architectures:
        yield (
            f"image {image.name} is built for {', '.join(image.architectures)}; {where}, is {partition.architecture}",
            f"take an image for {partition.architecture} (deeprc image list --site {site.name})",
        )
    needs, has = image.accelerator, partition.accelerator
    if not gpus:
        return
    if needs is None or has is None or needs.vendor != has.vendor:
        own = f"{needs.vendor} accelerators" if needs else "processors only"
        there = f"{has.vendor} {has.model}" if has else "no accelerators"
        yield (
            f"image {image.name} is built for {own}; {where}, has {there}",
            f"deeprc image list --site {site.name} shows those that fit",
        )
        return
    archs = needs.archs[partition.architecture]
    if has.arch and not any(_runs(arch, has.arch) for arch in archs):
        name = f" --partition {partition.name}" if len(site.partitions) > 1 else ""
        yield (
            f"image {image.name} is compiled for {', '.join(archs)}; {where}, has {has.model} ({has.arch})",
            f"build one for it: deeprc spack build --site {site.name}{name}",
        )
    if needs.minimum_driver and has.driver and version(has.driver) < version(needs.minimum_driver):
        yield (
            f"{needs.toolkit} {needs.version} of image {image.name} needs driver {needs.minimum_driver} or newer; "
            f"{where}, has {has.driver}",
            f"take an image with an older {needs.toolkit}",
        )


def _runs(code: str, arch: str) -> bool:
    """Whether code for `code` runs on `arch`.

    NVIDIA's does on the same major and no smaller minor compute capability (CUDA C++ Programming Guide, Binary
    Compatibility), others' on the very same only.
    """
    if not (code.startswith("sm_") and arch.startswith("sm_")):
        return code == arch
    compiled, there = int(code.removeprefix("sm_")), int(arch.removeprefix("sm_"))
    return compiled // 10 == there // 10 and compiled <= there


def _ways(
    image: Image, site: Site, partition: Partition, mpi: Mpi, mine: ImageMpi, nodes: int
) -> Iterator[Verdict]:  # fmt: skip
    """Every way in which the image's programs can run, as programs of this MPI of its own, beside this of the host."""
    own, theirs = f"the image's {mine.title}", f"the host's {mpi.title}"
    inside, outside = mine.version, mpi.abi_version or mpi.version
    here, there = release(inside), release(outside)
    host_pmi, deaf = of_host(site, partition, mpi), strangers(site, partition, mpi)
    if mine.family == mpi.family:
        abi = f"{mine.family} family, {mpi.library_name}"
        # What is bound in runs on the image's C library.
        too_new = site.glibc is not None and version(site.glibc) > version(image.glibc)
        if mpi.bindable and there is not None and there >= here and not too_new and not deaf:
            reason = f"{theirs} replaces {own}: {abi}, and {_age(outside, inside)}"
            yield Verdict("bind", reason, mpi=mpi, own=mine, pmi=host_pmi)
        pmi = of_image(_spoken(mine), offered(site, partition, mpi))
        if pmi and not mine.for_binding and (there is None or here >= there):
            slow = _slow(image, mine, site, nodes)
            by = called(site, partition)
            reason = f"{own} is started by {by} through {pmi}: {_age(inside, outside, theirs)}"
            yield Verdict("hybrid", reason, mpi=mpi, own=mine, pmi=pmi, warnings=slow)
    elif deaf:
        return
    elif mine.standard_abi and mpi.standard_abi:
        reason = f"{theirs} replaces {own}: both have the standard ABI of MPI 5 (libmpi_abi.so.1)"
        yield Verdict("translate", reason, mpi=mpi, own=mine, pmi=host_pmi, layer="mpi-abi")
    else:
        for layer in site.translators if site.translates else ():
            reason = f"{layer} translates {own} ({mine.family} family) to {theirs} ({mpi.family} family)"
            yield Verdict("translate", reason, mpi=mpi, own=mine, pmi=host_pmi, layer=layer)


def _spoken(own: ImageMpi) -> list[str]:
    return list(dict.fromkeys(PMI_OF_IMAGE.get(pmi, pmi) for pmi in own.pmi))


def _slow(image: Image, own: ImageMpi, site: Site, nodes: int) -> list[str]:
    provider = site.interconnect.provider
    if nodes == 1 or OWN_FABRIC[provider] & set(own.fabrics):
        return []
    network = f"{site.interconnect.fabric} ({provider})"
    return [f"the MPI in image {image.name} cannot use {network}: between nodes it falls back to TCP, {SLOW}"]


def _refusal(image: Image, site: Site, partition: Partition) -> Verdict:
    hosts = ", ".join(f"{mpi.title} ({mpi.family} family, {mpi.library_name})" for mpi in site.mpi)
    own = " and ".join(f"{own.title} ({own.family} family, {SONAMES[own.family]})" for own in image.mpi)
    if not set(image.families) & set(site.families):
        unsaid = f" ({', '.join(site.translators)}: no setting says what it needs, `when: {{model: [translate]}}`)"
        layers = f"no layer translates{unsaid if site.translators else ''}"
        if site.translates and all(strangers(site, partition, mpi) for mpi in site.mpi):
            layers = "; ".join(both(site, partition, mpi.title, of_ranks(mpi)) for mpi in site.mpi)
        return Verdict(
            "refuse",
            f"image {image.name} holds {own}, {site.name} has {hosts}: different ABI families, and {layers}",
            f"take an image of the {' or '.join(site.families)} family (deeprc image list --site {site.name})",
        )
    kin = [(mpi, like) for mpi in site.mpi if (like := image.of_family(mpi.family))]
    why = "; ".join(_why_not(image, like, site, partition, mpi) for mpi, like in kin)
    common = " or ".join(dict.fromkeys(mpi.family for mpi, _ in kin))
    another = f"take another image of the {common} family (deeprc image list --site {site.name})"
    return Verdict(
        "refuse",
        f"image {image.name} holds {own}, {site.name} has {hosts}: {why}",
        _cure(site, partition, [mpi for mpi, _ in kin]) or another,
    )


def _cure(site: Site, partition: Partition, kin: list[Mpi]) -> str | None:
    """What to do where it is for want of a PMI, known or not; None where another image may do."""
    if all(strangers(site, partition, mpi) for mpi in kin):
        return CORRECT
    if not any(offered(site, partition, mpi) for mpi in kin):
        own = "partitions.launcher.pmi" if partition.launcher else "launcher.pmi"
        return f"say in the site file what {starter(site, partition)} speaks to ranks ({own})"
    return None


def _why_not(image: Image, own: ImageMpi, site: Site, partition: Partition, mpi: Mpi) -> str:
    """Why neither bind nor hybrid is possible with an MPI of the family of the image's own."""
    here, there = release(own.version), release(mpi.abi_version or mpi.version)
    if not mpi.bindable:
        bind = "the site does not allow it"
    elif there is None:
        bind = "its version is not known"
    elif strangers(site, partition, mpi):
        bind = both(site, partition, mpi.title, of_ranks(mpi))
    elif there < here:
        bind = "it is older"
    elif site.glibc is not None and version(site.glibc) > version(image.glibc):
        bind = f"its C library {site.glibc} is newer than the image's {image.glibc}"
    else:
        bind = UNASKED
    if own.for_binding:
        hybrid = "the image is made for binding: its own MPI does not start without the host's libfabric"
    elif there is not None and here < there:
        hybrid = "the image's is older"
    elif of_image(_spoken(own), offered(site, partition, mpi)):
        hybrid = UNASKED
    else:
        hybrid = f"no PMI in common: {both(site, partition, 'the image', _spoken(own))}"
    return f"{mpi.title} cannot be bound in ({bind}), nor start the image's own ({hybrid})"
