"""Copies of an image on the node's own disk: made by real shells, as the ranks of a task do."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from deeprc.images import load_catalog
from deeprc.launch import Layout, compose
from deeprc.launch.nodecopy import PROGRAM, copying
from deeprc.launch.text import shell_word
from samples.sites import cluster

MINE = f"deeprc-images-{os.geteuid()}"  # whatever $USER says
SITE = {"storage": {"node_local": "$LOCAL/x", "node_copy_ranks": 16, "image_cache": "$SCRATCH/images"}}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "shared images" / "an image.sif"
    path.parent.mkdir()
    path.write_bytes(os.urandom(900_000))
    return path


def rank(image: Path, folder: object, *words: str) -> subprocess.Popen:
    line = " ".join(map(shell_word, [*copying(str(image), str(folder)), *words]))
    env = {name: value for name, value in os.environ.items() if name != "USER"}
    return subprocess.Popen(["bash", "-c", line], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def used(image: Path, folder: object) -> tuple[str, str]:
    """The file that a rank uses, and what it complains of."""
    return rank(image, folder, "printf", "%s", str(image)).communicate(timeout=20)


def test_a_node_has_one_copy_for_all_its_ranks(image, tmp_path):
    node = tmp_path / "node" / MINE
    ranks = [rank(image, node.parent, "printf", "%s", str(image)) for _ in range(8)]
    said = [process.communicate(timeout=20) for process in ranks]
    assert said == [(f"{node}/an image.sif", "")] * 8
    assert (node / "an image.sif").read_bytes() == image.read_bytes()
    assert {path.name for path in node.iterdir()} == {"an image.sif", "an image.sif.lock"}
    before = (node / "an image.sif").stat()
    assert used(image, node.parent) == (f"{node}/an image.sif", "")
    assert (node / "an image.sif").stat().st_mtime_ns == before.st_mtime_ns
    assert node.stat().st_mode & 0o777 == 0o700


def test_words_other_than_the_image_stay_as_they_are_and_the_code_is_the_commands(image, tmp_path):
    words = ["bash", "-c", 'printf "%s|" "$@"; exit 7', "x", "a  b", "$HOME", f"/x{image}", str(image)]
    process = rank(image, tmp_path / "node", *words)
    said = f"a  b|{os.environ['HOME']}|/x{image}|{tmp_path}/node/{MINE}/an image.sif|"
    assert process.communicate(timeout=20)[0] == said
    assert process.returncode == 7


@pytest.mark.requires("tmpfs")
def test_without_room_ranks_use_the_file_itself(image, tmpfs):
    for folder in (tmpfs("1m"), tmpfs("1m", "ro")):
        path, said = used(image, folder)
        assert path == str(image)
        assert f"no copy of {image} in {folder}/{MINE}: too little room, not writable, or not yours alone" in said


PLANTS = {
    "folder": f"os.mkdir('{MINE}')",
    "link to a folder of his": f"os.mkdir('his'); os.symlink('his', '{MINE}')",
    "link to an open folder of ours": f"os.symlink('ours', '{MINE}')",
}


@pytest.mark.requires("root")
@pytest.mark.parametrize("plant", [*PLANTS, "our own folder, open"])
def test_what_a_stranger_has_put_on_the_disk_is_not_used(image, sticky, stranger, plant):
    """Who comes first could put an image of his own there, of the same size."""
    ours = sticky / (MINE if plant not in PLANTS else "ours")
    ours.mkdir()
    ours.chmod(0o777)
    code = f"os.umask(0)\nos.chdir(sys.argv[1])\n{PLANTS.get(plant, '')}\n"
    stranger.run(f"{code}open('{MINE}/' + sys.argv[2], 'wb').write(b'e' * {image.stat().st_size})", sticky, image.name)
    path, said = used(image, sticky)
    assert path == str(image) and "no copy" in said


@pytest.mark.requires("root")
def test_nor_is_a_folder_of_ours_that_he_may_exchange(image, sticky):
    sticky.chmod(0o777)
    path, said = used(image, sticky)
    assert path == str(image) and "no copy" in said


def test_a_copy_that_is_a_link_or_of_another_size_is_made_anew(image, tmp_path):
    copy = Path(used(image, tmp_path / "node")[0])
    for spoil in (lambda: copy.write_bytes(b"half"), lambda: (copy.unlink(), copy.symlink_to(image))):
        spoil()
        assert used(image, tmp_path / "node") == (str(copy), "")
        assert not copy.is_symlink() and copy.read_bytes() == image.read_bytes()


def test_the_commands_umask_stays(image, tmp_path):
    process = rank(image, tmp_path / "node", "bash", "-c", "umask")
    assert (
        process.communicate(timeout=20)[0]
        == subprocess.run(["bash", "-c", "umask"], capture_output=True, text=True).stdout
    )


def line(ranks: int, **more: object) -> list[str]:
    site = cluster(**SITE)
    layout = Layout(ranks, 1, 0, 2 if ranks > 1 else 1)
    made = compose(site, site.partition(), layout, ["run"], image=load_catalog().image("cpu"), **more)
    return made.argv


def test_many_ranks_start_from_the_nodes_copy():
    few, many = line(15), line(16)
    assert "bash" not in few
    start = many.index("bash")
    assert many[start : start + 4] == [
        "bash", str(PROGRAM), "$LOCAL/x", "$SCRATCH/images/cpu.sif",
    ]  # fmt: skip
    assert many[start + 4 :] == ["apptainer", "exec", "--sharens", "--no-home", "$SCRATCH/images/cpu.sif", "run"]
    assert "bash" in line(1, containers=16)  # as many workers
    assert "bash" not in line(1)


def test_no_copy_of_an_image_is_started_that_is_not_what_its_name_says(image, tmp_path):
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    good, bad = (image.with_name(f"cpu_x86_64_{code}.sif") for code in (digest[:16], "0" * 16))
    image.rename(good)
    assert used(good, tmp_path / "node") == (f"{tmp_path}/node/{MINE}/{good.name}", "")
    good.rename(bad)
    link = bad.with_name("cpu.sif")
    link.symlink_to(bad.name)
    for path in (bad, link):
        process = rank(path, tmp_path / "other", "printf", "%s", str(path))
        told = f"{path} is damaged: its bytes have the digest {digest}, its name says {'0' * 16}…\n"
        assert (*process.communicate(timeout=20), process.returncode) == ("", told, 65)
    assert not list((tmp_path / "other" / MINE).glob("*.sif"))
