import json
import os
import shutil

import pytest
import yaml
from pydantic import ValidationError
from typer.testing import CliRunner

from deeprc.commands.sites import app
from deeprc.core.errors import ConfigError
from deeprc.core.validation import validate
from deeprc.sites import detect, known_sites, load_site, sites_folder
from deeprc.sites.model import Site
from samples.sites import cluster


@pytest.fixture
def facts():
    return yaml.safe_load((sites_folder() / "localhost" / "site.yaml").read_text())


def test_localhost_is_what_this_machine_has():
    part = load_site("localhost").partition()
    assert part.cores == detect.cores() <= len(os.sched_getaffinity(0))
    assert part.memory_mb == detect.memory_mb()


def test_a_site_is_found_by_name_file_and_folder():
    folder = sites_folder() / "localhost"
    assert load_site("localhost") == load_site(folder) == load_site(folder / "site.yaml")


def test_unknown_site_names_the_nearest():
    with pytest.raises(ConfigError, match="unknown site 'localhots'") as error:
        load_site("localhots")
    assert error.value.fix == "did you mean 'localhost'?"


def test_missing_site_file():
    with pytest.raises(ConfigError, match="no such site file"):
        load_site("no/such/site.yaml")


@pytest.mark.parametrize("name", known_sites())
def test_every_shipped_site_is_valid_and_called_as_its_folder(name):
    assert load_site(name).name == name


def test_unknown_key_names_the_nearest(facts):
    with pytest.raises(ConfigError) as error:
        validate(Site, facts | {"schedular": "slurm"}, where="x/site.yaml")
    assert str(error.value).splitlines()[0] == "x/site.yaml: unknown key 'schedular'"
    assert error.value.fix == "did you mean 'scheduler'?"


def test_unknown_key_of_a_partition(facts):
    facts["partitions"][0]["core"] = 4
    with pytest.raises(ConfigError, match=r"unknown key 'partitions\.0\.core'") as error:
        validate(Site, facts, where="x/site.yaml")
    assert error.value.fix == "did you mean 'cores'?"


def test_missing_key(facts):
    del facts["contact"]
    with pytest.raises(ConfigError, match="the key 'contact' is missing"):
        validate(Site, facts, where="x/site.yaml")


def test_wrong_value(facts):
    facts["partitions"][0]["cores"] = "many"
    with pytest.raises(ConfigError, match=r"key 'partitions\.0\.cores'.*integer") as error:
        validate(Site, facts, where="x/site.yaml")
    assert error.value.found == "'many'"


GPUS = {"vendor": "nvidia", "model": "x", "count": 2}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"nodes": True}, "key 'partitions.0.nodes': Input should be a valid integer\n  found: True"),
        ({"nodes": "4"}, "key 'partitions.0.nodes': Input should be a valid integer\n  found: '4'"),
        ({"reserved_cores": [True]}, "key 'partitions.0.reserved_cores.0': Input should be a valid integer"),
        (
            {"cores": 64, "sockets": 7},
            "key 'partitions.0': 64 cores in 7 sockets: each must have the same number of cores",
        ),
        (
            {"accelerator": GPUS | {"reversed": True, "order": [1, 0]}},
            "key 'partitions.0.accelerator': `reversed` and `order` say the same thing twice: keep one of them",
        ),
    ],
)
def test_what_cannot_be_of_a_partition(change, told, facts):
    facts["partitions"][0] |= change
    with pytest.raises(ConfigError) as error:
        validate(Site, facts, where="x/site.yaml")
    assert str(error.value).startswith(f"x/site.yaml: {told}")


def test_unknown_partition():
    with pytest.raises(ConfigError, match="unknown partition 'gpu'"):
        load_site("localhost").partition("gpu")


def test_cores_are_cut_to_the_control_groups_quota(tmp_path):
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    (group / "cpu.max").write_text("100000 100000\n")
    assert detect.cores(tmp_path) == 1
    (group / "cpu.max").write_text("max 100000\n")
    assert detect.cores(tmp_path) == len(os.sched_getaffinity(0))


