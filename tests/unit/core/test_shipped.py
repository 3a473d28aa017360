"""What comes with Deep RC is found before what lies in the working directory, which is told where it is used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
SITES = ROOT / "site-configs"


def deeprc(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """A command of its own process: what is said once, is said once per process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DEEPRC_")}
    command = [Path(sys.executable).with_name("deeprc"), *arguments]
    return subprocess.run(command, cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=60)


def plan(folder: Path, site: str, **environment: str) -> subprocess.CompletedProcess:
    return deeprc(folder, "plan", "--site", site, "--image", "none", "--", "true", **environment)


@pytest.fixture
def here(tmp_path):
    """A folder with sites of its own: `frontera`, which starts programs with something else, and `mine`."""
    for name in ("frontera", "mine"):
        folder = tmp_path / "site-configs" / name
        folder.mkdir(parents=True)
        facts = yaml.safe_load((SITES / "localhost" / "site.yaml").read_text()) | {"name": name}
        (folder / "site.yaml").write_text(yaml.safe_dump(facts))
    return tmp_path


def test_a_planted_site_does_not_win_and_is_told(here, tmp_path):
    """By the folder of sites, and as a folder or a file called like a site."""
    right = plan(ROOT, "frontera")
    assert right.returncode == 0 and "ibrun" in right.stdout and not right.stderr
    planted = here / "site-configs" / "frontera"
    found = plan(here, "frontera")
    assert found.stdout == right.stdout
    assert found.stderr == (
        f"note: {planted}/site.yaml is not read, Deep RC has a site 'frontera' of its own; to use this one: "
        f"--site {planted}\n"
    )
    assert "ibrun" not in plan(here, str(planted)).stdout  # as the note says
    planted.rename(here / "frontera")
    found = plan(here, "frontera")
    assert (found.stdout, found.stderr) == (right.stdout, "")


def test_a_site_of_ones_own_in_the_working_directory_is_used_and_told(here):
    found = plan(here, "mine")
    assert found.returncode == 0 and "mine" in found.stdout
    file = here / "site-configs" / "mine" / "site.yaml"
    assert found.stderr == f"note: the file of site 'mine' is the working directory's, not Deep RC's own: {file}\n"
    wrong = plan(here, "mien")
    assert wrong.returncode == 2 and "did you mean 'mine'" in wrong.stderr
    listed = json.loads(deeprc(here, "sites", "--json").stdout)
    assert {"mine", "frontier"} <= {site["name"] for site in listed}
    alone = plan(here, "mine", DEEPRC_SITES=str(here / "site-configs"))  # named: nothing to tell
    assert (alone.returncode, alone.stderr) == (0, "")


@pytest.mark.requires("root")
def test_a_site_that_anybody_could_have_put_here_is_refused(stranger, here):
    """In a sticky folder as /tmp: somebody else's. Not by the shipped sites' names, which stay what they are."""
    here.chmod(0o1777)
    folder = here / "site-configs"
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, stranger.UID, -1)
    found = plan(here, "mine")
    assert found.returncode == 2 and "this file of site 'mine' could be anybody's" in found.stderr
    assert not found.stdout
    assert "ibrun" in plan(here, "frontera").stdout


def test_a_catalog_and_a_spack_tree_here_are_not_read_and_told(tmp_path):
    (tmp_path / "containers").mkdir()
    catalog = tmp_path / "containers" / "catalog.yaml"
    catalog.write_text("images: []\n")
    (tmp_path / "spack-env" / "variants").mkdir(parents=True)
    found = deeprc(tmp_path, "image", "build", "cpu", "--definition")
    assert found.returncode == 0 and "# cpu:" in found.stdout
    assert found.stderr.splitlines() == [
        f"note: {catalog} is not read, Deep RC has its own image catalog; to use this one: "
        f"export DEEPRC_CATALOG={catalog}",
        f"note: {tmp_path}/spack-env is not read, Deep RC has its own folder of Spack environments; to use this one: "
        f"export DEEPRC_SPACK_ENV={tmp_path}/spack-env",
    ]
    named = deeprc(tmp_path, "image", "list", DEEPRC_CATALOG=str(catalog))
    assert named.returncode == 2 and str(catalog) in named.stderr
