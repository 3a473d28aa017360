"""The real images: their size, what is in them, and that a build refuses what is wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from typer.testing import CliRunner

from deeprc.commands.image import app
from deeprc.images import apptainer, build, debian, definition, labels, load_catalog, sbom, sif, supplies, wheels
from deeprc.images.build import Recipe
from deeprc.images.errors import ImageError
from deeprc.images.held import Held
from deeprc.images.store import Store

pytestmark = pytest.mark.requires("apptainer")
DEEPRC = Path(sys.executable).parent / "deeprc"
OPT = ["deeprc", "mpich", "openmpi"]  # what an image of wheels has there


EVERY_FILE = "find / -xdev -type f -print0 | sort -z | xargs -0 sha256sum"


def origin(image: Held) -> tuple:
    """What an image's documents say went into it."""
    made = json.loads(image.path.with_suffix(".provenance.json").read_text())["predicate"]
    return made, image.path.with_suffix(".cdx.json").read_text()


def inside(image, *command: str) -> str:
    """What a command prints in an image."""
    done = subprocess.run(
        ["apptainer", "exec", "--no-home", image.path, *command], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_images_are_slim(cpu_image, frames_image):
    assert frames_image.stages == ["frames"] and frames_image.size <= 250e6
    assert {"frames", "torch"} <= set(cpu_image.stages) and cpu_image.size <= 700e6


def test_the_self_test_passes_and_labels_are_the_catalogs(cpu_image):
    image = load_catalog().image("cpu")
    done = subprocess.run(["apptainer", "test", cpu_image.path], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0 and "as its labels say" in done.stdout, done.stderr
    found = apptainer.labels(cpu_image.path)
    labels.check(found, image, where=cpu_image.path)
    here = "from importlib.metadata import version; print(version('deeprc'))"
    assert found["deeprc.version"] == inside(cpu_image, "python", "-c", here).strip()
    assert found["deeprc.content"] == cpu_image.content
    assert sif.architecture(cpu_image.path) == found["deeprc.architecture"]
    assert "Processors only" in apptainer.run("run-help", cpu_image.path, what="help")


def test_packages_are_the_ones_of_this_environment(cpu_image):
    names = ["numpy", "polars", "pyarrow", "torch", "neuralforecast", "tensorflow_cpu", "mpi4py", "pydantic"]
    script = f"from importlib.metadata import version; print(*map(version, {names}))"
    assert inside(cpu_image, "python", "-c", script).split() == list(map(version, names))
    # Snakemake and the pilot stay outside, and so does what only builds images.
    script = "import importlib.util as u; print(*map(u.find_spec, ['snakemake', 'radical', 'pip']))"
    assert inside(cpu_image, "python", "-c", script).split() == ["None"] * 3
    assert inside(cpu_image, "sh", "-c", "ls /opt; command -v strip gcc || true").split() == OPT


def test_licences_stay_and_nothing_tells_of_the_builder(frames_image):
    """Neither in the file system, nor in the definition and the labels that the SIF carries."""
    listed = inside(frames_image, "find", "/usr/share/doc", "-type", "f").split()
    assert len(listed) > 80 and {Path(path).name for path in listed} == {"copyright"}
    told = apptainer.run("inspect", "--all", "--json", frames_image.path, what="inspecting")
    urls = {line.split()[1] for line in debian.lines().splitlines()}
    words = [*urls, "deeprc-build-", str(frames_image.path.parent), str(definition.templates().parent)]
    assert not [word for word in words if word in told]
    given = [option for word in words for option in ("-e", word)]
    script = 'grep -rIlF "$@" /etc /opt /var /root /.singularity.d /usr/local/bin; ls /opt /etc/apt; cat /etc/hostname'
    assert inside(frames_image, "sh", "-c", script, "sh", *given).split() == [
        "/etc/apt:", "apt.conf.d", "auth.conf.d", "keyrings", "preferences.d", "sources.list.d", "trusted.gpg.d",
        "/opt:", *OPT,
    ]  # fmt: skip


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def test_packages_that_are_behind_the_suite_are_named(frames_image, tmp_path, monkeypatch):
    """Of a suite of our own: libssl3 has a newer version there, tzdata an older one, and bash is not in the image."""
    rows = [("libssl3", "99.0-1"), ("tzdata", "1"), ("gcc", "99")]
    text = "Package: {}\nVersion: {}\nArchitecture: all\nFilename: ./x.deb\nSize: 1\nSHA256: {}\n\n"
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "Packages").write_text("".join(text.format(*row, "0" * 64) for row in rows))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "suite"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("DEEPRC_IMAGES", str(frames_image.path.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sources = tmp_path / "sources.list"
    sources.write_text(f"deb [trusted=yes] http://127.0.0.1:{server.server_port} ./\n")
    asked = ["outdated", "cpu-frames", "--sources", str(sources)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 1, done.exception
    first, row = done.stdout.splitlines()
    assert "1 packages behind" in first and re.fullmatch(r"  libssl3 \S+ -> 99\.0-1", row)
    (tmp_path / "suite" / "Packages").write_text(text.format(*rows[1], "0" * 64))
    os.utime(tmp_path / "suite" / "Packages", (time.time() + 60,) * 2)  # HTTP tells whole seconds
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0 and "0 packages behind" in done.stdout
    server.shutdown()
    server.server_close()
    assert "comparing" in str(CliRunner().invoke(app, asked).exception)  # nobody there: not "nothing is behind"


def test_no_host_library_is_in_the_loaders_way(cpu_image, frames_image):
    for image in (cpu_image, frames_image):
        cache = inside(image, "/sbin/ldconfig", "-p")
        assert "libmpi.so" in cache
        assert not [name for name in definition.HOST_LIBRARIES if f"{name}.so" in cache]


def test_the_command_line_is_in_the_image(cpu_image):
    assert "deeprc" in inside(cpu_image, "deeprc", "--version")
    help_text = subprocess.run(["apptainer", "run", cpu_image.path], capture_output=True, text=True, timeout=120)
    assert help_text.returncode == 0 and "Usage" in help_text.stdout


def test_what_did_not_change_is_not_built_again(cpu_image, build_store):
    before = Path(cpu_image.path).stat()
    assert build.build(Recipe(load_catalog().image("cpu")), build_store) == cpu_image
    after = Path(cpu_image.path).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_image_that_fails_its_own_test_is_not_kept(build_store, tmp_path, monkeypatch):
    """A catalog that is wrong about the image: the build ends with what was found, and nothing is left."""
    template = Path(shutil.copytree(definition.templates(), tmp_path / "containers")) / "wheel.def.j2"
    monkeypatch.setenv("DEEPRC_CATALOG", str(template.with_name("catalog.yaml")))
    template.write_text(CUT)  # what takes time has nothing to do with it
    for name in ("PYTHONHOME", "APPTAINERENV_PYTHONHOME", "APPTAINER_BIND"):  # nor does anything of ours get into it
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setattr(wheels, "fetch", lambda *_: None)
    monkeypatch.setattr(wheels, "own", lambda *_: None)
    store = Store(tmp_path / "images", [])
    store.folder.mkdir()
    store.bases.symlink_to(build_store.bases)  # the base is the same
    wrong = load_catalog().image("cpu").model_copy(update={"glibc": "2.30"})
    with pytest.raises(ImageError, match=r"this image does not work: glibc: found 2\.\d+, expected 2\.30"):
        build.build(Recipe(wrong, ["frames"]), store)
    assert store.held() == [] and not list(store.folder.glob("*.sif")) and not list(store.folder.glob(".*.tmp"))


CUT = """
Bootstrap: localimage
From: {{ base }}

%post
    mkdir /opt/deeprc
    cp /mnt/image.json /mnt/selftest.py /opt/deeprc

%test
    exec python3 /opt/deeprc/selftest.py
"""


@pytest.mark.requires("root")  # for the name space
def test_two_builds_are_the_same_bytes(frames_image, build_store, tmp_path):
    """The second one in another folder, at another time, from another file of the base, and from an archive alone."""
    recipe, sources, file = Recipe(load_catalog().image("cpu"), ["frames"]), debian.lines(), tmp_path / "frames.tar"
    base = Path(shutil.copy(build.base_image(build_store, sources), tmp_path / "base.sif"))
    sif.settle(base, 1)
    told = list(supplies.write(recipe, base, sources, file))
    assert {"base.sif", "recipe.json", "debian/Packages", "pip.whl"} <= {line[66:] for line in told}
    assert subprocess.run(["sha256sum", "--check", f"{file.name}.sha256"], cwd=tmp_path).returncode == 0
    # A machine without a network: a name space of its own, in which not even loopback is up.
    command = ["unshare", "--net", DEEPRC, "image", "build", "cpu", "--stages", "frames", "--offline", file]
    folder = tmp_path / "images"
    done = subprocess.run(command, env=os.environ | {"DEEPRC_IMAGES": str(folder)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [again] = Store(folder, []).held()
    assert not Store(folder, []).bases.exists() and again.content == frames_image.content
    first = frames_image
    if origin(first) != origin(again):  # it was kept from another commit, or from before an update of Debian's
        first = build.build(recipe, build_store, again=True)
    both = first.path, again.path
    if len({sif.digest(path, sif.file_system(path)) for path in both}) > 1:
        one, other = (set(inside(image, "sh", "-c", EVERY_FILE).splitlines()) for image in (first, again))
        pytest.fail("\n".join(["these files differ:", *sorted(one ^ other, key=lambda line: line[66:])]))
    # The files differ in their times alone, which tell how old they are.
    for number, path in enumerate(both):
        sif.settle(Path(shutil.copy(path, tmp_path / f"{number}.sif")), 1)
    assert sif.digest(tmp_path / "0.sif") == sif.digest(tmp_path / "1.sif")


def test_an_image_tells_what_is_in_it(frames_image):
    """The SBOM is CycloneDX's, in the image and beside it, and names what the image itself finds."""
    beside = frames_image.path.with_suffix(".cdx.json")
    text = inside(frames_image, "cat", "/opt/deeprc/sbom.json")
    assert text == beside.read_text() == sif.document(frames_image.path, sif.SBOM, "sbom.json").decode()
    document = json.loads(text)
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
    there = {row["name"]: row["version"] for row in document["components"]}
    debian = inside(frames_image, "dpkg-query", "-W", "-f", "${Package} ${Version}\n").splitlines()
    script = (
        "from importlib.metadata import distributions as d; print(*{f'{x.name} {x.version}' for x in d()}, sep='\\n')"
    )
    python = inside(frames_image, "python", "-c", script).lower().replace("_", "-").splitlines()
    assert {tuple(line.split(" ")) for line in [*debian, *python]} <= set(there.items())
    assert there["mpich"] == "5.0.2" and there["openmpi"] == "5.0.11" and there["polars"] == version("polars")
    assert any(row.get("hashes") for row in document["components"] if row["name"] == "numpy")
    assert "MIT" in sbom.licences(document) and "GPL-2+" in sbom.licences(document)
    made = json.loads(frames_image.path.with_suffix(".provenance.json").read_text())
    assert made["subject"][0]["digest"]["sha256"] == frames_image.digest.removeprefix("sha256:")
    inputs = {each["uri"]: each["digest"] for each in made["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert "pkg:pypi/mpi4py@" + version("mpi4py") in inputs and "deeprc:debian" in inputs


def test_a_signed_build(key, build_store, frames_image, monkeypatch, tmp_path):
    """Signing is part of a build: the signed file is another one, and the catalog's key verifies it."""
    from deeprc.images import transfer

    monkeypatch.setenv("APPTAINER_KEYSDIR", str(key.folder))
    copy = tmp_path / "copy.sif"
    copy.write_bytes(frames_image.path.read_bytes())
    index = apptainer.key_index(key.fingerprint)
    apptainer.run("sign", "--keyidx", index, copy, what="signing", timeout=120)
    assert transfer.check_signature(copy, key.fingerprint) == key.fingerprint
    with pytest.raises(ImageError, match="no such secret key") as caught:
        apptainer.key_index("0" * 40)
    assert key.fingerprint in str(caught.value)


def test_definitions_are_read_by_apptainer(tmp_path, build_store, frames_image):
    """Every section of a rendered definition arrives in the image, as Apptainer's own inspection shows."""
    found = json.loads(apptainer.run("inspect", "--json", "--all", frames_image.path, what="inspecting"))
    attributes = found["data"]["attributes"]
    assert "selftest.py" in attributes["test"] and "PYTHONNOUSERSITE" in str(attributes["environment"])
    assert "cpu" in attributes["helpfile"] and 'exec "$@"' in attributes["runscript"]
    assert yaml.safe_load(attributes["labels"]["deeprc.mpi.openmpi.version"]) == "5.0.11"
