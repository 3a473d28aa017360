"""Changes to RADICAL-Pilot's processes; Python imports this file as they start (PYTHONPATH names its folder).

RADICAL-Pilot 1.103's message queues answer a request for work at once, also when there is none, so that every reader
asks again a hundred times a second: together the idle pilot takes 0.8 of a core, and on a laptop that is the user's.
Here a request waits until there is something to answer. Its sockets listen on the interface only that is used towards
$DEEPRC_TOWARDS, the client's address (loopback for a pilot of this machine), instead of on every network. A task's
cores are told when it starts, since those of a worker are the cores of its jobs. Tasks are launched by their own lines
(`deeprc_launch`), and batch jobs submitted with the site's options (`deeprc_submit`).

It stands alone: it is read before anything else, in environments that may have no deeprc, and must never fail there.
"""

import importlib.abc
import importlib.util
import os
import sys
import threading
from collections import defaultdict, deque

LONG = 1000  # ms until a waiting bridge looks whether it is to end


def queue(module):
    """Hold requests in `radical.utils.zmq.queue` until there are messages."""
    zmq, pack = module.zmq, module.to_msgpack

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
                name, *rest = reversed(socket.recv_multipart())
                if socket is self._put:
                    messages[module.as_string(module.from_msgpack(rest[0]))] += module.from_msgpack(name)
                else:
                    readers[module.as_string(name) or "default"].append(rest[-1])
            for name, waiting in readers.items():
                while waiting and messages[name]:
                    bulk = messages[name][: self._bulk_size]
                    del messages[name][: self._bulk_size]
                    self._get.send_multipart([waiting.popleft(), b"", pack(name), pack(bulk)])

    module.Queue._bridge_initialize, module.Queue._bridge_work = initialize, work


def pubsub(module):
    """Let the bridges of `radical.utils.zmq.pubsub` sleep until something arrives."""

    def work(self):
        while not self._term.is_set():
            for socket, _ in self._poll.poll(LONG):
                other = self._xsub if socket is self._xpub else self._xpub
                other.send(socket.recv())

    module.PubSub._bridge_work = work


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
    """Fork the bridges and components that `radical.pilot.utils.component_manager` starts."""
    from deeprc_forks import Forks

    module.ru = _Utilities(module.ru)
    module.ru.sh_callout = Forks(module.ru.sh_callout).sh_callout


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
    """Bind `zmq` sockets that are meant for every interface to that one."""
    bind, address = module.Socket.bind, own_address()
    module.Socket.bind = lambda self, wanted: bind(self, wanted.replace("tcp://*:", f"tcp://{address}:"))


HOOKS = {
    "radical.utils.zmq.queue": queue,
    "radical.utils.zmq.pubsub": pubsub,
    "radical.pilot.agent.executing.base": executing,
    "radical.pilot.utils.component_manager": component_manager,
    "radical.pilot.agent.launch_method.base": launch_method,
    "radical.pilot.agent.scheduler.base": scheduling,
    "radical.pilot.agent.scheduler.continuous": placement,
    "radical.pilot.agent.resource_manager.pbspro": pbs_nodes,
}
if os.environ.get("DEEPRC_SUBMIT"):
    HOOKS["psij.executors.batch.batch_scheduler_executor"] = submission
if os.environ.get("DEEPRC_TOWARDS"):
    HOOKS |= {"radical.utils.host": host, "zmq": sockets}


class Finder(importlib.abc.MetaPathFinder):
    """Calls the hook of a module right after it was imported."""

    def find_spec(self, name, path=None, target=None):
        hook = HOOKS.pop(name, None)
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
