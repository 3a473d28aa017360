import subprocess
import sys
import threading
from pathlib import Path

import pytest

from deeprc.core.errors import ConfigError
from deeprc.launch import Layout
from deeprc.pilot import Allocation, Pilot, Task
from deeprc.pilot.batch import Submission
from deeprc.pilot.calls import calls
from deeprc.pilot.engine import PilotNews
from deeprc.pilot.environment import broker_environment, passed_on, users
from deeprc.pilot.planner import Planner
from deeprc.pilot.processes import MARK
from deeprc.pilot.resource import PATCHES, resource_config, write_resource_config
from samples.sites import cluster, laptop

SITE = laptop()


def planner(site, folder, **size) -> Planner:
    return Pilot(Allocation(site, **size), folder, image="none").planner


def with_memory(megabytes):
    """The cluster, whose nodes have so much."""
    return cluster(partition={"memory_mb": megabytes})


def test_resource_configuration_has_the_real_counts_and_no_launcher_of_radical_pilots():
    config = resource_config(SITE, SITE.partition(), sandbox=Path("/run/sandbox"))
    assert config == {
        "description": "A laptop",
        "default_schema": "local",
        "schemas": {"local": {"job_manager_endpoint": "fork://localhost/", "filesystem_endpoint": "file://localhost/"}},
        "default_remote_workdir": "/run/sandbox",
        "resource_manager": "FORK",
        "agent_config": "default",
        "agent_scheduler": "CONTINUOUS",
        "agent_spawner": "POPEN",
        "launch_methods": {"order": ["FORK"], "FORK": {}},
        "cores_per_node": 6,
        "gpus_per_node": 1,
        "mem_per_node": 9000,
        "lfs_path_per_node": "/run/sandbox",
        "lfs_size_per_node": 0,
        "virtenv_mode": "local",
        "rp_version": "installed",
        "fake_resources": False,
    }


def test_resource_configuration_is_written_where_radical_pilot_looks(tmp_path):
    assert write_resource_config(tmp_path, SITE, {"a": 1}) == "deeprc.laptop"
    assert (tmp_path / ".radical/pilot/configs/resource_deeprc.json").read_text() == (
        '{\n "laptop": {\n  "a": 1\n }\n}\n'
    )


def test_everything_that_radical_pilot_writes_goes_to_the_private_folder():
    environment = broker_environment(Path("/run/pilot"), "m")
    for name in ("HOME", "TMPDIR", "PWD", "RADICAL_BASE", "RADICAL_CONFIG_USER_DIR", "RADICAL_LOG_TGT"):
        assert environment[name].startswith("/run/pilot")
    assert environment[MARK] == "m"
    assert environment["PATH"].startswith(f"{sys.prefix}/bin:")


