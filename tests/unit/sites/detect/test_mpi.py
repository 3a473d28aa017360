"""MPI libraries, by what they say of themselves, and those of this machine."""

import re
import sys
from pathlib import Path

import pytest

from deeprc.sites.detect import elf, mpi


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("MPICH Version:      5.0.2\nMPICH Release date: Fri", ("mpich", "5.0.2", None)),
        (
            "MPI VERSION    : CRAY MPICH version 8.1.28.15 (ANL base 3.4a2)\nMPI BUILD INFO : Wed",
            ("cray-mpich", "8.1.28.15", "3.4"),
        ),
        ("Intel(R) MPI Library 2021.9 for Linux* OS\n", ("intel-mpi", "2021.9", None)),
        ("MVAPICH2 Version      : 2.3.7\nMVAPICH2 Release date", ("mvapich", "2.3.7", None)),
        ("Open MPI v5.0.11, package: Open MPI user@localhost Distribution", ("openmpi", "5.0.11", None)),
        ("a library of my own", (None, None, None)),
    ],
)
def test_mpis_by_what_they_say(says, expected):
    assert mpi.what_it_is(says) == expected


def test_the_mpi_of_this_environment_is_asked():
    found = {library.soname: library for library in mpi.mpi_libraries({"PATH": ""})}
    ours = found["libmpi.so.12"]
    assert (ours.implementation, ours.family) == ("mpich", "mpich") and ours.version.startswith("5.")
    assert found["libmpi_abi.so.1"].family == "mpi-abi"
    assert all(library.soname for library in found.values())  # libmpi.so, a script of the linker's, is left out


def test_a_library_that_ends_its_process_does_no_harm(tmp_path):
    """Any library but an MPI: it is loaded in another process, and has no answer."""
    loaded = re.search(r"\S+/libc\.so\.6$", Path("/proc/self/maps").read_text(), re.M).group()
    (tmp_path / "libmpi.so.12").symlink_to(loaded)
    found = mpi.examine(tmp_path / "libmpi.so.12")
    assert (found.soname, found.implementation, found.family) == ("libc.so.6", None, None)


def test_sonames_are_read_from_the_file(tmp_path):
    loaded = re.search(r"\S+/libc\.so\.6$", Path("/proc/self/maps").read_text(), re.M).group()
    assert elf.soname(Path(loaded)) == "libc.so.6"
    assert elf.soname(Path(sys.executable).resolve()) is None
    for content in (b"", b"INPUT(libmpi.so.12)", b"\x7fELF\x02\x01" + bytes(20)):
        (tmp_path / "x").write_bytes(content)
        assert elf.soname(tmp_path / "x") is None
