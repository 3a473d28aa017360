"""Changes to RADICAL-Pilot's processes; Python imports this file as they start (PYTHONPATH names its folder).

RADICAL-Pilot 1.103's message queues answer a request for work at once, also when there is none, so that every reader
asks again a hundred times a second: together the idle pilot takes 0.8 of a core, and on a laptop that is the user's.
Here a request waits until there is something to answer. Its sockets answer those only who have the keys in the file
$DEEPRC_CURVE (see `deeprc.pilot.curve`), and listen on the interface only that is used towards $DEEPRC_TOWARDS, the
client's address (loopback for a pilot of this machine). A message that cannot be read is dropped, and a part that has
ended ends the pilot (`deeprc_watch`), where a run waited for ever. A task's cores are told when it starts, since those
of a worker are the cores of its jobs. Tasks are launched by their own lines (`deeprc_launch`), and batch jobs submitted
with the site's options (`deeprc_submit`).

It stands alone: it is read before anything else, in environments that may have no deeprc, and must never fail there.
"""

import importlib.abc
import importlib.util
import os
import sys
import threading
from collections import defaultdict, deque

LONG = 1000  # ms until a waiting bridge looks whether it is to end


def drop(bridge, error):
    """Count a message that cannot be read; the log tells of the first one, and whenever there are twice as many."""
    bridge.dropped = getattr(bridge, "dropped", 0) + 1
    if bridge.dropped & (bridge.dropped - 1) == 0:
        bridge._log.error("messages dropped that cannot be read: %d (%r)", bridge.dropped, error)


def queue(module):
    """Hold requests in `radical.utils.zmq.queue` until there are messages."""
    from deeprc_watch import vital

    zmq, pack, unpack = module.zmq, module.to_msgpack, module.from_msgpack

    def initialize(self):
        self._lock, self._ctx = threading.Lock(), zmq.Context()
        # ROUTER instead of REP: a request that waits must not keep those for other names of the queue waiting.
        self._put, self._get = self._ctx.socket(zmq.PULL), self._ctx.socket(zmq.ROUTER)
        for socket in (self._put, self._get):
            socket.linger, socket.hwm = module._LINGER_TIMEOUT, module._HIGH_WATER_MARK
        self._addr_put, self._addr_get = module.zmq_bind(self._put), module.zmq_bind(self._get)

    def work(self):
        poller = zmq.Poller()
        poller.register(self._put, zmq.POLLIN)
        poller.register(self._get, zmq.POLLIN)
        messages, readers = defaultdict(list), defaultdict(deque)
        while not self._term.is_set():
            for socket, _ in poller.poll(LONG):
                frames = socket.recv_multipart()
                try:
                    if socket is self._put:
                        name, bulk = map(unpack, frames)
                        messages[module.as_string(name)].extend([*bulk])
                    else:
                        reader, _, name = frames
                        readers[module.as_string(name) or "default"].append(reader)
                except Exception as error:
                    drop(self, error)
            for name, waiting in readers.items():
                while waiting and messages[name]:
                    bulk = messages[name][: self._bulk_size]
                    del messages[name][: self._bulk_size]
                    self._get.send_multipart([waiting.popleft(), b"", pack(name), pack(bulk)])

    module.Queue._bridge_initialize, module.Queue._bridge_work = initialize, vital(work)


def pubsub(module):
    """Let the bridges of `radical.utils.zmq.pubsub` sleep until something arrives that their readers understand."""
    from deeprc_watch import vital

    def work(self):
        while not self._term.is_set():
            for socket, _ in self._poll.poll(LONG):
                frames = socket.recv_multipart()
                try:
                    (message,) = frames
                    if socket is self._xpub:  # what publishers send; the other one has subscriptions
                        _topic, content = message.split(b" ", 1)
                        module.from_msgpack(content)
                except Exception as error:
                    drop(self, error)
                else:
                    (self._xsub if socket is self._xpub else self._xpub).send(message)

    module.PubSub._bridge_work = vital(work)


def server(module):
    """Registries and the proxy (`radical.utils.zmq.server`): without one of them nothing goes on."""
    from deeprc_watch import vital

    module.Server._work = vital(module.Server._work)


def proxy(module):
    """Watch the process of the proxy's bridges (`radical.pilot.proxy`)."""
    from deeprc_watch import watch

    register = module.Proxy._register

    def register_and_watch(self, arg):
        addresses = register(self, arg)
        watch("the proxy", self._clients[arg["sid"]]["proc"].pid)
        return addresses

    module.Proxy._register = register_and_watch


def command_port(module):
    """Open no port for commands in plain text, from whomever (`radical.pilot.agent.agent_0`); only a tool reads it."""
    module.Agent_0.command_port = lambda self: None


def executing(module):
    """Tell the client a task's cores when it starts (`radical.pilot.agent.executing.base`), not when it has ended."""
    component = module.AgentExecutingComponent
    advance = component.advance_tasks

    def advance_tasks(self, tasks, state, *rest, **options):
        for task in tasks if isinstance(tasks, list) else [tasks]:
            task["$all"] = True
        advance(self, tasks, state, *rest, **options)

    component.advance_tasks = advance_tasks


