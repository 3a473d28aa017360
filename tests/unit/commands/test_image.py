"""`deeprc image`: what it says of sites, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deeprc.commands.image import app
from deeprc.core.errors import DeepRCError
from deeprc.images import load_catalog
from deeprc.images.site import store_of
from deeprc.images.store import Store
from deeprc.sites import load_site

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def shipped(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DEEPRC_IMAGES", str(tmp_path / "images"))
    for name in ("DEEPRC_CATALOG", "DEEPRC_SITES", "DEEPRC_SHARED_IMAGES"):
        monkeypatch.delenv(name, raising=False)


def deeprc(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments)
    if isinstance(done.exception, DeepRCError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_list_has_every_variant_and_tells_what_is_here():
    rows = json.loads(deeprc("list", "--json"))
    assert [row["name"] for row in rows][:2] == ["cpu", "cuda12-mpich-ofi"] and len(rows) == 8
    assert all(row["path"] is None for row in rows)
    assert "cpu" in deeprc("list")


@pytest.mark.parametrize(("site", "image"), [("frontier", "rocm6-mpich-ofi"), ("frontera", "cpu")])
def test_list_tells_which_image_a_site_takes_and_why(site, image):
    rows = json.loads(deeprc("list", "--site", site, "--json"))
    assert next(row["name"] for row in rows if row["chosen"]) == image
    assert all(row["reason"] for row in rows)
    refused = {row["name"] for row in rows if row["verdict"] == "refuse"}
    assert "cuda12-openmpi-ucx" in refused and image in deeprc("list", "--site", site)


def test_names_are_whole_on_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    catalog = load_catalog()
    said, judged = deeprc("list").splitlines(), deeprc("list", "--site", "polaris")
    assert max(map(len, said)) <= 80 and "…" not in "".join(said) + judged
    words = {word for line in said for word in line.split()}
    for image in catalog.images:
        assert {image.name, *(mpi.version for mpi in image.mpi), *image.stages, *image.architectures} <= words
        assert image.name in judged


def test_sites_without_images():
    assert "runs no images" in deeprc("list", "--site", "localhost")
    with pytest.raises(DeepRCError, match="no image of the catalog runs on localhost"):
        deeprc("pull", "--site", "localhost")
    with pytest.raises(DeepRCError, match="retired"):
        deeprc("pull", "--site", "summit")


def test_pull_wants_one_thing():
    for arguments in ([], ["cpu", "--site", "frontier"]):
        with pytest.raises(DeepRCError, match="which image"):
            deeprc("pull", *arguments)
    with pytest.raises(DeepRCError, match="the catalog pins no digest"):
        deeprc("pull", "cpu")
    with pytest.raises(DeepRCError, match="did you mean 'cpu'"):
        deeprc("pull", "cpuu")
    with pytest.raises(DeepRCError, match="does not exist for ppc64le"):
        deeprc("pull", "cpu", "--arch", "ppc64le")


def test_what_is_not_here_is_told():
    for command in (["verify", "cpu"], ["local", "cpu"], ["push", "cpu", "oras://127.0.0.1:1/x"]):
        with pytest.raises(DeepRCError, match=r"image cpu for .* is not here") as caught:
            deeprc(*command)
        assert "deeprc image build cpu" in str(caught.value)
    assert "0 files and folders removed" in deeprc("prune")


def test_a_definition_can_be_read_before_it_is_built():
    text = deeprc("build", "cpu", "--stages", "frames", "--definition")
    assert text.startswith("# cpu:") and "deeprc.stages frames\n" in text
    assert deeprc("build", "cpu-frames", "--definition") == text, "by its own name, too"


def test_a_shared_folder_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv("DEEPRC_SHARED_IMAGES", "/nowhere/images")
    assert "notice: /nowhere/images is not there" in deeprc("list")
    with pytest.raises(DeepRCError, match="found: /nowhere/images is not there"):
        deeprc("verify", "cpu")


def test_a_sites_folders_are_used(tmp_path, monkeypatch):
    site = load_site("localhost")
    storage = site.storage.model_copy(update={"images": "/shared/$CLUSTER", "image_cache": "$WORK/images"})
    site = site.model_copy(update={"storage": storage})
    monkeypatch.setenv("CLUSTER", "one")
    monkeypatch.setenv("WORK", "/mine")
    assert store_of(site).folder == tmp_path / "images"  # named in the environment
    monkeypatch.delenv("DEEPRC_IMAGES")
    assert (store_of(site).folder, store_of(site).shared) == (Path("/mine/images"), [Path("/shared/one")])
    monkeypatch.setenv("DEEPRC_SHARED_IMAGES", "/a:/b")
    assert store_of(site).shared == [Path("/a"), Path("/b")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.sif", None, "cannot be read: No such file or directory"),
        ("folder.sif", ..., "cannot be read: Is a directory"),
        ("text.sif", b"text\n", "not a SIF image"),
        ("empty.sif", b"", "not a SIF image"),
    ],
)
def test_what_is_no_image_is_told(tmp_path, name, content, message):
    path = tmp_path / name
    if content is ...:
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(DeepRCError, match=message) as error:
        deeprc("verify", str(path))
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize("command", ["verify", "outdated"])
def test_a_folder_of_images_that_is_named_and_not_there_is_no_sound_one(tmp_path, monkeypatch, command):
    monkeypatch.setenv("DEEPRC_IMAGES", str(tmp_path / "typo"))
    with pytest.raises(DeepRCError, match=rf"DEEPRC_IMAGES: no folder of images there\n.*{tmp_path}/typo is not there"):
        deeprc(command)
    (tmp_path / "typo").mkdir()
    assert deeprc(command) == f"no image here: {tmp_path}/typo\n"
    monkeypatch.setenv("DEEPRC_SHARED_IMAGES", str(tmp_path / "facility"))
    with pytest.raises(DeepRCError, match=rf"DEEPRC_SHARED_IMAGES: .*\n.*{tmp_path}/facility is not there"):
        deeprc(command)
    monkeypatch.delenv("DEEPRC_SHARED_IMAGES")
    monkeypatch.delenv("DEEPRC_IMAGES")  # the default one is made when something is put there
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert deeprc(command) == f"no image here: {tmp_path}/cache/deeprc/images\n"


@pytest.mark.parametrize("text", ["", "# deb https://example.org/debian bookworm main\n\n", "deb-src x y z\n", None])
def test_with_no_suite_nothing_is_up_to_date(tmp_path, text):
    store = Store(tmp_path / "images", [])
    store.folder.mkdir()
    (store.folder / ".new.tmp").write_bytes(b"SIF")
    store.adopt(store.folder / ".new.tmp", "cpu", "x86_64", f"sha256:{'0' * 64}", source="built")
    if text is not None:
        (tmp_path / "sources.list").write_text(text)
    told = "no suite to compare with" if text is not None else "cannot be read"
    with pytest.raises(DeepRCError, match=told):
        deeprc("outdated", "--sources", str(tmp_path / "sources.list"))


@pytest.mark.parametrize("digest", ["sha256:abc", f"md5:{'0' * 64}", f"sha256:../../{'0' * 58}", f"sha256:{'A' * 64}"])
def test_a_digest_that_is_none_is_told_before_anything_else(tmp_path, digest):
    with pytest.raises(DeepRCError, match="not a digest of an image"):
        deeprc("pull", "cpu", "--from", "oras://127.0.0.1:1/x", "--digest", digest)
    assert not (tmp_path / "images").exists()
