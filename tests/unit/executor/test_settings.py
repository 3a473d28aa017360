import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

import snakemake_executor_plugin_radical_pilot as plugin

DOCUMENT = Path(__file__).parents[3] / "docs" / "executor.md"


def test_snakemake_finds_the_plugin():
    registry = ExecutorPluginRegistry()
    assert registry.is_installed("radical-pilot")
    found = registry.get_plugin("radical-pilot")
    assert found.executor is plugin.Executor
    assert found.settings_cls is plugin.ExecutorSettings
    assert found.common_settings.non_local_exec
    assert not found.common_settings.implies_no_shared_fs


def test_defaults():
    settings = plugin.ExecutorSettings()
    assert {field.name: getattr(settings, field.name) for field in fields(settings)} == {
        "site": "localhost",
        "partition": None,
        "nodes": 1,
        "cores": None,
        "runtime": 240,
        "pilots": ["1"],
        "idle": 60,
        "grace": 30,
        "account": None,
        "qos": None,
        "constraint": None,
        "reservation": None,
        "exclusive": False,
        "image": None,
        "folder": ".deeprc",
        "keep": False,
        "detach": False,
    }


def test_every_setting_has_help_and_is_documented():
    text = DOCUMENT.read_text()
    for field in fields(plugin.ExecutorSettings):
        assert field.metadata["help"].endswith(".")
        assert f"`--radical-pilot-{field.name}`" in text


def test_importing_the_plugin_does_not_import_radical_pilot():
    """Snakemake imports every installed plugin at each start."""
    code = "import sys, snakemake_executor_plugin_radical_pilot; print('radical.pilot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\n", done.stderr


def test_nothing_begins_where_everybody_may_put_files(tmp_path):
    """With the sticky bit, too: profiles, modules and results are found there by their names."""
    place = tmp_path / "sticky"
    place.mkdir()
    place.chmod(0o1777)
    (place / "Snakefile").write_text('rule a:\n    output: "a"\n    shell: "touch {output}"\n')
    (tmp_path / "Snakefile").write_text(f"workdir: {str(place)!r}\n{(place / 'Snakefile').read_text()}")
    command = [str(Path(sys.executable).with_name("snakemake")), "--executor", "radical-pilot", "--jobs", "1"]
    told = (
        f"{place}: everybody may put files into this working directory, and what is found there is read and run\n"
        "  found: writable by everybody (mode 1777)\n"
        "  expected: a folder in which only you, or those whom you trust, can make files\n"
        "  fix: run in a folder of your own: `cd` there first, and give no `--directory` that leads elsewhere\n"
    )
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (1, f"error: {told}")
    assert [path.name for path in place.iterdir()] == ["Snakefile"]
    led = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (led.returncode, told in led.stderr, (place / "a").exists()) == (1, True, False)


def test_nothing_begins_where_everybody_may_write_to_what_is_made(tmp_path):
    """Snakemake makes the folders that it runs scripts from with the user's umask."""
    (tmp_path / "Snakefile").write_text('rule a:\n    output: "a"\n    shell: "touch {output}"\n')
    command = [sys.executable, "-m", "snakemake", "--executor", "radical-pilot", "--jobs", "1"]
    done = subprocess.run(command, cwd=tmp_path, umask=0o020, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (
        1,
        "error: umask: everybody may write to what you make, also to scripts that are run\n  found: 0020\n"
        "  expected: one that keeps others from writing\n"
        "  fix: `umask 022`, and the same command again; to keep it so, put it where your shell starts\n",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["Snakefile"]
