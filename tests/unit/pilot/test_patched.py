"""RADICAL-Pilot's real message channels, with and without the changes in `patches/`."""

import contextlib
import json
import os
import re
import subprocess
import sys

import psutil
import pytest

from deeprc.pilot import curve
from deeprc.pilot.resource import PATCHES

COUNT = 200
PROGRAM = f"""
import json, os, sys, threading, time
import radical.utils as ru
import zmq

work, news = ru.zmq.Queue("work"), ru.zmq.PubSub("news")
for bridge in (work, news):
    bridge.start()
url = lambda address: str(address)
got, lock = {{"a": [], "b": []}}, threading.Lock()

def read(name):
    getter = ru.zmq.Getter("work", url=url(work.addr_get))
    while time.monotonic() < end:
        messages = getter.get_nowait(qname=name, timeout=200)
        with lock:
            got[name] += messages or []

end = time.monotonic() + 4
readers = [threading.Thread(target=read, args=(name,)) for name in ("a", "a", "b")]
heard = []
hear = lambda topic, message: heard.append(message)
subscriber = ru.zmq.Subscriber("news", url=url(news.addr_sub), topic="t", cb=hear)
publisher = ru.zmq.Publisher("news", url=url(news.addr_pub))
putter = ru.zmq.Putter("work", url=url(work.addr_put))
for reader in readers:
    reader.start()
if "DEEPRC_CURVE" in os.environ:
    sockets = []
    for kind, address, messages in (
        (zmq.PUSH, work.addr_put, ([b""], [b"\\xc1", b"\\xc1"], [b"a", b"b", b"c"], [b"\\xa1a", b"a"])),
        (zmq.DEALER, work.addr_get, ([b""], [b"", b"\\xff"], [b"", b"a", b"a"])),
        (zmq.PUB, news.addr_pub, ([b"t"], [b"t \\xc1"], [b"t \\x01", b"t \\x01"], [b"t \\xa2a"])),
    ):
        sockets.append(zmq.Context.instance().socket(kind))
        sockets[-1].connect(str(address))
        time.sleep(0.2)
        for message in messages:
            sockets[-1].send_multipart(message)
time.sleep(0.5)
before = time.process_time()
time.sleep(1.5)
idle = time.process_time() - before
for number in range({COUNT}):
    putter.put([number], qname="ab"[number % 2])
    publisher.put("t", [number])
for reader in readers:
    reader.join()
addresses = [url(a) for a in (work.addr_put, work.addr_get, news.addr_pub, news.addr_sub)]
print(json.dumps({{"idle": idle, "a": got["a"], "b": got["b"], "heard": heard, "addresses": addresses,
                  "dropped": [getattr(bridge, "dropped", 0) for bridge in (work, news)]}}))
sys.stdout.flush()
os._exit(0)
"""


def talk(tmp_path, **environment) -> dict:
    variables = {**os.environ, "RADICAL_BASE": str(tmp_path), "HOME": str(tmp_path), **environment}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def hooked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hooked")
    told = {"RADICAL_LOG_TGT": str(folder / "log"), "DEEPRC_CURVE": str(curve.write(folder))}
    return talk(folder, PYTHONPATH=str(PATCHES), DEEPRC_TOWARDS="127.0.0.1", **told) | {
        "log": (folder / "log").read_text()
    }


def test_every_message_arrives_once_and_under_its_name(hooked):
    assert sorted(hooked["a"]) == list(range(0, COUNT, 2))
    assert hooked["b"] == list(range(1, COUNT, 2))  # of one reader: in order
    assert hooked["heard"] == [[number] for number in range(COUNT)]


def test_what_cannot_be_read_is_dropped_counted_and_told(hooked):
    """And all else arrives, see above: it came after that."""
    assert hooked["dropped"] == [7, 4]
    told = re.findall(r"(work|news)\.bridge.*: messages dropped that cannot be read: (\d+) ", hooked["log"])
    for name in ("work", "news"):
        assert [int(number) for bridge, number in told if bridge == name] == [1, 2, 4]  # then 8, and so on


def test_waiting_costs_a_fraction_of_what_it_did(hooked, tmp_path):
    """A tenth on a quiet machine; these are milliseconds, and other work on it counts in."""
    plain = talk(tmp_path)
    assert sorted(plain["a"]) == sorted(hooked["a"])
    assert hooked["idle"] < 0.3 * plain["idle"]


def test_a_pilot_of_one_machine_listens_on_loopback(hooked):
    assert [address.rpartition(":")[0].removesuffix("/") for address in hooked["addresses"]] == ["tcp://127.0.0.1"] * 4


def test_an_agent_does_not_wait_for_what_it_asks_itself_while_nobody_hears(tmp_path):
    """Published before its own bridge knows of the subscription, the request is lost, and no other one follows."""
    program = """
import radical.utils as ru
from radical.pilot.agent.agent_0 import Agent_0
agent = Agent_0.__new__(Agent_0)
agent._uid, agent._log, agent._rpc_reqs = "agent_0", ru.Logger("agent"), {}
asked = []
agent.publish = lambda channel, message: asked.append(message.cmd)  # and it is lost
print(agent.rpc("prepare_env", env_name="rp", env_spec={}, rpc_addr="pilot.0000"), asked)
"""
    told = {"PYTHONPATH": str(PATCHES), "RADICAL_LOG_TGT": str(tmp_path / "log"), "RADICAL_BASE": str(tmp_path)}
    variables = {**os.environ, **told, "DEEPRC_CURVE": str(curve.write(tmp_path)), "DEEPRC_TOWARDS": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=40
    )
    assert (done.returncode, done.stdout) == (0, "None []\n"), done.stderr


def test_other_programs_do_not_notice(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import json, zmq; print(zmq.Context, json.dumps([1]))"],
        env={**os.environ, "PYTHONPATH": str(PATCHES)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("[1]\n")


STARTING = """
import time
import radical.pilot.utils.component_manager as manager
import deeprc_forks, psutil

before = time.monotonic()
manager.time.sleep(0.25)
names = [" ".join(child.cmdline()[1:]) for child in psutil.Process().children()]
print(deeprc_forks._server is not None, [name.rpartition("/")[2] for name in names], time.monotonic() - before < 0.2)
print(deeprc_forks._server and deeprc_forks._server.pid)
"""


@pytest.mark.parametrize(
    ("program", "told"), [("radical-pilot-agent_0", "True ['deeprc_forks.py'] True"), ("other", "False [] True")]
)
def test_what_the_agent_has_forked_is_imported_beside_it_and_ends_with_it(tmp_path, program, told):
    (tmp_path / program).write_text(STARTING)
    variables = {**os.environ, "RADICAL_BASE": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": str(PATCHES)}
    done = subprocess.run(
        [sys.executable, tmp_path / program], cwd=tmp_path, env=variables, capture_output=True, text=True
    )
    *_, first, pid = done.stdout.splitlines()
    assert first == told, done.stderr
    if pid != "None":
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(int(pid)).wait(30)
