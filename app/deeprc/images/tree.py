"""An image's file system as a tar file: what runtimes with stores of their own are filled with."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

from deeprc.images.errors import ImageError


def write_tar(squashfs: Path, target: Path) -> None:
    """Write the files of a squashfs file to `target`, all of them root's, as they were in the build.

    No root is needed: `unsquashfs` (squashfs-tools), which podman-hpc needs as well, unpacks them beside `target`.
    """
    if not (program := shutil.which("unsquashfs")):
        fix = "load or install squashfs-tools"
        raise ImageError("no unsquashfs here, which the image is unpacked with", where=squashfs, fix=fix)
    folder = target.with_name("root")
    command = [program, "-no-progress", "-no-xattrs", "-quiet", "-dest", str(folder), str(squashfs)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ImageError("the image could not be unpacked", where=squashfs, found=done.stderr.strip()[-300:])
    try:
        with tarfile.open(target, "w") as tar:
            tar.add(folder, arcname=".", filter=_of_root)
    finally:
        _remove(folder)


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if member.isdev():  # an ordinary user cannot make those again; every container has its own
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def _remove(folder: Path) -> None:
    for path in [folder, *(each for each in folder.rglob("*") if each.is_dir() and not each.is_symlink())]:
        path.chmod(0o700)
    shutil.rmtree(folder)
