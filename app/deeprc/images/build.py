"""Building an image: the base, the wheels, the definition, Apptainer, and the signature."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version as installed_version
from pathlib import Path

from deeprc.core.errors import unknown
from deeprc.core.ownership import fault
from deeprc.core.source import GENERATED
from deeprc.images import age, apptainer, debian, definition, labels, leftovers, provenance, sbom, sif, supplies, wheels
from deeprc.images.catalog import Image
from deeprc.images.errors import ImageError
from deeprc.images.held import BUILT, Held
from deeprc.images.inputs import content_of
from deeprc.images.sign import Signer, signed
from deeprc.images.store import Store, writing
from deeprc.images.workspace import workspace

# All files belong to root, as they do where somebody without privileges builds. zstd is quicker to pack and to start
# from than gzip. Larger blocks with a lower level give smaller files in a seventh of the time of the defaults (128 KB,
# level 15).
PACKING = ["--mksquashfs-args", "-comp zstd -Xcompression-level 9 -b 256K -all-root"]
# Of the templates' folder: what every build needs, and what every template takes in.
FILES = ("selftest.py", "ranks.pth", "mpi.pth", "sbom.py", "bytecode.py")
PARTS = tuple(f"{name}.sh.j2" for name in ("forget", "upgrade", "clean", "loader", "same"))
EPOCH = 315532800  # 1980-01-01, the earliest day that a zip file can tell: every time in an image's file system
Say = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """What is to be built.

    Attributes
    ----------
    image
        The catalog entry.
    stages
        The stages that it is for: all of the entry's, or some, for a smaller image.
    spack, spack_packages, spack_env, micromamba
        What the routes `spack` and `cylon` need: checkouts of Spack and of spack-packages, the project's `spack-env`;
        the program micromamba.
    month
        That of the Debian that it starts from: this one, unless it comes from an archive.
    """

    image: Image
    stages: list[str] = field(default_factory=list)
    spack: Path | None = None
    spack_packages: Path | None = None
    spack_env: Path | None = None
    micromamba: Path | None = None
    month: str = field(default_factory=lambda: time.strftime("%Y-%m", time.gmtime()))

    def __post_init__(self) -> None:
        for stage in self.stages:
            if stage not in self.image.stages:
                raise unknown("stage", stage, self.image.stages, where=f"image {self.image.name}")
        chosen = [stage for stage in self.image.stages if stage in self.stages]
        object.__setattr__(self, "stages", chosen or list(self.image.stages))

    @property
    def name(self) -> str:
        """The variant; with the stages, where it is built for some only."""
        return self.image.limited(self.stages).name

    @property
    def architecture(self) -> str:
        """The processor that it is built for: this machine's; an error where there is no such image."""
        here = platform.machine()
        if here not in self.image.architectures:
            known = ", ".join(self.image.architectures)
            raise ImageError(f"image {self.image.name} is not made for {here}", expected=known)
        return here

    def of(self, month: str) -> Recipe:
        """The same with the Debian of another month."""
        return replace(self, month=month)

    def told(self) -> dict[str, str]:
        """What tells it from every other."""
        facts = {"name": self.name, "architecture": self.architecture, "month": self.month, "epoch": str(epoch())}
        return facts | {"release": installed_version("deeprc"), "content": self.content()}

    def inputs(self) -> dict[str, str]:
        """What the route's template needs besides the image; an error that says what is missing."""
        needed = {"wheel": (), "spack": ("spack", "spack_packages", "spack_env"), "cylon": ("micromamba",)}[
            self.image.route
        ]
        for name in needed:
            path = getattr(self, name)
            if path is None or not path.exists():
                raise ImageError(
                    f"image {self.image.name} is made by the {self.image.route} route, which needs {name}",
                    found=path,
                    fix=f"give it with --{name.replace('_', '-')} PATH",
                )
        return {name: str(getattr(self, name).absolute()) for name in needed}

    def content(self) -> str:
        """The hash of everything that goes in: an image with the same one need not be built again."""
        folder = definition.templates()
        parts = [definition.base(), self.image.model_dump_json(exclude={"uri", "digests", "key"}), *self.stages]
        parts += [(folder / name).read_text("utf-8") for name in (f"{self.image.route}.def.j2", *PARTS, *FILES)]
        parts += [self.month, str(epoch()), platform.machine()]
        parts += [f"{name} {content_of(name, Path(path))}" for name, path in self.inputs().items()]
        if self.image.route != "cylon":
            parts += [
                wheels.source_hash(),
                *map(str, wheels.locked(self.image, self.stages, platform.machine())),
            ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def labels(self) -> dict[str, str]:
        """The image's labels."""
        facts = {"architecture": platform.machine(), "version": installed_version("deeprc"), "content": self.content()}
        return labels.of(self.image.limited(self.stages), stages=self.stages, **facts)

    def render(self, *, base: str = "base.sif", context: str = ".") -> str:
        """The definition."""
        values = {"base": base, "context": context, "stages": self.stages, "version": installed_version("deeprc")}
        # Without it, Apptainer puts the day there (its `--force` lets ours stand).
        own = self.labels() | {"org.label-schema.build-date": _written(epoch())}
        return definition.render(self.image, labels=own, **values, **self.inputs())


def build(
    recipe: Recipe, store: Store, *, mirror: str | None = None, security: str | None = None,
    offline: Path | None = None, sign: Signer | None = None, again: bool = False, say: Say = lambda _: None,
) -> Held:  # fmt: skip
    """Build an image, test it and put it into the store; the one that is there is taken where nothing changed.

    Parameters
    ----------
    mirror, security
        Debian's mirror, and that of its security suite; those of this machine's apt sources where None.
    offline
        What `deeprc image bundle --for-build` wrote: nothing else is used.
    sign
        The key to sign it with.
    again
        Whether to build although nothing changed: Debian's security updates come with every build.
    """
    if offline:
        recipe = recipe.of(supplies.month(offline, recipe))
    architecture, content = recipe.architecture, recipe.content()
    with store.lock(f"build-{content[:16]}"):
        if (held := store.built(content)) and not again:
            say(f"{held.path.name}: nothing changed, {age.told(held.path)}; --again builds it anew")
            return signed(held, sign, store) if sign else held
        with workspace() as context:
            if offline:
                sources = supplies.SOURCES
                say(f"{recipe.name}: checking {offline.name}")
                supplies.unpack(offline, context, recipe)
            else:
                sources = debian.lines(mirror, security)
                (context / "base.sif").symlink_to(base_image(store, sources, say=say))
            _fill(context, recipe, architecture, sources, say)
            file = context / "image.def"
            file.write_text(recipe.render(), encoding="utf-8")
            say(f"{recipe.name}: building and testing")
            with writing(store.folder), leftovers.alone(store.folder, f"build.{recipe.name}") as temporary:
                _apptainer_build(temporary, file, recipe.name, "--bind", f"{context}:/mnt")
                for name, kind in sbom.DOCUMENTS.items():
                    _attach(temporary, context / name, kind)
                # How old an image is, is told by its SIF: that is another one each time, unless the day is given.
                sif.settle(temporary, epoch() if "SOURCE_DATE_EPOCH" in os.environ else int(time.time()))
                if sign:
                    sign.sign(temporary)
                by = sign and sign.fingerprint
                facts = {"source": BUILT, "content": content, "stages": recipe.stages, "signed_by": by}
                return store.adopt(temporary, recipe.name, architecture, sif.digest(temporary), **facts)


def base_image(store: Store, sources: str, *, say: Say = lambda _: None) -> Path:
    """The Debian that images start from: made once a month; each image then brings it up to date.

    `sources` are lines of apt's sources.list, the suite's mirror first.
    """
    text = definition.base()
    month = time.strftime("%Y-%m", time.gmtime())
    key = hashlib.sha256(f"{text}\0{month}\0{platform.machine()}".encode()).hexdigest()[:16]
    path = store.bases / f"debian-{key}.sif"
    with store.lock(f"base-{key}"):
        if path.is_file() and not fault(path, root=True):
            return path
        say("base: Debian, by debootstrap")
        with workspace() as folder, writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            leftovers.sweep(path.parent)
            (file := folder / "base.def").write_text(text, encoding="utf-8")
            debian.configure(folder / "apt", sources)
            with leftovers.alone(path.parent, "base") as temporary:
                _apptainer_build(temporary, file, "the base", "--build-arg", f"mirror={sources.split()[1]}")
                temporary.replace(path)
    return path


def epoch() -> int:
    """The time that every file of an image has, in seconds: $SOURCE_DATE_EPOCH, else the same for all."""
    text = os.environ.get("SOURCE_DATE_EPOCH") or str(EPOCH)
    if not text.isdecimal():
        raise ImageError("SOURCE_DATE_EPOCH is no number of seconds", found=text, expected="as `date +%s` prints it")
    return int(text)


def _fill(context: Path, recipe: Recipe, architecture: str, sources: str, say: Say) -> None:
    """Put into `context` what the definition takes from it; no name of a folder of this machine gets into the image."""
    debian.configure(context / "apt", sources)
    image, packages = recipe.image, {}
    if image.route != "cylon":
        if not (context / "wheels").is_dir():  # none came with an archive
            say(f"{recipe.name}: wheels")
            wheels.fetch(context / "wheels", image, recipe.stages, architecture)
        wheels.own(context / "wheels")
        packages = wheels.packages(context / "wheels")
    facts = image.model_dump(mode="json", include={"name", "glibc", "mpi"}) | {
        "architecture": architecture,
        "stages": recipe.stages,
        "imports": {stage: definition.imports(stage) for stage in recipe.stages},
        "labels": recipe.labels(),
        "packages": packages if image.route == "wheel" else {},
        "bound": image.for_binding,
        "host_libraries": definition.HOST_LIBRARIES,
    }
    (context / "image.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    made = provenance.predicate(facts, context)
    (context / "provenance.json").write_text(json.dumps(made, indent=1, sort_keys=True), encoding="utf-8")
    for name in FILES:
        shutil.copy(definition.templates() / name, context)
    shutil.copytree(wheels.checkout() / "app/deeprc/pilot/ranks", context / "ranks", ignore=GENERATED)


def _apptainer_build(target: Path, file: Path, name: str, *options: str) -> None:
    fakeroot = ["--fakeroot"]  # root needs it, too, for %post (see docs/images.md)
    arguments = ["build", "--force", *fakeroot, *PACKING, *options, target, file.name]
    own = dict.fromkeys(("APPTAINER_TMPDIR", "SINGULARITY_TMPDIR"), str(file.parent))  # goes when the folder goes
    own["SOURCE_DATE_EPOCH"] = str(epoch())
    # From its folder: paths in a definition are kept in the image, and those of this machine are nobody's business.
    apptainer.run(*arguments, what=f"building {name}", timeout=4 * 3600, folder=file.parent, **own)


def _attach(image: Path, file: Path, kind: int) -> None:
    """Put a document of the image's own beside its file system, where it can be read without a runtime."""
    inside = f"/opt/deeprc/{file.name}"
    file.write_text(apptainer.run("exec", "--containall", image, "cat", inside, what=f"reading {inside}", timeout=120))
    words = ["--datatype", str(kind - sif.FIRST), "--groupid", "1", "--filename", file.name]
    words += ["--sbomformat", "cyclonedx-json"] if kind == sif.SBOM else []
    apptainer.run("sif", "add", *words, image, file, what=f"adding {file.name}", timeout=120)


def _written(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
