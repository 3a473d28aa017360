"""Programs that a warm worker or a gang runs end, print and find what they do under a Python of their own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from deeprc.pilot.worker import surroundings
from started_pilot import Started

pytest.importorskip("mpi4py")
ZONE = "import datetime; print(datetime.datetime.fromtimestamp(0))"
ENDS = {
    "large": "import sys; sys.exit(10**20)",
    "negative": "import sys; sys.exit(-3)",
    "words": "import sys; print(1); sys.exit('words')",
    "hook": "import sys; sys.excepthook = lambda *_: sys.exit(11); 1 / 0",
    "bad-hook": "import sys; sys.excepthook = lambda *_: 1 / 0; {}[1]",
    "error": "print('first'); {}['a']",
    "interrupted": "raise KeyboardInterrupt",
    "closed": "import os; print('y' * 10); os.close(1)",
    "full": "import os; os.dup2(os.open('/dev/full', os.O_WRONLY), 1); print('y')",
    "at-exit": "import atexit; x = 3; atexit.register(lambda: print(x))",
}
FINDS = {
    "json": "import json; json.JSONEncoder.item_separator = ';'; print(json.dumps([1, 2]))",
    "surrogate": r"print('\udcff')",
    "main": "import __main__, sys; print(__main__.__dict__ is globals(), sys.argv)",
    "annotations": "def f(a: int): pass\nprint(f.__annotations__)",
    "temporary": "import tempfile, os; print(tempfile.gettempdir() == os.environ['TMPDIR'])",
}
SCRIPT = (
    "import os, sys; print(__file__, sys.argv, sys.path[0], __spec__); os.chdir('/'); print(open(__file__).read(6))"
)
COMMANDS = {
    **{f"end-{name}": f"python -c {shlex.quote(text)}" for name, text in {**ENDS, **FINDS}.items()},
    "pop": "python one.py a; python -c 'import sys; sys.argv.clear()'",
    "script": "cd ..; python {folder}/one.py a; python {folder}/./here b",
    "no-file": "python nofile.py",
    "no-module": "python -m nomod",
    "module": "python -m one a",
    "zone": f"TZ=America/New_York python -c {shlex.quote(ZONE)}",
    "unbuffered": "PYTHONUNBUFFERED=1 python -c 'import os; print(3); os._exit(0)'",
    "options": "python -u -c 'import os; print(3); os._exit(0)'; python -uBm one a; python -u one.py b",
    "joined": r"python -cprint\(4\) a; python -O -c 'print(__debug__)'",
    "no-bytecode": "python -B -c 'import sys; print(sys.dont_write_bytecode, sys.path[0] == str())'",
    "safe": "python -P -c 'import sys; print(sys.path[0] == str())'",
    "warn": "python -W error -c 'import warnings; warnings.warn(1)'",
    "input": "echo 'print(5)' | python -u - a; echo 'print(6)' | python",
    "unbuffered-closed": "PYTHONUNBUFFERED=1 python -c 'import os; print(3); os.close(1)'",
    "hash": "PYTHONHASHSEED=0 python -c 'print(hash(\"a\"))'",
    "warnings": "PYTHONWARNINGS=error python -c 'import warnings; warnings.warn(\"w\")'",
    "optimize": "PYTHONOPTIMIZE=1 python -c 'print(__debug__)'",
    "encoding": "PYTHONIOENCODING=latin-1 python -c 'print(chr(228))' | od -c",
    "ascii": "LC_ALL=C PYTHONUTF8=0 python -c 'import sys; print(sys.stdout.encoding)'",
    "digits": "PYTHONINTMAXSTRDIGITS=0 python -c 'print(len(str(10**5000)))'",
    "threads": "OMP_NUM_THREADS=7 python -c 'import os; print(os.environ[\"OMP_NUM_THREADS\"])'",
    "limit": "(ulimit -n 100; python -c 'import resource; print(resource.getrlimit(7))')",
    "nice": "nice -n 5 python -c 'import os; print(os.nice(0) - os.getpriority(0, os.getppid()))'",
    "ignored": "(trap '' USR1; python -c 'import signal; print(signal.getsignal(10))')",
    "core": "taskset -c 0 python -c 'import os; print(os.sched_getaffinity(0))'",
    "nothing": "env -i $(command -v python) -c 'print(3)'",
}


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    one = Started(tmp_path_factory.mktemp("programs"), PYTHONHASHSEED="5", TMPDIR="/var/tmp")
    yield one
    one.pilot.close()


def plain(text: str, folder: Path) -> str:
    """What a program has said, without what differs by its place."""
    text = text.replace(str(folder), "<folder>").replace(folder.name, "<name>")
    text = re.sub(r"\S*/python3?(\.\d+)?(?=:)", "python", text)
    text = re.sub(r'  File "<frozen runpy>".*\n', "", text)
    return re.sub(r"0x[0-9a-f]+", "0x", text)


@pytest.mark.parametrize("ranks", [1, 2])
def test_programs_are_as_under_a_python_of_their_own(started, ranks):
    tasks, expected = {}, {}
    for name, command in COMMANDS.items():
        tasks[name] = task = started.job("", ranks, ("json", "tempfile", "random"), one=f"{SCRIPT}; sys.argv.pop(0)")
        folder = Path(task.folder)
        (folder / "here").mkdir()
        (folder / "here" / "__main__.py").write_text(SCRIPT)
        command = command.format(folder=folder.name) if name == "script" else command
        task.argv[2] = command
        theirs = surroundings.read(task.environment)
        run = subprocess.run(
            ["/bin/bash", "-c", command], cwd=folder, env=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        code = run.returncode if run.returncode >= 0 else 128 - run.returncode  # as a shell says it
        expected[name] = code, plain(run.stdout.decode(errors="replace"), folder)
    started.submit(*tasks.values())
    codes = {outcome.uid: outcome.code for outcome in started.wait(len(tasks))}
    found = {}
    for name, task in tasks.items():
        folder = Path(task.folder)
        texts = {plain((folder / f"out.{rank}").read_text(errors="replace"), folder) for rank in range(ranks)}
        found[name] = codes[task.uid], texts - {""} or texts  # the first rank that fails ends the others
    assert found == {name: (code, {text}) for name, (code, text) in expected.items()}


@pytest.mark.parametrize("ranks", [1, 2])
def test_they_find_their_imports_done_with_what_the_user_has_exported_and_draw_numbers_of_their_own(started, ranks):
    command = 'python -c \'import sys; print("torch" in sys.modules, hash("a")); import torch; print(torch.rand(4))\''
    tasks = [started.job(command, ranks, ("json", "torch")) for _ in range(2)]
    started.submit(*tasks)
    assert {outcome.state for outcome in started.wait(2)} == {"DONE"}
    texts = [Path(task.folder, f"out.{rank}").read_text() for task in tasks for rank in range(ranks)]
    seeded = {**os.environ, "PYTHONHASHSEED": "5"}
    known = subprocess.run([sys.executable, "-c", "print(hash('a'))"], env=seeded, capture_output=True, text=True)
    assert [text.split("\n")[0] for text in texts] == [f"True {known.stdout.strip()}"] * len(texts)
    assert len({text.split("\n")[1] for text in texts}) == len(texts)
