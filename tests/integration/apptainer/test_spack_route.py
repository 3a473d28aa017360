"""The Spack route's builder stage, with a real Spack."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deeprc.images import apptainer, build, debian, load_catalog, sif, wheels
from deeprc.images.build import Recipe

pytestmark = pytest.mark.requires("apptainer")


@pytest.mark.requires("spack")
@pytest.mark.timeout(1800)
def test_the_spack_route_builds_an_environment(build_store, tmp_path, monkeypatch):
    """Its builder stage with a tiny environment: solved, installed, seen in the view, its lock kept."""
    monkeypatch.setitem(wheels.PYTHON, "spack", wheels.PYTHON["wheel"])
    tree = tmp_path / "spack-env"
    package = tree / "repo" / "spack_repo" / "tiny" / "packages" / "tiny" / "package.py"
    package.parent.mkdir(parents=True)
    package.write_text(TINY)
    (package.parents[2] / "repo.yaml").write_text("repo: {namespace: tiny, api: v2.0}\n")
    variant = tree / "variants" / "cuda12-openmpi-ucx"
    variant.mkdir(parents=True)
    repository = "{tiny: ../../repo/spack_repo/tiny}"
    (variant / "spack.yaml").write_text(f"spack: {{repos: {repository}, specs: [tiny], view: true}}\n")
    folders = {"spack": os.environ["SPACK_ROOT"], "spack_packages": os.environ["DEEPRC_SPACK_PACKAGES"]}
    recipe = Recipe(
        load_catalog().image("cuda12-openmpi-ucx"), ["frames"], spack_env=tree,
        **{name: Path(path) for name, path in folders.items()},
    )  # fmt: skip
    context = tmp_path / "context"
    context.mkdir()
    sources = debian.lines()
    architecture = sif.architecture(base := build.base_image(build_store, sources))
    (context / "base.sif").symlink_to(base)
    build._fill(context, recipe, architecture, sources, print)
    text = recipe.render(base=str(base), context=str(context)).partition("Bootstrap: localimage\nFrom:")
    first = text[2].partition("Bootstrap: localimage")[0]
    (context / "build.def").write_text(f"Bootstrap: localimage\nFrom:{first}")
    image = tmp_path / "build.sif"
    apptainer.run("build", "--fakeroot", image, context / "build.def", what="building", timeout=1500)
    seen = apptainer.run("exec", image, "cat", "/opt/view/tiny", "/opt/spack.lock", what="looking")
    assert seen.startswith("tiny\n") and '"tiny"' in seen


TINY = """
from spack.package import *
from spack_repo.builtin.build_systems.generic import Package


class Tiny(Package):
    homepage = "none"
    has_code = False
    version("1.0")

    def install(self, spec, prefix):
        with open(join_path(prefix, "tiny"), "w") as handle:
            handle.write("tiny\\n")
"""