def test_what_would_harm_radical_pilots_scripts_is_kept_from_them():
    odd = {"MAKEOVERRIDES": "${-*-command-variables-*-}", "PS1": "$(whoami)> ", "OLD": "`date`", "QUOTED": 'a "b"'}
    odd |= {"LINES": "a\nb", "BYTES": "M\udcfcller", "HUGE": "x" * 100_000}
    odd |= {"rank": "gold", "here": "/tmp", "a-b": "1", "BASH_FUNC_module%%": "() { :; }"}
    odd |= {"BASH_ENV": "/mine", "SHELLOPTS": "xtrace", "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "utf-16"}
    odd |= {"A_TOKEN": "a", "https_proxy": "http://me:pass@proxy"}  # it would write them into files
    kept = {"LANG": "C.UTF-8", "EMPTY": "", "HOME": "/home/müller", "http_proxy": "http://proxy:3128", "SLURM_X": "1"}
    assert passed_on({**kept, **odd}) == kept


def test_the_users_environment_is_kept_whole():
    environment = {
        b"A": b"1\n2",
        b"M\xfc": b"\xfc",
        b"BASH_FUNC_f%%": b"() { :; }",
        b"EMPTY": b"",
        b"SLURM_JOB_ID": b"7",
    }
    environment |= {b"HOSTNAME": b"login"}
    whole = b"A=1\n2\0M\xfc=\xfc\0BASH_FUNC_f%%=() { :; }\0EMPTY=\0"
    assert users(environment, elsewhere=False) == whole + b"SLURM_JOB_ID=7\0HOSTNAME=login\0"
    assert users(environment, elsewhere=True) == whole  # the rest is what launchers tell on the other machine


def test_a_pilot_listens_at_the_address_that_its_nodes_reach(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/mine")
    local, remote = broker_environment(Path("/p"), "m"), broker_environment(Path("/p"), "m", towards="192.0.2.7")
    assert (local["DEEPRC_TOWARDS"], remote["DEEPRC_TOWARDS"]) == ("127.0.0.1", "192.0.2.7")
    assert remote["PYTHONPATH"] == f"{PATCHES}:/mine"
    assert "DEEPRC_SUBMIT" not in local


def test_what_a_batch_system_is_asked_for_reaches_the_process_that_submits():
    given = Submission("slurm", "deeprc-1", ["--constraint=afton"], {"SBATCH_GRES": "gpu:4"}, None)
    environment = broker_environment(Path("/p"), "m", given=given)
    assert environment["DEEPRC_SUBMIT"] == '{"scheduler": "slurm", "options": ["--constraint=afton"]}'
    assert environment["SBATCH_GRES"] == "gpu:4"
    assert environment["DEEPRC_REFUSAL"] == "/p/refusal"


def test_size_of_an_allocation():
    there = Allocation(SITE, nodes=2, cores=3)
    assert (there.cores, there.gpus, there.active, there.ended) == (6, 2, False, False)


@pytest.mark.parametrize("wrong", [{"cores": 0}, {"nodes": 0}, {"runtime": -5}])
def test_a_pilot_of_nothing_is_refused(wrong):
    ((name, count),) = wrong.items()
    with pytest.raises(ConfigError, match=f"a pilot without {name}") as error:
        Allocation(SITE, **wrong)
    assert error.value.found == f"{name} = {count}"


def test_launch_line_of_a_task(tmp_path):
    pilot = planner(SITE, tmp_path)
    assert pilot.plan(Task("a", ["run", "it"])).argv == ["run", "it"]
    several = pilot.plan(Task("b", ["run", "it"], ranks=3))
    assert several.argv == [f"{sys.prefix}/bin/mpiexec", "-np", "3", "-f", "{hostfile}", "run", "it"]


@pytest.mark.parametrize(
    ("ranks", "cores", "gpus", "asked", "expected"),
    [
        (1, 1, 0, 0, (1, 1)),
        (64, 1, 0, 0, (1, 64)),
        (65, 1, 0, 0, (2, 33)),
        (5, 30, 0, 0, (3, 2)),  # two ranks of 30 cores on a node of 64; by the sum of cores it would be three on it
        (9, 1, 1, 0, (2, 5)),
        (9, 1, 0, 4, (3, 3)),  # three times three: what launchers can lay out evenly
        (4, 1, 0, 2, (2, 2)),
        (4, 1, 0, 50, (4, 1)),  # as many as the pilot has, and no empty ones
    ],
)
def test_ranks_lie_evenly_on_whole_nodes(tmp_path, ranks, cores, gpus, asked, expected):
    layout = planner(cluster(), tmp_path, nodes=4).layout(Task("a", [], ranks, cores, gpus, nodes=asked))
    assert (layout.nodes, layout.ranks_per_node) == expected


@pytest.mark.parametrize("wanted", [(1, 65, 0), (9, 32, 0), (33, 1, 1), (1, 1, 9)])
def test_what_no_placement_can_have_is_told_before_anything_starts(tmp_path, wanted):
    """The whole pilot has more cores than each of these asks for."""
    with pytest.raises(ConfigError, match="do not fit") as error:
        planner(cluster(), tmp_path, nodes=4).layout(Task("a", [], *wanted))
    assert error.value.expected == "4 nodes with 64 cores and 8 accelerators each"


def test_the_memory_of_a_rank_is_on_one_node(tmp_path):
    nodes = planner(with_memory(1000), tmp_path, nodes=2)
    assert nodes.layout(Task("a", [], 4, memory_mb=400)) == Layout(4, 1, 0, 2, 400)
    assert nodes.layout(Task("a", [], 2, memory_mb=400)) == Layout(2, 1, 0, 1, 400)
    for ranks, memory in ((1, 1001), (5, 400)):
        with pytest.raises(ConfigError) as error:
            nodes.layout(Task("a", [], ranks, memory_mb=memory))
        assert error.value.problem == (f"{ranks} ranks of 1 cores, 0 accelerators and {memory} MB of memory do not fit")
        assert error.value.expected == "2 nodes with 64 cores, 8 accelerators and 1000 MB of memory each"


def test_memory_is_not_counted_where_nobody_has_told_what_a_node_has(tmp_path):
    unknown = planner(with_memory(None), tmp_path)
    assert unknown.layout(Task("a", [], memory_mb=10**9)) == Layout()


def test_slurm_is_told_the_memory_of_a_step(tmp_path):
    """MiB, of a node, rounded up; none asked for is all of it."""
    pilot = planner(with_memory(500_000), tmp_path, nodes=2)
    memory = lambda task: next(word for word in pilot.plan(task).launcher if word.startswith("--mem="))  # noqa: E731
    assert memory(Task("a", [], 4, nodes=2, memory_mb=1000)) == "--mem=1908"
    assert memory(Task("a", [], 1, memory_mb=1000)) == "--mem=954"
    assert memory(Task("a", [], 1)) == "--mem=0"


def test_options_that_tasks_want_of_their_allocation_are_asked_for_in_time(tmp_path):
    together = {
        "when": {"comm": ["ccl"], "nodes": "several"},
        "environment": {"FI_CXI_RDZV_PROTO": "alt_read"},
        "scheduler_options": ["--network=disable_rdzv_get"],
    }
    there = Allocation(cluster(settings=[together]), nodes=2)
    pilot = Pilot(there, tmp_path, image="none").planner
    pilot.plan(Task("a", ["x"], 80))
    assert there.options == []
    pilot.plan(Task("b", ["x"], 80, comm="ccl"))
    assert there.options == [("--network=disable_rdzv_get",)]
    there = Allocation(cluster(settings=[together]), nodes=2)
    late = Pilot(there, tmp_path, image="none").planner
    there.hear(PilotNews("ACTIVE"))
    with pytest.raises(ConfigError, match="needs an allocation with --network=disable_rdzv_get"):
        late.plan(Task("b", ["x"], 80, comm="ccl"))


def test_whole_options_are_asked_for_once(tmp_path):
    wanted = {"scheduler_options": ["-l", "filesystems=home", "-l", "ncpus=64"]}
    site = cluster(
        scheduler={"name": "pbspro"}, launcher={"name": "mpiexec-pals"},
        partition={"scheduler_options": ["-l", "ncpus=64"]}, settings=[wanted, wanted],
    )  # fmt: skip
    there = Allocation(site, nodes=2)
    Pilot(there, tmp_path, image="none").planner.plan(Task("a", ["x"], 80))
    assert there.options == [("-l", "filesystems=home")]
    words = there.submission().options
    assert words[:4] == ["-l", "ncpus=64", "-l", "filesystems=home"]


def test_nothing_is_written_before_the_start(tmp_path):
    pilot = Pilot(Allocation(SITE), tmp_path / "pilot")
    pilot.close()
    assert list(tmp_path.iterdir()) == []


def test_news_that_cannot_be_taken_in_end_the_pilot(tmp_path):
    """Whoever waits for it would wait for ever."""
    pilot = Pilot(Allocation(SITE), tmp_path)
    pilot.engine._broker = subprocess.Popen(
        ["echo", '{"task": "a", "cores": [], "nodes": []}'], stdout=subprocess.PIPE, text=True
    )
    with pytest.raises(KeyError):
        pilot.engine._listen()
    pilot.engine._broker.wait(10)
    threading.Timer(0.1, pilot.engine._news.put, [None]).start()  # the end of the news
    pilot._listen()
    assert pilot.allocation.ended
    assert pilot.allocation.why == "what RADICAL-Pilot told could not be taken in: KeyError: 'state'"


def test_the_end_of_an_allocation_is_told_once_and_as_it_is_known():
    told = {
        "a": [PilotNews("FAILED", said="the engine says: DONE", explained=False)],
        "b": [PilotNews("ACTIVE"), PilotNews("FAILED", "its node broke"), PilotNews("FAILED", "later words")],
    }
    found = {}
    for name, news in told.items():
        there = Allocation(SITE)
        for each in news:
            there.hear(each)
        found[name] = there.why, there.explained, there.ended, there.active
    assert found == {"a": ("the engine says: DONE", False, True, False), "b": ("its node broke", True, True, False)}
    over = Allocation(SITE, runtime=1)
    over.hear(PilotNews("ACTIVE"))
    over._active_since -= 50
    over.hear(PilotNews("FAILED", said="the engine says: DONE", explained=False))
    assert over.why == "its time of 1 min is over"


def test_a_pilot_whose_files_are_left_of_one_that_was_killed_is_refused_by_its_folder(tmp_path):
    folder = tmp_path / "calls.deeprc"
    folder.mkdir(mode=0o700)
    (folder / "key").touch(mode=0o600)
    with pytest.raises(ConfigError, match=rf"(?s){folder}: a pilot has its files here.*was killed.*`rm -r {folder}`"):
        Pilot(Allocation(SITE), folder, image="none").start()


def test_a_closed_pilot_takes_no_calls(tmp_path):
    pilot = Pilot(Allocation(SITE), tmp_path, image="none")
    pilot.allocation.state = "CLOSED"
    with pytest.raises(ConfigError, match="this pilot is closed"):
        next(calls(pilot, "stations:note", [()]))
