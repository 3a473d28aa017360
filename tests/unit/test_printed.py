"""How pages are read, commands are run and their output is held against the page (`tests/printed.py`)."""

import os

import pytest

from printed import Shell, missing, printed


def test_a_page_is_read_as_its_reader_does():
    page = (
        "## One\n<!-- not run: `b c`: far away -->\n\n```console\n$ a \\\n  -x  # why\nsaid … once\n$ b c   # so\n```\n"
    )
    page += "## Two\n```console\n$ cat > f <<'END'\n$ no command\nEND\n```\n```\n$ shown only\n```\n"
    found = printed(page)
    assert [(each.leg, each.command, each.lines, each.why_not) for each in found] == [
        ("One", "a \\\n  -x  # why", ["said … once"], ""),
        ("One", "b c   # so", [], "far away"),
        ("Two", "cat > f <<'END'\n$ no command\nEND", [], ""),
    ]
    with pytest.raises(AssertionError, match="no such command"):
        printed(page.replace("`b c`", "`c`"))


@pytest.mark.parametrize(
    ("wanted", "line"),
    [(["b  … d", "e "], None), (["e", "b"], "b"), (["c"], "c"), (["…", "a", "…"], None), ([], None)],
)
def test_what_was_said_is_held_against_what_is_printed_in_its_order(wanted, line):
    assert missing(wanted, "a\nb c d\ne\n") == line


def test_a_shell_keeps_its_folder_and_ends_what_takes_too_long(tmp_path):
    shell = Shell(tmp_path, {"PATH": os.environ["PATH"]})
    try:
        assert shell.run("mkdir x && cd x && WORD=here  # so", 10)[:2] == (0, "")
        assert shell.run('echo "$WORD"; pwd; false', 10)[:2] == (1, f"here\n{tmp_path}/x\n")
        assert shell.run("echo begun; sleep 60", 0.5)[:2] == (None, "begun\n")
    finally:
        shell.close()
