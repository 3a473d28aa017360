"""Images of somebody else's: what is believed of them, and what is read."""

from __future__ import annotations

import json
import os
import shutil
import struct
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from deeprc.commands.image import app
from deeprc.core.ownership import OwnershipError
from deeprc.doctor.security.folders import folders
from deeprc.doctor.security.place import Place
from deeprc.images import load_catalog, sif
from deeprc.images.errors import ImageError
from deeprc.images.leftovers import RECORD
from deeprc.images.site import require
from deeprc.images.store import Store

CATALOG = Path(__file__).resolve().parents[3] / "containers" / "catalog.yaml"
IMAGE = load_catalog(CATALOG).image("cpu")
GOOD, EVIL = b"good", b"evil"
PUT = """
os.umask(int(sys.argv[5], 8))
folder, claimed, content = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3])
path = f"{folder}/cpu_x86_64_{claimed[7:23]}.sif"
with open(path, "wb") as image:
    image.write(content)
state = os.stat(path)
facts = {"size": state.st_size, "mtime_ns": state.st_mtime_ns, "created": 4e9, "source": "built"}
facts |= {"name": "cpu", "architecture": "x86_64", "digest": claimed, "foreign": False, "doubt": None}
with open(f"{path}.json", "w") as record:
    json.dump(facts | json.loads(sys.argv[4]), record)
"""


def image(content: bytes) -> bytes:
    """A SIF with nothing but a file system of that content."""
    head, row = bytearray(128), bytearray(sif.ROOM)
    head[sif.AT_MAGIC : sif.AT_MAGIC + len(sif.MAGIC)] = sif.MAGIC
    sif.TABLE.pack_into(head, sif.AT_TABLE, 0, 1, len(head), len(row))
    sif.DESCRIPTOR.pack_into(row, 0, sif.PARTITION, True, 1, 1, 0, len(head) + len(row), len(content))
    struct.pack_into("<ii", row, sif.AT_FORM, sif.SQUASHFS, sif.PRIMARY)
    return bytes(head + row) + content


def digest_of(folder: Path, content: bytes) -> str:
    (folder / "any").write_bytes(image(content))
    return sif.digest(folder / "any")


