import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.core.files import StorageError
from deeprc.learning.checkpoints import CheckpointStore
from deeprc.learning.checkpoints.share import ShareCopy, share
from deeprc.learning.checkpoints.tensors import write
from deeprc.learning.checkpoints.writing import CheckpointError
from deeprc.learning.peers import Alone
from samples.peers import on_ranks


def weights(step: int, size: int = 5000) -> dict[str, np.ndarray]:
    """Tensors that tell their step in every number."""
    return {
        "model.a": np.full((3, size), step, np.float32),
        "model.b": np.full(7, step, np.float32),
        "optimizer.0.step": np.array(step, np.float32),
        "chance": np.full(size, step % 256, np.uint8),
        "empty": np.empty((0, 4), np.int64),
    }


def is_of(found, step: int) -> bool:
    expected = weights(step)
    same = found.tensors.keys() == expected.keys() and found.state == {"at": step}
    return same and all(np.array_equal(found.tensors[name], expected[name]) for name in expected)


def save(store: CheckpointStore, step: int, **options) -> None:
    store.save(step, weights(step), {"at": step}, **options)
    store.finish()


def test_what_is_saved_comes_back_and_the_last_two_are_kept(tmp_path):
    store = CheckpointStore(tmp_path / "c", Alone())
    assert store.latest() is None
    for step in (10, 20, 30):
        save(store, step)
    assert store.steps() == [30, 20]
    assert is_of(CheckpointStore(tmp_path / "c", Alone()).latest(), 30)


def test_the_best_is_kept_until_another_one_is(tmp_path):
    store = CheckpointStore(tmp_path, Alone(), keep=1)
    for step, best in ((1, True), (2, False), (3, False), (4, True), (5, False)):
        save(store, step, best=best)
    assert store.steps() == [5, 4]


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_a_checkpoint_of_two_ranks_is_read_on_any_number(tmp_path, ranks):
    on_ranks(2, lambda peers: save(CheckpointStore(tmp_path, peers), 5))
    files = sorted(path.name for path in (tmp_path / "step-00000005").iterdir())
    assert files == ["commit.json", "rank-0-of-2.safetensors", "rank-1-of-2.safetensors"]
    assert all(is_of(found, 5) for found in on_ranks(ranks, lambda peers: CheckpointStore(tmp_path, peers).latest()))


def test_weights_that_change_right_after_the_save_do_not_get_in(tmp_path):
    store, tensors = CheckpointStore(tmp_path, Alone()), weights(1, 2_000_000)
    store.save(1, tensors, {"at": 1})
    for array in tensors.values():
        array += 1
    store.finish()
    assert all((array == 1).all() for array in store.latest().tensors.values())


def test_a_staging_folder_holds_the_copy_without_a_name(tmp_path):
    node = tmp_path / "node"
    node.mkdir()
    store = CheckpointStore(tmp_path / "c", Alone(), staging=node)
    save(store, 3)
    assert is_of(store.latest(), 3)
    assert list(node.iterdir()) == []


def test_a_staging_folder_that_is_not_there_is_refused_before_a_step(tmp_path):
    """It was a traceback of the first save; a file is no folder either."""
    (tmp_path / "file").touch()
    for name in ("none", "file"):
        with pytest.raises(ConfigError, match=f"'training.staging'.*\n  found: {tmp_path / name}: no such folder"):
            CheckpointStore(tmp_path / "c", Alone(), staging=tmp_path / name)


@pytest.mark.parametrize(
    "name, how",
    [
        ("rank-0-of-1.safetensors", "damaged (rank-0-of-1.safetensors)"),
        ("commit.json", "not committed, or its commit.json is damaged"),
    ],
)
def test_a_flipped_bit_is_found_and_the_one_before_is_used(tmp_path, name, how):
    told = []
    store = CheckpointStore(tmp_path, Alone(), report=told.append)
    save(store, 1)
    save(store, 2)
    path = tmp_path / "step-00000002" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert is_of(store.latest(), 1)
    assert told == [f"the checkpoint of step 2 is {how}: the one before is used"]
    assert store.steps() == [1]  # the training comes by step 2 again


def test_a_file_beside_it_belongs_to_it(tmp_path):
    store = CheckpointStore(tmp_path, Alone(), report=lambda line: None)
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "a").write_text("one")
    save(store, 1, beside=["ledger/a"])
    (tmp_path / "ledger" / "b").write_text("two")
    save(store, 2, beside=["ledger/a", "ledger/b"])
    (tmp_path / "ledger" / "b").write_text("tvo")
    assert is_of(store.latest(), 1)


