"""The image's own libraries are found under every LD_LIBRARY_PATH that a shipped site sets in containers."""

from __future__ import annotations

import subprocess

import pytest

from deeprc.images import definition, load_catalog
from deeprc.launch import compose
from deeprc.launch.choose import choose_image, make_layout
from deeprc.sites import known_sites, load_site

pytestmark = pytest.mark.requires("apptainer")
PLUGIN = "libnccl-net.so"  # NCCL and RCCL load their network plugin by this name


def paths() -> dict[str, str]:
    """What each site sets for ranks with accelerators on two nodes, where it runs images."""
    found = {}
    for site in map(load_site, known_sites()):
        if site.status.state != "active" or site.runtime.kind == "none":
            continue
        for part in (part for part in site.partitions if part.gpus):
            nodes = min(2, part.nodes)
            image = choose_image(load_catalog(), site, part, nodes=nodes, gpus=True)
            layout = make_layout(part, nodes=nodes, ranks=nodes * part.gpus, gpus=1)
            plan = compose(site, part, layout, ["run"], image=image, comm="ccl")
            values = [value for name, value in plan.environment.items() if name.endswith("ENV_LD_LIBRARY_PATH")]
            found[f"{site.name}/{part.name}"] = values[0] if values else ""
    return found


def test_the_network_plugin_is_found_whatever_a_site_sets(frames_image, tmp_path):
    """A stand-in for it lies in the view; the lines of the definition tell the loader of that."""
    (tmp_path / "plugin.c").write_text("int plugin = 7;")
    subprocess.run(["gcc", "-shared", "-o", tmp_path / PLUGIN, tmp_path / "plugin.c"], check=True)
    loader = (definition.templates() / "loader.sh.j2").read_text()
    (tmp_path / "load.py").write_text(f"import ctypes; ctypes.CDLL({PLUGIN!r})")
    lines = ["set -e", "mkdir -p /opt/view/lib", f"cp {tmp_path}/{PLUGIN} /opt/view/lib", loader]
    wanted = paths()
    assert len(wanted) > 15 and len(set(wanted.values())) > 3
    lines += [f"LD_LIBRARY_PATH='{path}' python3 {tmp_path}/load.py && echo {name}" for name, path in wanted.items()]
    (tmp_path / "try.sh").write_text("\n".join(lines))
    command = ["apptainer", "exec", "--fakeroot", "--writable-tmpfs", frames_image.path, "sh", tmp_path / "try.sh"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == list(wanted), done.stderr
