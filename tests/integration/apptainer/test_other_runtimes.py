"""Runtimes that take no SIF: the file system alone, and the stores of podman-hpc and Shifter."""

from __future__ import annotations

import json
import subprocess
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from deeprc.commands.image import app
from deeprc.images import sif
from deeprc.launch.runtimes import shifter
from samples.sites import PLAIN
from small_images import MACHINE, files, published

pytestmark = [pytest.mark.requires("apptainer"), pytest.mark.requires("registry")]


def test_the_file_system_alone_for_runtimes_that_take_no_sif(world, registry):
    """CSCS's Container Engine mounts squashfs files; so can Apptainer."""
    image = published(world, registry, padding=5_000_000)
    said = CliRunner().invoke(app, ["pull", "cpu", "--squashfs"]).output
    [held] = world.store.held()
    alone = held.path.with_suffix(".sqsh")
    folder = alone.with_suffix(".uenv")
    assert said.split()[-2:] == [str(alone), str(folder)] and held.digest == image.digests[MACHINE]
    told = json.loads((folder / "meta/env.json").read_text())  # where uenv looks, beside store.squashfs
    assert (told["name"], told["mount"], told["views"]) == ("cpu", "/user-environment", {})
    assert told["deeprc"]["digest"] == held.digest and (folder / "store.squashfs").resolve() == alone
    assert (world.store.folder / "cpu.sqsh").resolve() == alone
    start, size = sif.file_system(held.path)
    assert alone.read_bytes() == held.path.read_bytes()[start : start + size]
    assert subprocess.run(["apptainer", "exec", alone, "/bin/seven"], capture_output=True).returncode == 7
    before = alone.stat().st_mtime_ns
    assert world.store.make_squashfs(held) == alone and alone.stat().st_mtime_ns == before
    assert f"{alone}: the file system of {held.path.name}" in CliRunner().invoke(app, ["verify"]).output
    with alone.open("r+b") as handle:
        handle.seek(5000)
        handle.write(b"X")
    assert "not the file system of the image" in str(CliRunner().invoke(app, ["verify"]).exception)
    assert not CliRunner().invoke(app, ["pull", "cpu", "--squashfs"]).exception
    assert world.store.squashfs_fault(held, read=True) is None
    world.store.prune([])
    assert files(world.store) == []


STAND_IN = """#!/bin/sh
# podman-hpc's part that is used here: what it is told, and the file that it would unpack.
echo "$@" >>{folder}/told
case "$1" in
  image) cat {folder}/label 2>/dev/null;;
  import) cp "$4" {folder}/root.tar; echo "${{3#*=}}" >{folder}/label;;
  migrate) [ "$2" = localhost/deeprc/cpu ] && ! [ -e {folder}/broken ];;
esac
"""


def site_with(folder: Path, kind: str) -> str:
    """A site like this machine whose runtime has a store of its own."""
    file = folder / f"{kind}.yaml"
    file.write_text(yaml.safe_dump({**PLAIN, "runtime": {"kind": kind}}))
    return str(file)


def pulled_for(site: str) -> object:
    return CliRunner().invoke(app, ["pull", "--site", site])


def test_podman_hpcs_store_is_filled_and_shifters(world, registry, monkeypatch):
    """By stand-ins for podman-hpc, for Shifter's gateway and for munge: neither machine is here."""
    image = published(world, registry)
    place = world.folder / "place"
    place.mkdir()
    monkeypatch.setattr(shifter, "CONFIGURATION", place / "udiRoot.conf")
    for kind, program in (("podman-hpc", "podman-hpc"), ("shifter", "Shifter")):
        done = pulled_for(site_with(place, kind))
        assert not done.exception and f"{program} is not here: on the site" in done.output, done.exception
    for name, text in (("podman-hpc", STAND_IN.format(folder=place)), ("munge", "#!/bin/sh\necho MUNGE:me\n")):
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(place), prepend=":")
    (place / "broken").touch()
    assert "podman-hpc migrate of localhost/deeprc/cpu failed" in str(
        pulled_for(site_with(place, "podman-hpc")).exception
    )
    (place / "broken").unlink()
    (place / "label").unlink()
    address, digest = "localhost/deeprc/cpu", image.digests[MACHINE]
    assert f"{address} is in podman-hpc's store\n" in pulled_for(site_with(place, "podman-hpc")).output
    with tarfile.open(place / "root.tar") as tar:
        members = {member.name: member for member in tar}
        assert {"./bin/seven", "./padding", "./.singularity.d/labels.json"} <= set(members)
        assert {(member.uid, member.gid, member.uname) for member in members.values()} == {(0, 0, "root")}
        assert members["./bin/seven"].mode & 0o111
        assert tar.extractfile("./bin/seven").read() == world.seven.read_bytes()
    assert (place / "label").read_text().strip() == digest
    assert f"{address} is in podman-hpc's store already" in pulled_for(site_with(place, "podman-hpc")).output
    assert (place / "told").read_text().splitlines()[-3].startswith(f"import --change LABEL deeprc.digest={digest} /")
    gateway = Gateway(("127.0.0.1", 0), Import)
    threading.Thread(target=gateway.serve_forever, daemon=True).start()
    (place / "udiRoot.conf").write_text(f"# imageGateway=x\nimageGateway=http://127.0.0.1:{gateway.server_port}\n")
    assert "Shifter's gateway cannot read the image" in str(pulled_for(site_with(place, "shifter")).exception)
    monkeypatch.setattr(shifter, "unreadable", lambda folder: None)  # pytest's own folders are closed to others
    assert "no gateway of images is named" in str(pulled_for(site_with(place, "shifter")).exception)
    with (place / "udiRoot.conf").open("a") as file:
        file.write("system=perlmutter\n")
    done = pulled_for(site_with(place, "shifter"))
    assert "custom:deeprc/cpu:latest is imported" in done.output, done.exception
    [held] = world.store.held()
    assert gateway.asked == ("/api/doimport/perlmutter/custom/deeprc/cpu:latest/", "MUNGE:me", {
        "filepath": str(held.path.with_suffix(".sqsh")), "format": "squashfs",
    })  # fmt: skip
    gateway.code = 404
    done = pulled_for(site_with(place, "shifter"))
    assert "did not import" in str(done.exception) and "ImportUsers" in str(done.exception)
    gateway.shutdown()
    gateway.server_close()


class Gateway(ThreadingHTTPServer):
    code, asked = 200, None


class Import(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked = (self.path, self.headers["authentication"], body)
        self.send_response(self.server.code)
        self.end_headers()

    def log_message(self, *arguments):
        pass