@pytest.fixture
def crowded():
    """One core for this process, and two others that always want it."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    yield
    for other in others:
        other.kill()
        other.wait()
    os.sched_setaffinity(0, cores)


def policies() -> list[int]:
    return [os.sched_getscheduler(int(thread.name)) for thread in Path("/proc/self/task").iterdir()]


def test_a_save_takes_no_core_that_others_want_until_it_is_waited_for(tmp_path, crowded):
    store, tensors = CheckpointStore(tmp_path, Alone()), weights(1, 5_000_000)
    store.save(1, tensors, {"at": 1})
    until = time.monotonic() + 20
    while os.SCHED_IDLE not in policies() and time.monotonic() < until:
        time.sleep(0.01)
    assert policies().count(os.SCHED_IDLE) == 1
    began = time.monotonic()
    store.finish()  # by the thread that writes alone it took minutes
    assert time.monotonic() - began < 30
    assert policies().count(os.SCHED_IDLE) == 0
    assert store.latest().state == {"at": 1}


def child(work) -> int:
    """Run `work` in a fork; its number."""
    process = os.fork()
    if process:
        return process
    try:
        work()
    finally:
        os._exit(1)


def saves(folder) -> None:
    store = CheckpointStore(folder, Alone())
    for step in range(1, 1000):
        save(store, step)


def test_a_kill_at_any_moment_leaves_a_valid_one(tmp_path):
    """Fifty kills, ten at a time, at random moments of saves that follow each other; what is there then is whole."""
    chance, seen = random.Random(1), []
    for first in range(0, 50, 10):
        folders = [tmp_path / str(first + number) for number in range(10)]
        processes, patience = [child(lambda folder=folder: saves(folder)) for folder in folders], time.monotonic() + 60
        try:
            while not all(any(folder.glob("step-*/commit.json")) for folder in folders):
                assert time.monotonic() < patience
                time.sleep(0.001)
        finally:
            for process in processes:
                time.sleep(chance.uniform(0, 0.01))
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
        for folder in folders:
            found = CheckpointStore(folder, Alone(), report=lambda line: None).latest()
            assert is_of(found, found.step)
            seen.append(found.step)
    assert len(set(seen)) > 1


def test_a_kill_at_any_byte_leaves_the_one_before(tmp_path):
    """The kernel ends the process at the byte of a file that the limit of file sizes says (SIGXFSZ)."""
    save(CheckpointStore(tmp_path / "0", Alone()), 1)
    size = (tmp_path / "0" / "step-00000001" / "rank-0-of-1.safetensors").stat().st_size
    for trial, byte in enumerate([0, 1, 7, 8, 100, size // 3, size // 2, size - 1], 1):
        folder = tmp_path / str(trial)
        save(CheckpointStore(folder, Alone()), 1)

        def work(folder=folder, byte=byte):
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (byte, byte))
            save(CheckpointStore(folder, Alone()), 2)

        _, status = os.waitpid(child(work), 0)
        assert os.WTERMSIG(status) == signal.SIGXFSZ
        assert is_of(CheckpointStore(folder, Alone(), report=lambda line: None).latest(), 1)


@pytest.mark.requires("tmpfs")
def test_a_full_disk_ends_the_training_and_keeps_the_one_before(tmp_path, tmpfs):
    folder = tmpfs("200k")
    store = CheckpointStore(folder, Alone())
    save(store, 1)
    with pytest.raises(StorageError, match="no space left"):
        for step in range(2, 5):
            save(store, step)
    found = CheckpointStore(folder, Alone(), report=lambda line: None).latest()
    assert is_of(found, found.step)


def test_a_rank_that_cannot_write_is_told_by_all(tmp_path):
    (tmp_path / "step-00000001").mkdir()
    (tmp_path / "step-00000001" / "rank-1-of-2.safetensors").mkdir()

    def work(peers):
        try:
            save(CheckpointStore(tmp_path, peers), 1)
        except (DeepRCError, OSError) as error:
            return error

    first, second = on_ranks(2, work)
    assert isinstance(first, CheckpointError) and "rank 1 could not write" in str(first)
    assert isinstance(second, IsADirectoryError)
    assert not (tmp_path / "step-00000001" / "commit.json").exists()


def test_shares_are_even_and_of_whole_tensors():
    assert share({"a": 5, "b": 3, "c": 3, "d": 1}, 2) == [["a", "d"], ["b", "c"]]
    assert share({"a": 1}, 3) == [["a"], [], []]


def test_the_copy_takes_memory_once(tmp_path):
    stage = ShareCopy()
    first = stage.copy({"a": np.ones(1000)})["a"]
    second = stage.copy({"a": np.zeros(1000)})["a"]
    assert first.ctypes.data == second.ctypes.data


def test_files_are_those_of_safetensors(tmp_path):
    arrays = {
        name: (np.arange(6).reshape(2, 3) % 2).astype(name)
        for name in ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64")
    } | {"scalar": np.array(1.5, np.float32), "empty": np.empty((0, 2), np.float32)}
    size, digest = write(tmp_path / "x", arrays, {"by": "us"})
    read = load_file(tmp_path / "x")
    assert read.keys() == arrays.keys()
    assert all(read[name].dtype == arrays[name].dtype and np.array_equal(read[name], arrays[name]) for name in arrays)
    assert (tmp_path / "x").stat().st_size == size
    assert len(digest) == 64
    assert json.loads((tmp_path / "x").read_bytes()[8:].split(b"}}")[0] + b"}}")["__metadata__"] == {"by": "us"}
