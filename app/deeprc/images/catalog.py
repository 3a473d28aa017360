"""The catalog: one entry per hardware variant, with every fact that decides where an image may run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator

from deeprc.core.errors import unknown
from deeprc.core.shipped import find
from deeprc.core.validation import read_yaml, validate
from deeprc.sites.fact import Switch

Architecture = Literal["x86_64", "aarch64", "ppc64le"]
Stage = Literal["frames", "torch", "tensorflow", "cylon"]
Version = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)*$")]
DIGEST = r"^sha256:[0-9a-f]{64}$"
Digest = Annotated[str, StringConstraints(pattern=DIGEST)]
Fingerprint = Annotated[
    str,
    BeforeValidator(lambda text: text.upper() if isinstance(text, str) else text),
    StringConstraints(pattern=r"^[0-9A-F]{40}$"),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageMpi(_Strict):
    """An MPI that lies in the image.

    Attributes
    ----------
    implementation
        Its name, for example `mpich`.
    version
        Its release. A host's MPI bound over it may not be older; a host's launcher that starts it may not be newer.
    family
        The ABI: `mpich` programs load libmpi.so.12, `openmpi` programs load libmpi.so.40.
    standard_abi
        Whether the image's programs also run on MPI 5's libmpi_abi.so.1, of whatever family the host is. mpi4py's
        wheels (4.1) have no module for it.
    pmi
        What it can speak to a launcher outside.
    fabrics
        What it can use without the host's libraries; empty where it needs those to start at all.
    """

    implementation: str
    version: Version
    family: Literal["mpich", "openmpi"]
    standard_abi: Switch = False
    pmi: list[Literal["hydra", "pmi1", "pmi2", "pmix", "prrte"]] = Field(min_length=1)
    fabrics: list[Literal["shm", "tcp", "ucx", "ofi", "cxi", "efa"]]

    @property
    def for_binding(self) -> bool:
        """Whether the host's MPI and libfabric must be bound in: this one uses no network without them."""
        return not self.fabrics

    @property
    def title(self) -> str:
        """For people: `mpich 5.0.2`."""
        return f"{self.implementation} {self.version}"


class ImageAccelerator(_Strict):
    """The accelerators that the image is compiled for, and the oldest driver that it runs with.

    Attributes
    ----------
    archs
        What there is code for, as compilers call it (`sm_90`, `gfx90a`), by the processor's architecture.
    """

    vendor: Literal["nvidia", "amd", "intel"]
    toolkit: Literal["cuda", "rocm", "oneapi"]
    version: Version
    minimum_driver: Version | None = None
    archs: dict[Architecture, list[Annotated[str, StringConstraints(pattern=r"^(sm_\d+|gfx[0-9a-f]+|[a-z]+)$")]]]


