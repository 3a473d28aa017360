"""Everything that a build needs, as one archive with checksums, for a machine that reaches no other."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from deeprc.core import archives
from deeprc.core.errors import InputError, command
from deeprc.core.files import atomic, atomic_large, sha256
from deeprc.spack.build import Build, mine, same_release, settings
from deeprc.spack.script import packed_script

SUMS = "SHA256SUMS"
TIME = 315_619_200  # 1980-01-02: wheels are made of these files, and zip knows nothing older
OWN = ("spack-env", "source", "programs", "requirements", "spack-scope", "sources", "wheels", "keys", "build.json")
# What a Spack needs to run, not what it has built, nor the settings of whoever it belongs to.
SPACK = ("bin", "etc/spack/defaults", "lib/spack", "share/spack", "LICENSE-MIT", "LICENSE-APACHE", "COPYRIGHT")
PACKAGES = ("repos", "LICENSE-MIT", "LICENSE-APACHE", "COPYRIGHT")
LEFT_OUT = {".git", ".spack-env", "__pycache__", "docs", "spack.lock"}


def pack(build: Build, out: Path) -> str:
    """Write what `fill_script` has brought into the prefix; returns the archive's SHA-256, which stands beside it, too.

    The same contents give the same bytes.
    """
    settings(replace(build, archive=out))
    contents = dict(_contents(build))
    contents["build.sh"] = packed_script(replace(build, archive=out)).encode()
    sums = "".join(f"{_sum(source)}  {name}\n" for name, source in sorted(contents.items()) if not _is_link(source))
    contents[SUMS] = sums.encode()
    with atomic_large(out) as path:
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
            for name, source in sorted(contents.items()):
                _add(tar, name, source)
        total = _sum(path)
    with atomic(out.with_name(f"{out.name}.sha256")) as path:
        path.write_text(f"{total}  {out.name}\n")
    return total


def unpack(build: Build, archive: Path) -> None:
    """Put an archive's contents into the prefix, all of it checked before anything is touched.

    Raises
    ------
    InputError
        Where the archive is not one of `deeprc spack mirror`, was changed, or is another partition's or release's.
    """
    if not archive.is_file():
        raise InputError("no such archive", where=archive, fix="write it with `deeprc spack mirror`")
    build.prefix.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build.prefix, prefix=".unpack-") as name:
        folder = Path(name)
        try:
            with tarfile.open(archive) as tar:
                archives.unpack(tar, folder)
        except (tarfile.TarError, EOFError) as error:
            raise _broken(archive, str(error)) from error
        _check(folder, archive)
        mine(replace(build, prefix=folder))
        same_release(replace(build, prefix=folder))
        mine(build)
        for entry in sorted(folder.iterdir()):
            target = build.prefix / entry.name
            if target.is_dir():
                shutil.rmtree(target)
            entry.rename(target)


def _check(folder: Path, archive: Path) -> None:
    """Every file is one of the list, with its sum, and every one of the list is there."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except OSError:
        raise _broken(archive, f"no {SUMS}") from None
    wanted = {name: total for total, _, name in (line.partition("  ") for line in lines)}
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    links = {name for name, path in there.items() if path.is_symlink()}
    differ = sorted((there.keys() - links - {SUMS}) ^ wanted.keys())
    differ += sorted(name for name in wanted.keys() & there.keys() if _sum(there[name]) != wanted[name])
    if differ:
        raise _broken(archive, f"{len(differ)} files missing, changed or too many: {', '.join(differ[:3])}")


def _broken(archive: Path, found: str) -> InputError:
    return InputError(
        "this archive is not as `deeprc spack mirror` wrote it",
        where=archive,
        found=found,
        fix=f"bring it over again, and compare: {command('sha256sum', '--check', f'{archive.name}.sha256')}",
    )


def _contents(build: Build) -> Iterator[tuple[str, Path]]:
    """Name in the archive and file of everything in it."""
    roots = [(part, build.prefix / part) for part in OWN]
    roots += [(f"spack/{part}", (build.spack or build.prefix / "spack") / part) for part in SPACK]
    roots += [
        (f"spack-packages/{part}", (build.packages or build.prefix / "spack-packages") / part) for part in PACKAGES
    ]
    for name, root in roots:
        if root.is_file():
            yield name, root
        for folder, folders, files in os.walk(root):
            links = [each for each in folders if (Path(folder) / each).is_symlink()]
            folders[:] = sorted(set(folders) - LEFT_OUT - set(links))
            for file in sorted({*files, *links} - LEFT_OUT):
                path = Path(folder) / file
                if path.exists():
                    yield (PurePosixPath(name) / path.relative_to(root).as_posix()).as_posix(), path


def _add(tar: tarfile.TarFile, name: str, source: Path | bytes) -> None:
    """A member without an owner, and of one time."""
    member = tarfile.TarInfo(name)
    member.mtime = TIME
    if isinstance(source, bytes):
        member.size, member.mode = len(source), 0o755 if name.endswith(".sh") else 0o644
        tar.addfile(member, io.BytesIO(source))
    elif source.is_symlink():
        member.type, member.linkname = tarfile.SYMTYPE, str(source.readlink())
        tar.addfile(member)
    else:
        member.size, member.mode = source.stat().st_size, 0o755 if os.access(source, os.X_OK) else 0o644
        with source.open("rb") as handle:
            tar.addfile(member, handle)


def _is_link(source: Path | bytes) -> bool:
    return isinstance(source, Path) and source.is_symlink()


def _sum(source: Path | bytes) -> str:
    return hashlib.sha256(source).hexdigest() if isinstance(source, bytes) else sha256(source)
