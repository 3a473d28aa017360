"""Copies of an image on the node's own disk: made by real shells, as the ranks of a task do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from deeprc.images import load_catalog
from deeprc.launch import Layout, compose
from deeprc.launch.nodecopy import PROGRAM, copying
from deeprc.launch.text import shell_word
from samples.sites import cluster

SITE = {"storage": {"node_local": "$LOCAL/x", "node_copy_ranks": 16, "image_cache": "$SCRATCH/images"}}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "shared images" / "an image.sif"
    path.parent.mkdir()
    path.write_bytes(os.urandom(900_000))
    return path


def rank(image: Path, folder: object, *words: str) -> subprocess.Popen:
    line = " ".join(map(shell_word, [*copying(str(image), str(folder)), *words]))
    return subprocess.Popen(["bash", "-c", line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def used(image: Path, folder: object) -> tuple[str, str]:
    """The file that a rank uses, and what it complains of."""
    return rank(image, folder, "printf", "%s", str(image)).communicate(timeout=20)


def test_a_node_has_one_copy_for_all_its_ranks(image, tmp_path):
    node = tmp_path / "node" / "mine"
    ranks = [rank(image, node, "printf", "%s", str(image)) for _ in range(8)]
    said = [process.communicate(timeout=20) for process in ranks]
    assert said == [(f"{node}/an image.sif", "")] * 8
    assert (node / "an image.sif").read_bytes() == image.read_bytes()
    assert {path.name for path in node.iterdir()} == {"an image.sif", "an image.sif.lock"}
    before = (node / "an image.sif").stat()
    assert used(image, node) == (f"{node}/an image.sif", "")
    assert (node / "an image.sif").stat().st_mtime_ns == before.st_mtime_ns
    assert node.stat().st_mode & 0o777 == 0o700


def test_words_other_than_the_image_stay_as_they_are_and_the_code_is_the_commands(image, tmp_path):
    words = ["bash", "-c", 'printf "%s|" "$@"; exit 7', "x", "a  b", "$HOME", f"/x{image}", str(image)]
    process = rank(image, tmp_path / "node", *words)
    assert process.communicate(timeout=20)[0] == f"a  b|{os.environ['HOME']}|/x{image}|{tmp_path}/node/an image.sif|"
    assert process.returncode == 7


@pytest.mark.requires("tmpfs")
def test_without_room_ranks_use_the_file_itself(image, tmpfs):
    for folder in (tmpfs("1m"), tmpfs("1m", "ro")):
        path, said = used(image, folder / "mine")
        assert path == str(image)
        assert f"no copy of {image} in {folder}/mine: too little room, or not writable" in said


@pytest.mark.requires("root")
def test_somebody_elses_folder_is_not_trusted(image, tmp_path):
    """Who comes first could put an image of his own there."""
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o777)
    (folder / image.name).write_bytes(b"evil")
    os.chown(folder, 65534, 65534)
    path, said = used(image, folder)
    assert path == str(image) and "no copy" in said


def line(ranks: int, **more: object) -> list[str]:
    site = cluster(**SITE)
    layout = Layout(ranks, 1, 0, 2 if ranks > 1 else 1)
    made = compose(site, site.partition(), layout, ["run"], image=load_catalog().image("cpu-mpich"), **more)
    return made.argv


def test_many_ranks_start_from_the_nodes_copy():
    few, many = line(15), line(16)
    assert "bash" not in few
    start = many.index("bash")
    assert many[start : start + 4] == [
        "bash", str(PROGRAM), "$LOCAL/x/deeprc-images-$USER", "$SCRATCH/images/cpu-mpich.sif",
    ]  # fmt: skip
    assert many[start + 4 :] == ["apptainer", "exec", "--sharens", "--no-home", "$SCRATCH/images/cpu-mpich.sif", "run"]
    assert "bash" in line(1, containers=16)  # as many workers
    assert "bash" not in line(1)
