"""Commands that need no shell: what is taken for one runs the same as in bash."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprc.pilot import started

spec = importlib.util.spec_from_file_location("deeprc_plain", started.PROGRAM / "plain.py")
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)
Plain = module.PlainCommand


def plain(text: str):
    return module.plain(["/bin/bash", "-c", text])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("set -euo pipefail;  python -m a.b --x=1 'c d' ", Plain(["python", "-m", "a.b", "--x=1", "c d"])),
        ("""python -c "x = 'y'" --j '{"a": [1]}'""", Plain(["python", "-c", "x = 'y'", "--j", '{"a": [1]}'])),
        ("python a.py > out/log.txt 2>&1", Plain(["python", "a.py"], ("out/log.txt", False), None, joined=True)),
        ("python a.py >> log", Plain(["python", "a.py"], ("log", True))),
        ("python a.py &> log", Plain(["python", "a.py"], ("log", False), None, joined=True)),
        ("python a.py 2> err 1> out", Plain(["python", "a.py"], ("out", False), ("err", False))),
        ("python pre'fix 'post", Plain(["python", "prefix post"])),
    ],
)
def test_one_program_with_its_files(text, expected):
    assert plain(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "python a.py; true", "python a.py | tee x", "python a.py && true", "X=1 python a.py", "python $A", "python ~/a",
        "python *.py", "python {a,b}", "python a.py\npython b.py", "python `a`", 'python "$A"', "python a.py &",
        "(python a.py)", "! python a.py", "python a.py < in", "python a.py 2>&1 > out", "python a.py > out > other",
        "python 'open", "time python a.py", "python a.py > $X", "python a.py # words", "", "python a.py 3> x",
        "python a.py >| x", "python a.py x>y", "python a.py &>> x", "python \\a", "if python a.py", "python [a]",
    ],
)  # fmt: skip
def test_everything_else_is_left_to_the_shell(text):
    assert plain(text) is None


def test_it_is_bash_alone():
    assert module.plain(["/bin/zsh", "-c", "python a.py"]) is None
    assert module.plain(["/bin/bash", "job.sh"]) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), max_size=4),
    st.text("ab '\"$\\~{}*#=>&|;!-\n\té0", max_size=12),
)
def test_its_words_are_those_of_bash(quoted, loose):
    text = f"printf '%s\\0' {shlex.join(quoted)} {loose}"
    found = plain(text)
    if found is None or found.output or found.errors or found.joined:
        return
    done = subprocess.run(["/bin/bash", "-c", text], capture_output=True)
    assert [word.encode() for word in found.words[2:]] == done.stdout.split(b"\0")[:-1] or not found.words[2:]