def component_manager(module):
    """Fork the bridges and components that `radical.pilot.utils.component_manager` starts, and watch them."""
    from deeprc_forks import Forks
    from deeprc_watch import forget, watch

    module.ru = _Utilities(module.ru)
    module.ru.sh_callout = Forks(module.ru.sh_callout).sh_callout
    wait, close = module.ComponentManager._wait_startup, module.ComponentManager.close

    def wait_and_watch(self, uids, timeout):
        wait(self, uids, timeout)
        for uid in uids:
            watch(uid, self._startups[uid].pid)

    def forget_and_close(self):
        forget()
        close(self)

    module.ComponentManager._wait_startup, module.ComponentManager.close = wait_and_watch, forget_and_close


class _Utilities:
    """The package `radical.utils`, of which one module sees a part changed."""

    def __init__(self, package):
        self._package = package

    def __getattr__(self, name):
        return getattr(self._package, name)


def launch_method(module):
    """Let tasks bring their launch lines (`radical.pilot.agent.launch_method.base`)."""
    from deeprc_launch import ours

    create = module.LaunchMethod.create
    module.LaunchMethod.create = classmethod(lambda cls, *arguments, **options: ours(create(*arguments, **options)))


def scheduling(module):
    """Try the waiting tasks in their order (`radical.pilot.agent.scheduler.base`)."""
    from deeprc_launch import in_turn

    module.ru = _Utilities(module.ru)
    module.ru.lazy_bisect = in_turn


def placement(module):
    """Lay out ranks evenly, where there is memory for them (`radical.pilot.agent.scheduler.continuous`)."""
    from deeprc_launch import contiguous, whole_blocks

    module.Continuous._find_resources = whole_blocks(module.Continuous._find_resources)
    module.Continuous.schedule_task = contiguous(module.Continuous.schedule_task)


def pbs_nodes(module):
    """Take the site file's number of cores, not what `qstat` says: that counts hardware threads on some machines."""

    def refuse(self):
        raise ValueError("the site file says it")

    module.PBSPro._parse_pbspro_vnodes = refuse


def lsf_nodes(module):
    """Take the site file's number of cores for each host of the job (`radical.pilot.agent.resource_manager.lsf`).

    RADICAL-Pilot wants a line of the file of hosts for each of them, and leaves hosts out by their names. The host of
    IBM's Cluster System Manager that a job starts from has one line.
    """
    from collections import Counter

    def init_from_scratch(self, info):
        with open(os.environ["LSB_DJOB_HOSTFILE"]) as file:  # noqa: PTH123  as everywhere here
            slots = Counter(file.read().split())
        several = [host for host, count in slots.items() if count > 1]
        info.node_list = self._get_node_list([(host, info.cores_per_node) for host in several or slots], info)
        return info

    module.LSF.init_from_scratch = init_from_scratch


def submission(module):
    """Submit with the site's options (`psij.executors.batch.batch_scheduler_executor`)."""
    from deeprc_submit import with_options

    module.BatchSchedulerExecutor.submit = with_options(module.BatchSchedulerExecutor.submit)


def own_address():
    """The address of this machine that the client's machine sees; nothing is sent."""
    import socket  # here, since every Python starts with this file

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((os.environ["DEEPRC_TOWARDS"], 9))
        return probe.getsockname()[0]


def host(module):
    """Give that address as the one of this machine."""
    address = own_address()
    module.get_hostip = lambda req=None, log=None: address


def sockets(module):
    """Give every `zmq` socket its keys, and bind those that are meant for every interface to that one."""
    bind, connect, address = module.Socket.bind, module.Socket.connect, own_address()
    with open(os.environ["DEEPRC_CURVE"], "rb") as file:  # noqa: PTH123  without it there is no zmq: not an open one
        public, secret = file.read().split()

    def closed_bind(self, wanted):
        self.curve_server, self.curve_secretkey = True, secret
        return bind(self, wanted.replace("tcp://*:", f"tcp://{address}:"))

    def closed_connect(self, wanted):
        self.curve_publickey, self.curve_secretkey = module.curve_keypair()
        self.curve_serverkey = public
        return connect(self, wanted)

    module.Socket.bind, module.Socket.connect = closed_bind, closed_connect


PATCHES = {
    "radical.utils.zmq.queue": queue,
    "radical.utils.zmq.pubsub": pubsub,
    "radical.utils.zmq.server": server,
    "radical.pilot.proxy": proxy,
    "radical.pilot.agent.agent_0": command_port,
    "radical.pilot.agent.executing.base": executing,
    "radical.pilot.utils.component_manager": component_manager,
    "radical.pilot.agent.launch_method.base": launch_method,
    "radical.pilot.agent.scheduler.base": scheduling,
    "radical.pilot.agent.scheduler.continuous": placement,
    "radical.pilot.agent.resource_manager.pbspro": pbs_nodes,
    "radical.pilot.agent.resource_manager.lsf": lsf_nodes,
}
if os.environ.get("DEEPRC_SUBMIT"):
    PATCHES["psij.executors.batch.batch_scheduler_executor"] = submission
if os.environ.get("DEEPRC_TOWARDS"):
    PATCHES |= {"radical.utils.host": host, "zmq": sockets}


class Finder(importlib.abc.MetaPathFinder):
    """Calls the hook of a module right after it was imported."""

    def find_spec(self, name, path=None, target=None):
        hook = PATCHES.pop(name, None)
        spec = importlib.util.find_spec(name) if hook else None
        if spec is None:
            return None
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            hook(module)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Finder())