class Image(_Strict):
    """A hardware variant.

    Attributes
    ----------
    name
        The variant, as sites and `deeprc plan --image` name it.
    architectures
        Processor architectures that it is built for.
    mpi
        The MPIs in it, one of a family at most: its programs take the one that fits where they run.
    collectives
        The libraries of collective operations in it, with versions.
    stages
        The stages that it can run.
    route
        The template that its definition is made from.
    uri
        Where it is published (`oras://…`); None where nothing is.
    digests
        The SHA-256 of the SIF file, by architecture.
    key
        The fingerprint of the key that it must be signed with; None where unsigned images are accepted.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    description: str
    architectures: list[Architecture] = Field(min_length=1)
    mpi: list[ImageMpi] = Field(min_length=1)
    accelerator: ImageAccelerator | None = None
    glibc: Version
    collectives: list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+( \d+(\.\d+)*)?$")]] = []
    stages: list[Stage] = Field(min_length=1)
    route: Literal["wheel", "spack", "cylon"]
    uri: Annotated[str, StringConstraints(pattern=r"^oras://[^/@\s]+/[^@\s]+$")] | None = None
    digests: dict[Architecture, Digest] = {}
    key: Fingerprint | None = None

    @property
    def for_binding(self) -> bool:
        """Whether the host's MPI and libfabric must be bound in, whichever of its MPIs is used."""
        return all(mpi.for_binding for mpi in self.mpi)

    @property
    def families(self) -> list[str]:
        """The ABI families of its MPIs."""
        return [mpi.family for mpi in self.mpi]

    def of_family(self, family: str) -> ImageMpi | None:
        """Its MPI of that family."""
        return next((mpi for mpi in self.mpi if mpi.family == family), None)

    def variants(self) -> dict[str, ImageMpi]:
        """The environments of spack-env that are like it: Spack's have one MPI each."""
        alone = len(self.mpi) == 1
        return {self.name if alone else f"{self.name}-{mpi.implementation}": mpi for mpi in self.mpi}

    def limited(self, stages: list[Stage]) -> Image:
        """The image for some of its stages only: one of its own, named after them, and published on its own."""
        chosen = [stage for stage in self.stages if stage in stages]
        if chosen == self.stages:
            return self
        changes = {"name": "-".join([self.name, *chosen]), "stages": chosen, "uri": None, "digests": {}, "key": None}
        return self.model_copy(update=changes)

    def advice(self, architecture: str) -> str:
        """How to get it, for people: it can be pulled where it is published."""
        build = f"`deeprc image build {self.name}`"
        published = self.uri and architecture in self.digests
        return f"`deeprc image pull {self.name}` or {build}" if published else build

    @field_validator("mpi")
    @classmethod
    def _each_family_once(cls, mpi: list[ImageMpi]) -> list[ImageMpi]:
        if twice := sorted(family for family, n in Counter(each.family for each in mpi).items() if n > 1):
            raise ValueError(f"two MPIs of the family {', '.join(twice)}: its programs could load one only")
        return mpi

    @model_validator(mode="after")
    def _digests_of_built_architectures(self) -> Image:
        if strange := sorted(set(self.digests) - set(self.architectures)):
            raise ValueError(f"digests for {', '.join(strange)}, which is not among its architectures")
        return self

    @model_validator(mode="after")
    def _archs_of_built_architectures(self) -> Image:
        if self.accelerator and set(self.accelerator.archs) != set(self.architectures):
            found, expected = ", ".join(self.accelerator.archs), ", ".join(self.architectures)
            raise ValueError(f"accelerator.archs for {found or 'none'}, its architectures are {expected}")
        return self


class Catalog(_Strict):
    """The images that there are, in the order of preference."""

    images: list[Image] = Field(min_length=1)

    @field_validator("images")
    @classmethod
    def _each_name_once(cls, images: list[Image]) -> list[Image]:
        if twice := sorted(name for name, n in Counter(image.name for image in images).items() if n > 1):
            raise ValueError(f"{', '.join(twice)}: listed more than once")
        return images

    def image(self, name: str) -> Image:
        """The image called `name` (see `find`); an error with the nearest name where there is none."""
        if found := self.find(name):
            return found
        raise unknown("image", name, [image.name for image in self.images], where="image catalog")

    def find(self, name: str) -> Image | None:
        """The entry called `name`, or what an entry is when it is built for some of its stages (`cpu-frames`)."""
        if entry := next((image for image in self.images if image.name == name), None):
            return entry
        for image in self.images:
            words = name.removeprefix(f"{image.name}-").split("-")
            if name == "-".join([image.name, *words]) and set(words) <= set(image.stages):
                return found if (found := image.limited(words)).name == name else None
        return None

    def whole(self, name: str) -> tuple[Image, list[Stage]]:
        """The entry that `name` is built from, and the stages that it is limited to (none for the whole image).

        `cpu-frames` is built from cpu, whether or not it is published under an entry of its own.
        """
        found = self.image(name)
        for image in self.images:
            if image.name != name == image.limited(found.stages).name:
                return image, found.stages
        return found, []

    def pinned(self, name: str, architecture: str) -> str | None:
        """The digest of the image called `name`; None where the catalog pins none."""
        return next((image.digests.get(architecture) for image in self.images if image.name == name), None)

    def advice(self, name: str, architecture: str) -> str:
        """How to get the image called `name`: one of the catalog, or one that was built for some of its stages."""
        if name in [image.name for image in self.images]:
            return self.image(name).advice(architecture)
        for image in self.images:
            if (limited := self.find(name)) and name.startswith(f"{image.name}-"):
                return f"`deeprc image build {image.name} --stages {','.join(limited.stages)}`"
        return "`deeprc image list` names those that can be built"


def catalog_path() -> Path:
    """The catalog's file: $DEEPRC_CATALOG, else the checkout's, else `containers/catalog.yaml` here."""
    return find("DEEPRC_CATALOG", "containers/catalog.yaml", "image catalog", Path.is_file)


def load_catalog(path: str | Path | None = None) -> Catalog:
    """The catalog in `path`, or in the file that `catalog_path` finds."""
    path = Path(path) if path else catalog_path()
    return validate(Catalog, read_yaml(path), where=path)
