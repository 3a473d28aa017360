"""Modules of this shell."""

import pytest

from deeprc.sites.detect import software


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LMOD_CMD": "/usr/share/lmod/lmod/libexec/lmod", "LMOD_VERSION": "8.7.32"}, ("lmod", "8.7.32")),
        ({"MODULES_CMD": "/usr/lib/modulecmd.tcl"}, ("tcl", None)),
    ],
)
def test_the_modules_of_this_shell(environment, expected, tmp_path):
    found = software.modules_system(environment, tmp_path)
    assert (found.name, found.version) == expected


def test_modules_that_are_installed_only_and_none_at_all(tmp_path):
    assert software.modules_system({}, tmp_path) is None
    (tmp_path / "usr/share/lmod").mkdir(parents=True)
    assert software.modules_system({}, tmp_path).name == "lmod"
