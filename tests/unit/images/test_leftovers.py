"""What killed commands leave in a store, and what is told where images cannot be written."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from deeprc.core.files import StorageError
from deeprc.images import leftovers
from deeprc.images.store import Store, writing

KILLED = """\
import sys, time
from pathlib import Path
from deeprc.images import leftovers
with leftovers.alone(Path(sys.argv[1]), "sign.cpu") as file:
    file.write_bytes(b"half")
    print(file, flush=True)
    time.sleep(60)
"""


def test_what_a_killed_command_leaves_goes_with_the_next_one(tmp_path):
    """Not after a day: a copy that was to be signed is as large as an image. One that is in use stays."""
    store, started = Store(tmp_path, []), []
    for _ in range(2):
        started.append(subprocess.Popen([sys.executable, "-c", KILLED, tmp_path], stdout=subprocess.PIPE, text=True))
    first, second = (Path(process.stdout.readline().strip()) for process in started)
    for process in started:
        with store.lock("x"):
            assert first.exists() == (process is started[0]) and second.exists()
        assert store.prune([]) == []
        process.kill()
        process.wait()
    assert store.prune([]) == [second] and [path.name for path in tmp_path.iterdir()] == [".x.lock"]


@pytest.mark.requires("tmpfs")
def test_why_images_cannot_be_written_has_its_own_advice(tmp_path, tmpfs, sticky, stranger):
    with pytest.raises(StorageError, match="no space left") as caught, writing(full := tmpfs("64k")):
        (full / "x").write_bytes(b"x" * 200_000)
    assert "fix: free some space (`deeprc image prune` removes old images), or name another" in str(caught.value)
    with pytest.raises(StorageError, match="mounted read-only") as caught, Store(tmpfs("64k", "ro") / "x").lock("x"):
        pass
    assert "prune" not in str(caught.value) and "fix: name another folder in DEEPRC_IMAGES" in str(caught.value)
    (closed := sticky / "closed").mkdir(mode=0o700)  # not even to be looked into
    code = "from deeprc.images.store import Store\ntry:\n    with Store(sys.argv[1]).lock('x'): pass\n"
    said = stranger.run(f"{code}except Exception as error: print(error)", closed / "x", modules=["deeprc.images.store"])
    assert "cannot write here: you may not" in said and "have its owner let you write there, or name" in said


def test_prune_removes_locks_that_nobody_holds_and_whoever_waits_gets_the_next_one(tmp_path):
    """Two never have what is called the same lock: one that waited for a removed file takes the new one."""
    store, name, together = Store(tmp_path, []), "pull-0123456789abcdef", []
    inside = threading.Lock()

    def work():
        for _ in range(30):
            with Store(tmp_path, []).lock(name):
                together.append(inside.acquire(blocking=False))
                time.sleep(0.0005)
                inside.release()
                leftovers.unlock(tmp_path)  # held by us: it must stay

    (tmp_path / ".mine.lock").touch()
    with store.lock(name):
        store.prune([])
        assert (tmp_path / f".{name}.lock").exists()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        store.prune([])
    for thread in threads:
        thread.join(60)
    store.prune([])
    assert together == [True] * 120 and [path.name for path in tmp_path.iterdir()] == [".mine.lock"]
