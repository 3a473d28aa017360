"""All that the build of an image takes from elsewhere, in one file: for machines without a network.

A tar with the Debian that the image starts from, Debian's packages (its security updates of that day, and what is
needed while it is built), the wheels, and checksums. Code and templates are those of the checkout that builds: the
archive names what it was written for, and is refused for anything else.
"""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from deeprc.core import archives
from deeprc.core.errors import command
from deeprc.core.files import atomic, atomic_large, sha256
from deeprc.images import age, apptainer, bundle, debian, definition, wheels
from deeprc.images.errors import ImageError
from deeprc.images.workspace import workspace

if TYPE_CHECKING:
    from deeprc.images.build import Recipe

SUMS, RECIPE = bundle.SUMS, "recipe.json"
SOURCES = "deb [trusted=yes] file:/mnt/debian ./\n"  # as the build sees the folder; the checksums stand for signatures
WRITE = "write it again: deeprc image bundle NAME --for-build --to FILE, with the same checkout"


def check(recipe: Recipe, target: Path) -> None:
    """Refuse what cannot be written.

    Raises
    ------
    ImageError
        Where something is there already, or the image is not made of wheels.
    """
    if target.exists():
        raise ImageError("there is something already", where=target, fix="name another file with --to")
    _of_wheels(recipe)


def write(recipe: Recipe, base: Path, sources: str, target: Path) -> Iterator[str]:
    """Write the archive; a line for each file in it. `target.sha256` stands beside it.

    Parameters
    ----------
    base
        The Debian to start from (`build.base_image`).
    sources
        Lines of apt's sources.list.

    The file and the recipe are those that `check` has let pass.
    """
    with workspace() as folder:
        (folder / "base.sif").symlink_to(base)
        wheels.fetch(folder / "wheels", recipe.image, recipe.stages, recipe.architecture)
        _packages(base, sources, folder / "debian")
        (folder / RECIPE).write_text(json.dumps(recipe.told(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
        files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        sums = {name: sha256(path) for name, path in files.items()}
        with atomic_large(target, new=True) as new:
            with tarfile.open(new, "w", dereference=True) as archive:
                bundle.add(archive, SUMS, "".join(f"{code}  {name}\n" for name, code in sums.items()))
                for name, path in files.items():
                    archive.add(path, name, filter=bundle.anonymous)
            total = sha256(new)
        with atomic(target.with_name(f"{target.name}.sha256")) as beside:
            beside.write_text(f"{total}  {target.name}\n", encoding="utf-8")
    yield from (f"{code}  {name}" for name, code in sums.items())


def month(file: Path, recipe: Recipe) -> str:
    """The month of the Debian in an archive.

    Raises
    ------
    ImageError
        Where the file is no such archive, or not one for this recipe.
    """
    _of_wheels(recipe)
    try:
        with tarfile.open(file) as archive:
            told = json.load(archive.extractfile(RECIPE))
            found = {name: told[name] for name in recipe.told()}
    except (tarfile.TarError, OSError, KeyError, TypeError, ValueError) as error:
        expected = "what `deeprc image bundle NAME --for-build` writes"
        raise ImageError("no archive of what a build needs", where=file, found=error, expected=expected) from None
    wanted = recipe.of(found["month"]).told()
    if differ := [name for name in wanted if found[name] != wanted[name]]:
        raise ImageError(
            f"the archive is for another build: {', '.join(differ)} differ",
            where=file,
            found=", ".join(str(found[name]) for name in differ),
            expected=", ".join(str(wanted[name]) for name in differ),
            fix=WRITE,
        )
    return found["month"]


def unpack(file: Path, folder: Path, recipe: Recipe) -> None:
    """Put what is in the archive into `folder`, checked before anything of it is used.

    Raises
    ------
    ImageError
        Where a file is missing, changed or too many, or a wheel is none that the lock of this checkout names.
    """
    try:
        with tarfile.open(file) as archive:
            archives.unpack(archive, folder)
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (tarfile.TarError, FileNotFoundError, EOFError) as error:
        raise ImageError("the archive is not whole", where=file, found=error, fix=_again(file)) from None
    wanted = {name: code for code, _, name in (line.partition("  ") for line in lines)}
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()}
    differ = sorted((there.keys() - {SUMS}) ^ wanted.keys())
    differ += sorted(name for name in wanted.keys() & there.keys() if sha256(there[name]) != wanted[name])
    if differ:
        found = f"{len(differ)} files missing, changed or too many: {', '.join(differ[:3])}"
        raise ImageError("the archive is not as it was written", where=file, found=found, fix=_again(file))
    locked = wheels.locked(recipe.image, recipe.stages, recipe.architecture)
    hashes = {code for package in [*locked, *wheels.pip(recipe.architecture)] for code in package.hashes}
    known = [name for name, code in wanted.items() if f"sha256:{code}" in hashes]
    if odd := sorted(name for name in wanted.keys() - known if name.endswith(".whl")):
        raise ImageError("wheels that the lock does not name", where=file, found=", ".join(odd[:3]), fix=WRITE)
    (folder / SUMS).unlink()


def _packages(base: Path, sources: str, folder: Path) -> None:
    """A repository of what the base is behind, and of what is installed while an image is built."""
    with workspace() as place:
        debian.configure(place / "apt", sources)
        age.apt(base, place / "apt", place, "update", "--error-on=any")
        age.apt(base, place / "apt", place, "--yes", "--download-only", "upgrade")
        tools = ["install", *definition.TOOLS]
        age.apt(base, place / "apt", place, "--yes", "--download-only", "--no-install-recommends", *tools)
        folder.mkdir()
        index = []
        for path in sorted((place / "cache" / "archives").glob("*.deb")):
            words = ["exec", "--containall", "--bind", f"{path.parent}:/mnt", base, "dpkg-deb", "--field"]
            fields = apptainer.run(*words, f"/mnt/{path.name}", what=f"reading {path.name}", timeout=120)
            index.append(f"{fields.strip()}\nFilename: ./{path.name}\nSize: {path.stat().st_size}\n")
            index[-1] += f"SHA256: {sha256(path)}\n"
            path.rename(folder / path.name)
    # Both, so that apt does not ask for one that is not there. gzip would tell the time.
    (folder / "Packages").write_text("\n".join(index), encoding="utf-8")
    (folder / "Packages.gz").write_bytes(gzip.compress("\n".join(index).encode(), mtime=0))


def _of_wheels(recipe: Recipe) -> None:
    if recipe.image.route != "wheel":
        raise ImageError(
            f"image {recipe.image.name} is made by the {recipe.image.route} route",
            expected="an image of wheels: others cannot be built without a network yet",
            fix="build it where one is, and bring it over: deeprc image bundle NAME --to FILE",
        )


def _again(file: Path) -> str:
    return f"bring it over again, and compare: {command('sha256sum', '--check', f'{file.name}.sha256')}"
