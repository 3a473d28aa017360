"""What counts as a job's memory: not the pages of a file on a disk, which the kernel drops when memory runs short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import deeprc.pilot

PILOT = Path(deeprc.pilot.__file__).parent
MAPS = """
import mmap, sys
with open(sys.argv[1], "r+b") as file:
    pages = mmap.mmap(file.fileno(), 0)
    sum(pages[at] for at in range(0, len(pages), 4096))
print("mapped", flush=True)
sys.stdin.readline()
held = bytearray(b"1") * 150_000_000
print("held", flush=True)
sys.stdin.readline()
"""
SHARE = "import sys; from memory import _share; print(_share(int(sys.argv[1])))"


def test_pages_of_a_file_do_not_count_and_others_do(tmp_path: Path) -> None:
    (tmp_path / "end").write_text("\n")
    (tmp_path / "large").write_bytes(b"1" * 150_000_000)
    program = 'exec 3<&0; "$1" -c "$2" "$3" <&3 & wait'
    command = ["/bin/bash", "-c", program, "bash", sys.executable, MAPS, str(tmp_path / "large")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout.readline() == "mapped\n"
        (child,) = Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text().split()
        asked = [sys.executable, "-c", SHARE, child]
        shared = subprocess.run(asked, cwd=PILOT / "worker", capture_output=True, text=True, check=True)
        assert 0 < float(shared.stdout) < 100
        watch = ["/bin/bash", str(PILOT / "ranks/watch.sh"), str(tmp_path), "0", str(shell.pid), str(10**8), "0.1"]
        with subprocess.Popen(watch) as watcher:
            try:
                watcher.wait(1)
                raise AssertionError("pages of a file were taken for memory")
            except subprocess.TimeoutExpired:
                pass
            shell.stdin.write("\n")
            shell.stdin.flush()
            assert watcher.wait(30) == 0
        assert int((tmp_path / "memory.0").read_text()) >= 100  # whole megabytes, of which the limit is one
