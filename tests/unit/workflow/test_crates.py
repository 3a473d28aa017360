"""Which files beside a Snakefile go with a run's crate."""

from __future__ import annotations

import yaml

from deeprc.core.shipped import SHIPPED
from deeprc.reporting.crate.plain import hiding
from deeprc.reporting.crate.sources import CONFIG, copy, places
from deeprc.workflow.crates import LARGEST, MOST, beside, configfiles


def test_only_what_belongs_to_a_workflow_by_its_layout(tmp_path):
    """Not data, nor what else lies beside a Snakefile: that may be a home folder, with files for nobody else."""
    (tmp_path / "Snakefile").touch()
    for name in ("scripts/plot.py", "rules/own.smk", "envs/a/b.yaml", "data/large.csv", "password.txt", "scripts/.key"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "scripts" / "__pycache__").mkdir()
    (tmp_path / "scripts" / "__pycache__" / "plot.pyc").touch()
    (tmp_path / "scripts" / "link.py").symlink_to(tmp_path / "password.txt")
    with (tmp_path / "scripts" / "huge.bin").open("wb") as huge:
        huge.truncate(LARGEST + 1)
    found = [path.relative_to(tmp_path.resolve()).as_posix() for path in beside(tmp_path / "Snakefile")]
    assert found == ["rules/own.smk", "scripts/plot.py", "envs/a/b.yaml"]


def test_no_more_of_them_than_can_be_looked_through(tmp_path):
    (tmp_path / "scripts").mkdir()
    for number in range(MOST + 5):
        (tmp_path / "scripts" / f"{number:04}.py").touch()
    assert len([*beside(tmp_path / "Snakefile")]) == MOST


def test_what_is_no_text_goes_byte_by_byte(tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "Snakefile").write_text("rule all: pass")
    (tmp_path / "report" / "logo.png").write_bytes(bytes(range(256)))
    placed = copy(tmp_path / "results", places(tmp_path / "Snakefile", beside(tmp_path / "Snakefile")), {}, hiding())
    assert placed == ["workflow/Snakefile", "workflow/report/logo.png", "workflow/config.json"]
    assert (tmp_path / "results" / "workflow" / "report" / "logo.png").read_bytes() == bytes(range(256))


def test_configuration_files_go_as_they_are_and_masked_where_they_hold_secrets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = {
        "config/config.yaml": "mine: {digits: 4, 80: 2024-01-01}  # of four\n",
        "config/table.json": '{\n\t"a": 1}\n',
        "config/home.yaml": f"mine: {{at: {tmp_path}/x, 80: 1}}  # here\n",
        "config/key.yaml": "mine: {api_key: abc, 80: 1}  # mine\n",
        "config/token.yaml": "mine:\n  token: t0ken-77x-81\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "Snakefile").touch()
    shipped = SHIPPED / "workflows" / "config" / "default.yaml"
    (tmp_path / "workflow").mkdir()
    (tmp_path / CONFIG).write_text("{}")  # as `deeprc rerun` lays it down
    files = configfiles([*texts, tmp_path / "config" / "config.yaml", shipped, "gone.yaml", CONFIG])
    assert [str(path) for path in files] == [*texts]
    hide = hiding({"token": "t0ken-77x-81"}, home=tmp_path, environment={})
    placed = copy(tmp_path / "results", places(tmp_path / "Snakefile", []), {}, hide, files)
    assert placed == ["workflow/Snakefile", *(f"workflow/configfiles/{name}" for name in texts), "workflow/config.json"]
    found = {name: (tmp_path / "results/workflow/configfiles" / name).read_text() for name in texts}
    assert found["config/config.yaml"] == texts["config/config.yaml"]
    assert found["config/table.json"] == texts["config/table.json"]
    assert found["config/home.yaml"] == "mine: {at: ~/x, 80: 1}  # here\n"
    assert yaml.safe_load(found["config/key.yaml"]) == {"mine": {"api_key": "***", "80": 1}}
    assert yaml.safe_load(found["config/token.yaml"]) == {"mine": {"token": "***"}}