def test_memory_is_cut_to_the_control_groups_limit(tmp_path):
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("512000000\n")
    assert detect.memory_mb(tmp_path) == 512
    # A group's limit is that of each group above it, too.
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text("3:cpu:/\n0::/user.slice/job\n")
    (group / "user.slice" / "job").mkdir(parents=True)
    (group / "user.slice" / "job" / "memory.max").write_text("max\n")
    (group / "user.slice" / "memory.max").write_text("256000000\n")
    assert detect.memory_mb(tmp_path) == 256
    # Version 1 has a hierarchy for memory.
    (tmp_path / "proc" / "self" / "cgroup").write_text("4:memory:/job\n")
    (group / "memory" / "job").mkdir(parents=True)
    (group / "memory" / "job" / "memory.limit_in_bytes").write_text("128000000\n")
    (group / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert detect.memory_mb(tmp_path) == 128


def test_the_size_of_a_job_decides_on_its_queue():
    queues = [
        {"name": "small", "nodes": 2},
        {"name": "normal", "min_nodes": 3, "nodes": 512, "scheduler_options": ["--exclusive"]},
    ]
    options = ["--partition={queue}", "--nodes={nodes}", "--gpus={gpus}"]
    partition = cluster(partition={"queues": queues, "nodes": 512, "scheduler_options": options}).partition()
    assert partition.allocation(2) == ["--partition=small", "--nodes=2", "--gpus=8"]
    assert partition.allocation(3) == ["--partition=normal", "--nodes=3", "--gpus=8", "--exclusive"]


def test_a_partition_without_queues_is_its_own():
    assert cluster(partition={"scheduler_options": ["-q {queue}"]}).partition().allocation(4) == ["-q gpu"]
    named = cluster(partition={"queue": "q", "scheduler_options": ["-q {queue}"]}).partition()
    assert named.allocation(4) == ["-q q"]


def _options(where, option):
    if where == "partition":
        return cluster(partition={"scheduler_options": [option]})
    if where == "queue":
        return cluster(partition={"queues": [{"name": "q", "nodes": 2, "scheduler_options": [option]}]})
    if where == "scheduler":
        return cluster(scheduler={"name": "slurm", "options": [option]})
    return cluster(settings=[{"scheduler_options": [option]}])


@pytest.mark.parametrize("where", ["partition", "queue", "scheduler", "settings"])
@pytest.mark.parametrize("option", ["--cpus={cores}", "--nodes={nodes:d}", "--x={}", "--x={0}", "--x={", "--x={a b}"])
def test_placeholders_are_checked_when_the_file_is_loaded(where, option):
    with pytest.raises(ValidationError):
        _options(where, option)


def test_an_unknown_placeholder_names_the_nearest(tmp_path):
    text = (sites_folder() / "rivanna" / "site.yaml").read_text()
    (tmp_path / "site.yaml").write_text(text.replace("{ranks_per_node}", "{rank_per_node}", 1))
    with pytest.raises(ConfigError) as error:
        load_site(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/site.yaml: key 'partitions.0.scheduler_options.2': unknown placeholder '{{rank_per_node}}'\n"
        "  found: {rank_per_node}\n"
        "  expected: one of {gpus}, {nodes}, {queue}, {ranks_per_node}\n"
        "  fix: did you mean '{ranks_per_node}'?"
    )


def test_placeholders_stand_where_they_are_filled_in():
    for where in ("scheduler", "settings"):
        with pytest.raises(ValidationError, match="only in the scheduler_options of partitions and queues"):
            _options(where, "--nodes={nodes}")
    assert _options("partition", "-R {{x}}={nodes}").partition().allocation(2) == ["-R {x}=2"]


def test_one_invalid_site_does_not_hide_the_others(tmp_path, monkeypatch):
    for name in ("frontera", "rivanna"):
        shutil.copytree(sites_folder() / name, tmp_path / name)
    broken = tmp_path / "frontera" / "site.yaml"
    broken.write_text(broken.read_text().replace("cores: 56", "cores: many"))
    monkeypatch.setenv("DEEPRC_SITES", str(tmp_path))
    done = CliRunner().invoke(app, ["--json"])
    assert done.exit_code == 2
    assert [site["name"] for site in json.loads(done.stdout)] == ["rivanna"]
    assert done.stderr == (
        f"error: {broken}: key 'partitions.0.cores': Input should be a valid integer\n"
        "  found: 'many'\n  fix: mend this key: docs/add-a-site.md says of each what it holds\n"
    )


TOO_DEEP = "lists or mappings too deep within each other\n  found: more than 100 levels\n"
CURE = "mend it, or put it in quotes where it is meant as text"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "name: x\ndate: 2026-13-45\n",
            ":2: not valid YAML: this is read as timestamp, and is none: month must be in 1..12\n"
            f"  found: 'date: 2026-13-45'\n  fix: {CURE}\n",
        ),
        ("note: !!bool perhaps\n", ":1: not valid YAML: this is read as bool, and is none: 'perhaps'\n"),
        ("note: !!timestamp soon\n", ":1: not valid YAML: this is read as timestamp, and is none: "),
        ("note: 0b_\n", ":1: not valid YAML: this is read as int, and is none: "),
        ("[" * 200_000, f": {TOO_DEEP}"),
        ("[" * 150 + "]" * 150, f": {TOO_DEEP}"),  # JSON reads it
        ("note: " + "[" * 150 + "x" + "]" * 150, f": {TOO_DEEP}"),
        ("".join(f"key{number}: 1\n" for number in range(90_000)), ": too long for a file of YAML\n"),
        (
            "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{f'*a{n}, ' * 10}]\n" for n in range(6)),
            ": aliases (*name) that stand for too much\n  found: ",
        ),
    ],
    ids=["date", "bool", "timestamp", "int", "deep", "deep JSON", "deep YAML", "long", "aliases"],
)
def test_a_file_that_nothing_can_read_is_one_error_beside_the_others(text, told, tmp_path, monkeypatch):
    shutil.copytree(sites_folder() / "rivanna", tmp_path / "rivanna")
    broken = tmp_path / "bad" / "site.yaml"
    broken.parent.mkdir()
    broken.write_text(text)
    monkeypatch.setenv("DEEPRC_SITES", str(tmp_path))
    done = CliRunner().invoke(app, ["--json"])
    assert (done.exit_code, [site["name"] for site in json.loads(done.stdout)]) == (2, ["rivanna"])
    assert done.stderr.startswith(f"error: {broken}{told}") and done.stderr.count("error: ") == 1


@pytest.mark.parametrize("pattern", ["(", "a{99999999999999999999}", "(" * 5000 + ")" * 5000])
def test_a_pattern_that_python_cannot_read(pattern, facts):
    with pytest.raises(ConfigError, match="is no regular expression"):
        validate(Site, facts | {"identity": {"hostnames": [pattern]}}, where="x/site.yaml")


def test_a_text_in_place_of_a_list_may_be_deep(facts):
    with pytest.raises(ConfigError, match=r"key 'mpi': Input should be a valid list"):
        validate(Site, facts | {"mpi": "[" * 5000}, where="x/site.yaml")
