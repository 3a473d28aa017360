"""How a program ends that a warm worker or a gang runs: as Python itself lets it end."""

import importlib.util
import subprocess
import sys

import pytest

from deeprc.pilot.started import PROGRAM

spec = importlib.util.spec_from_file_location("deeprc_program", PROGRAM / "program.py")
program = importlib.util.module_from_spec(spec)
spec.loader.exec_module(program)


@pytest.mark.parametrize("argument", ["", "None", "0", "7", "True", "'words'", "['a', 1]"])
def test_the_code_and_the_words_are_those_of_python(argument, capsys):
    python = subprocess.run([sys.executable, "-c", f"raise SystemExit({argument})"], capture_output=True, text=True)
    code = program.code_of(eval(f"SystemExit({argument})"))
    assert (int(code), capsys.readouterr().err) == (python.returncode, python.stderr)


@pytest.mark.parametrize(
    "body", ["write = sys.__stdout__.write; flush = sys.__stdout__.flush", "write = len", "closed = True", "flush = 1"]
)
def test_what_a_program_puts_in_the_place_of_its_output_is_flushed_as_python_does(body, monkeypatch):
    """Such as one of its own that writes to a file, too, and knows of no `closed`."""
    text = f"import sys\nclass Own: {body}\nsys.stdout = Own()"
    python = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    monkeypatch.setattr(sys, "stdout", None)
    exec(text, {})
    assert program.flushed(0) == python.returncode


def test_a_program_may_have_modules_of_the_names_of_all_of_the_workers_own():
    """One that is not left out of `sys.modules` would be imported instead of the program's, without a word."""
    told = [sys.executable, "-c", "from warm import OWN; print(*OWN)"]
    names = subprocess.run(told, cwd=PROGRAM, capture_output=True, text=True, check=True).stdout.split()
    assert {*names} == {path.stem for path in PROGRAM.glob("*.py")} - {"__main__", "shim"}


@pytest.mark.parametrize("flags", ["", "uP"])
@pytest.mark.parametrize("kind", ["-c", "-m", "script"])
def test_a_program_sees_its_own_command(kind, flags, tmp_path):
    """And nothing of the worker's, whose words are the paths of its socket and its key."""
    told = "import sys; print(sys.orig_argv)"
    (tmp_path / "told.py").write_text(told)
    arguments = {"-c": ["-c", told, "a"], "-m": ["-m", "told", "-x"], "script": [str(tmp_path / "told.py"), "a b"]}[
        kind
    ]
    letters = [f"-{letter}" for letter in flags]
    run = {"cwd": tmp_path, "env": {"PYTHONPATH": str(tmp_path)}, "capture_output": True, "text": True, "check": True}
    python = subprocess.run([sys.executable, *letters, *arguments], **run)
    text = f"import sys; sys.path.insert(0, {str(PROGRAM)!r}); import program; program.main({arguments!r}, {flags!r})"
    worker = subprocess.run([sys.executable, "-c", text, "/socket", "/key"], **run)
    assert worker.stdout == python.stdout