@pytest.fixture
def shared(sticky, monkeypatch) -> Path:
    """A folder of images to which everybody may write, as on scratch."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(sticky.parent / "cache"))
    return sticky


@pytest.fixture
def put(stranger, tmp_path):
    """A function by which the stranger puts an image into a folder, and claims the digest of GOOD for it."""

    def put(folder: Path, content: bytes, umask: str = "022", **facts: object) -> Path:
        claimed = digest_of(tmp_path, GOOD)
        stranger.run(PUT, folder, claimed, image(content).hex(), json.dumps(facts), umask, modules=("json",))
        return folder / f"cpu_x86_64_{claimed[7:23]}.sif"

    return put


def pinned(tmp_path: Path):
    return IMAGE.model_copy(update={"digests": {"x86_64": digest_of(tmp_path, GOOD)}})


@pytest.mark.requires("root")
def test_a_strangers_image_is_what_its_bytes_say_not_what_he_says(shared, put, tmp_path):
    put(shared, EVIL)
    store = Store(tmp_path / "own", [shared])
    assert store.find(pinned(tmp_path), "x86_64") is None
    bytes_differ = f"has the digest {digest_of(tmp_path, EVIL)}, and the catalog pins {digest_of(tmp_path, GOOD)}"
    with pytest.raises(ImageError, match=rf"not believed: {shared}: cpu_.*sif {bytes_differ}\n"):
        require(store, pinned(tmp_path), "x86_64")
    path = put(shared, GOOD)
    assert store.find(pinned(tmp_path), "x86_64").path == path


@pytest.mark.requires("root")
def test_list_verify_local_and_the_doctor_say_that_its_bytes_differ(shared, put, tmp_path, monkeypatch):
    path, wanted = put(shared, EVIL), digest_of(tmp_path, GOOD)
    entries = yaml.safe_load(CATALOG.read_text())
    entry = next(each for each in entries["images"] if each["name"] == "cpu")
    entry |= {"uri": "oras://registry.example.org/cpu", "digests": {"x86_64": wanted}}
    (tmp_path / "catalog.yaml").write_text(yaml.safe_dump(entries))
    names = {"DEEPRC_CATALOG": "catalog.yaml", "DEEPRC_IMAGES": "own", "DEEPRC_CACHE": "cache"}
    for name, value in names.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setenv("DEEPRC_SHARED_IMAGES", str(shared))
    why = f"{path.name} has the digest {digest_of(tmp_path, EVIL)}, and the catalog pins {wanted}"
    rows = json.loads(CliRunner().invoke(app, ["list", "--json"]).output)
    assert [row["passed_over"] for row in rows if row["name"] == "cpu"] == [f"passed over: {why}"]
    for command in ("verify", "local"):
        error = CliRunner().invoke(app, [command, "cpu", "--arch", "x86_64"]).exception
        assert error.found == f"not believed: {shared}: {why}"
        assert error.fix == "`deeprc image pull cpu` or `deeprc image build cpu`"
    found = [one for one in folders(Place(tmp_path / ".deeprc", [], [], Store())) if one.subject == "images"]
    assert (found[-1].text, found[-1].status) == (f"{path} is never used: {why}", "warning")
    assert found[-1].fix == f"{error.fix} makes one of your own"


@pytest.mark.requires("root")
def test_without_a_pinned_digest_it_is_not_used(shared, put, tmp_path):
    put(shared, GOOD)
    store = Store(tmp_path / "own", [shared])
    assert store.find("cpu", "x86_64") is None
    with pytest.raises(ImageError, match=r"sif.json is owned by uid 64023\n(.*\n)*.*or whose bytes are what the"):
        require(store, "cpu", "x86_64")


@pytest.mark.requires("root")
def test_it_is_read_once_until_it_changes_however_well_that_is_hidden(shared, put, stranger, tmp_path):
    path = put(shared, GOOD)
    store, wanted = Store(tmp_path / "own", [shared]), pinned(tmp_path)
    assert store.find(wanted, "x86_64").path == path
    (kept,) = (tmp_path / "cache" / "deeprc" / "image-digests").iterdir()
    assert kept.read_text() == wanted.digests["x86_64"]
    kept.write_text("sha256:0")
    assert store.find(wanted, "x86_64") is None, "it was read again"
    kept.write_text(wanted.digests["x86_64"])
    stranger.run(
        "path = sys.argv[1]\nstate = os.stat(path)\nwith open(path, 'r+b') as image:\n"
        "    image.seek(-4, 2)\n    image.write(b'evil')\nos.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))",
        path,
    )
    assert store.find(wanted, "x86_64") is None


@pytest.mark.requires("root")
def test_what_staff_publishes_in_a_folder_of_its_own_is_believed_and_read(tmp_path, sticky, put, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    published = tmp_path / "published"
    published.mkdir(mode=0o755)
    os.chown(published, 64023, 64023)
    path = put(published, GOOD)
    store = Store(tmp_path / "own", [published])
    assert store.find("cpu", "x86_64").path == path
    assert store.find(pinned(tmp_path), "x86_64").path == path
    put(published, EVIL)
    with pytest.raises(ImageError, match="changed after it was put here"):
        require(store, "cpu", "x86_64")
    put(published, GOOD)
    published.chmod(0o777)
    assert store.find("cpu", "x86_64") is None, "anybody could have put it there"
    assert store.find(pinned(tmp_path), "x86_64").path == path
    published.chmod(0o755)
    planted = sticky / "published"  # named by a site, and not made by anybody yet
    shutil.copytree(published, planted)
    for each in (planted, *planted.iterdir()):
        os.chown(each, 64023, 64023)
    assert Store(tmp_path / "own", [planted]).find("cpu", "x86_64") is None


@pytest.mark.parametrize("suffix", ["", RECORD])
def test_our_own_that_others_may_write_to_is_not_believed(tmp_path, monkeypatch, suffix):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store = Store(tmp_path / "own", [])
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / ".new.tmp").write_bytes(image(GOOD))
    umask = os.umask(0)
    try:
        held = store.adopt(
            tmp_path / "own" / ".new.tmp", "cpu", "x86_64", digest_of(tmp_path, GOOD), source="built", content="c"
        )
    finally:
        os.umask(umask)
    assert store.find("cpu", "x86_64") == held == store.built("c"), "whatever the umask"
    Path(f"{held.path}{suffix}").chmod(0o646)
    assert store.find("cpu", "x86_64") is store.built("c") is None
    assert "may be written to by everybody (mode 0646)" in store.held()[0].doubt
    assert store.find(pinned(tmp_path), "x86_64").path == held.path


@pytest.mark.requires("root")
def test_a_strangers_squashfs_must_be_what_lies_in_the_image(shared, put, stranger, tmp_path):
    path = put(shared, GOOD)
    store = Store(tmp_path / "own", [shared])
    held = store.find(pinned(tmp_path), "x86_64")
    write = "open(sys.argv[1], 'w').write(sys.argv[2])"
    stranger.run(write, path.with_suffix(".sqsh"), "evil")
    assert store.squashfs(held).parent == tmp_path / "own"
    stranger.run(write, path.with_suffix(".sqsh"), "good")
    assert store.squashfs(held) == path.with_suffix(".sqsh")


@pytest.mark.requires("root")
def test_images_are_not_written_where_everybody_may(shared, stranger, tmp_path):
    refused = pytest.raises(OwnershipError, match=r"images are not put where everybody may write(.*\n)*.*DEEPRC_IMAGES")
    with refused, Store(shared, []).lock("x"):
        pass
    (tmp_path / "ours").write_text("kept")
    own = Store(tmp_path / "own", [])
    with own.lock("x"):
        pass
    (own.folder / ".x.lock").unlink()
    (own.folder / ".x.lock").symlink_to(tmp_path / "ours")
    with pytest.raises(Exception, match="cannot write images here"), own.lock("x"):
        pass
    assert (tmp_path / "ours").read_text() == "kept"
