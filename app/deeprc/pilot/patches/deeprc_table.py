"""What is changed in RADICAL-Pilot, radical.utils, PSI/J and pyzmq: one row for each module, and whether it still fits.

A row holds for the source that it was made for, whatever the version is called: what is replaced, or relied upon, has
the hash that it had then; what is only called, and pinned to no one version, has the same arguments. Deep RC looks
before anything queues (`deeprc.pilot.patched`), and each process again as it changes itself (`sitecustomize`).
"""

import hashlib
import importlib.util
import os
import re
from collections import namedtuple
from importlib.metadata import PackageNotFoundError, version

# module: what is changed once it is imported; package, tested: whose it is, and the versions that it was tried with;
# parts: attribute (of another module: "module:attribute") -> the first digits of its source's sha256, or its arguments;
# change: "module:function";
# variable: it is made only where this one is set; why; instead: the supported way, and what that lacks.
Patch = namedtuple("Patch", "module package tested parts change why instead variable", defaults=(None,))

NONE = "none"
PILOT, UTILS = ("radical.pilot", ("1.103.2",)), ("radical.utils", ("1.103.1",))
FOLDERS = {"radical.pilot": "radical.pilot", "radical.utils": "radical.utils", "psij-python": "psij", "pyzmq": "zmq"}

TABLE = (
    Patch(
        "radical.utils.zmq.queue", *UTILS,
        {"Queue._bridge_initialize": "e7dd0d9f21a6", "Queue._bridge_work": "2ade94e33175",
         "Getter._get_nowait": "ce5fdf209b33"},
        "deeprc_bridges:queue",
        "an idle pilot keeps a core busy, and a message that cannot be read stops the queue", NONE,
    ),
    Patch(
        "radical.utils.zmq.pubsub", *UTILS,
        {"PubSub._bridge_initialize": "f8d711c40187", "PubSub._bridge_work": "32c0011ff311"},
        "deeprc_bridges:pubsub", "a message that cannot be read stops the channel, and the run waits for ever", NONE,
    ),
    Patch(
        "radical.utils.zmq.server", *UTILS, {"Server._work": "f53022c56a33"},
        "deeprc_bridges:server", "a registry whose thread has ended is waited for, for ever", NONE,
    ),
    Patch(
        "radical.utils.host", *UTILS, {"get_hostip": "8954af49b8f4"},
        "deeprc_sockets:host", "the address at which this machine's sockets are reached is that of the first interface",
        "RADICAL_DEFAULT_IFACE, which is used; it cannot say another address of an interface than its first",
        "DEEPRC_TOWARDS",
    ),
    Patch(
        "radical.pilot.proxy", *PILOT,
        {"Proxy._register": "a6352e6029bd", "Proxy._worker": "b3bcecee16ce"},
        "deeprc_parts:proxy", "the end of the proxy's process is not noticed, and the run waits for ever", NONE,
    ),
    Patch(
        "radical.pilot.agent.agent_0", *PILOT,
        {"Agent_0.command_port": "acced0be0d52", "Agent_0._prepare_env": "6c7bd5482d1c",
         "Agent_0.initialize": "f39a425a84ca",
         "radical.pilot.utils.component:BaseComponent.rpc": "f547c83472e7"},
        "deeprc_parts:agent",
        "a port takes commands in plain text, from whomever; a start waits for an environment that no task has, and for"
        " ever where the request for it is published before anybody has subscribed", NONE,
    ),
    Patch(
        "radical.pilot.agent.executing.base", *PILOT,
        {"AgentExecutingComponent.advance_tasks": "f104551d73f7"},
        "deeprc_parts:executing", "a task's cores are told at its end only; a worker's are the cores of its jobs", NONE,
    ),
    Patch(
        "radical.pilot.utils.component_manager", *PILOT,
        {"ComponentManager.__init__": "213240bd9876",
         "ComponentManager._wait_startup": "938ab7c12607",
         "ComponentManager.start_bridges": "3765520d8261",
         "ComponentManager.start_components": "d5a43835d9d3",
         "ComponentManager.close": "513fffe92044"},
        "deeprc_parts:component_manager",
        "each of its parts imports it anew, most of the time of a start; the end of one is not noticed", NONE,
    ),
    Patch(
        "radical.pilot.agent.launch_method.base", *PILOT,
        {"LaunchMethod.create": "d4797ca9477e",
         "LaunchMethod.can_launch": "89c47f3cf98d",
         "LaunchMethod.get_launch_cmds": "8ebac39fbc8c",
         "LaunchMethod.cancel_task": "dc6d56cb314a"},
        "deeprc_placing:launch_method", "tasks bring their launch lines, those that `deeprc plan` prints",
        "launch methods in the resource configuration: these take no options of the user's (`--mpi=`, `--network=`)",
    ),
    Patch(
        "radical.pilot.agent.scheduler.base", *PILOT,
        {"AgentSchedulingComponent._schedule_waitpool": "a9de8bc5068d",
         "radical.utils.algorithms:lazy_bisect": "965812f5de4c"},
        "deeprc_placing:scheduling",
        "waiting tasks for which there is room are passed over; those of many nodes wait for ever behind smaller ones",
        NONE,
    ),
    Patch(
        "radical.pilot.agent.scheduler.continuous", *PILOT,
        {"Continuous._find_resources": "73805874a4b3",
         "Continuous.schedule_task": "c6a6fe79cdd4"},
        "deeprc_placing:placement", "ranks lie unevenly, and where there is no memory left; launchers lay out blocks",
        "`ranks_per_node` of a task: a bound, no block",
    ),
    Patch(
        "radical.pilot.agent.resource_manager.pbspro", *PILOT,
        {"PBSPro.init_from_scratch": "acafc4f1e496",
         "PBSPro._parse_pbspro_vnodes": "8ea98b691b10"},
        "deeprc_placing:pbs_nodes", "`qstat` counts hardware threads on some machines; the site file knows the cores",
        "`cores_per_node` of the resource configuration: `qstat` goes before it",
    ),
    Patch(
        "radical.pilot.agent.resource_manager.lsf", *PILOT,
        {"LSF.init_from_scratch": "09c11a1d9c30"},
        "deeprc_placing:lsf_nodes",
        "hosts are left out by their names, and counted by lines; the site file knows", NONE,
    ),
    Patch(
        "psij.executors.batch.batch_scheduler_executor", "psij-python", ("0.9.11",),
        {"BatchSchedulerExecutor.submit": "07fc06ada543"},
        "deeprc_submit:submission", "a site's options reach the command that submits, and its refusal the user",
        "`custom_attributes` of a job: RADICAL-Pilot passes none on; they say no option without a value (`--exclusive`)"
        ", none twice (`-l` of PBS), and none before PSI/J's own",
        "DEEPRC_SUBMIT",
    ),
    Patch(
        "zmq", "pyzmq", ("27.3.0",),
        {"zmq.sugar.socket:Socket.bind": "self, addr", "zmq.sugar.socket:Socket.connect": "self, addr"},
        "deeprc_sockets:sockets", "some 60 sockets believe whoever calls, and listen on every interface",
        "none of RADICAL-Pilot's; keys that libzmq takes are set socket by socket", "DEEPRC_TOWARDS",
    ),
)  # fmt: skip


def wanted(patch, environment):
    """Whether a process with this environment is to be changed so."""
    return patch.variable is None or bool(environment.get(patch.variable))


def folder(patch):
    """The folder that the row's packages are installed in, whichever of them it names."""
    name = FOLDERS[patch.package]
    spec = importlib.util.find_spec(name)  # of RADICAL's, that imports nothing
    return os.path.normpath(os.path.join(spec.submodule_search_locations[0], *[".."] * len(name.split("."))))


def problem(patch, root):
    """Why the row does not fit what is installed below `root`, as one sentence; None if it does."""
    for part, known in patch.parts.items():
        module, _, attribute = part.rpartition(":")
        module = module or patch.module
        text = source(os.path.join(root, *module.split(".")), attribute)
        if text is None or known != (digest(text) if re.fullmatch(r"[0-9a-f]{12}", known) else arguments(text)):
            try:
                there = version(patch.package)
            except PackageNotFoundError:
                there = "of an unknown version"
            what = "is another one" if text else "is not there"
            return (
                f"{patch.package} {there} does not fit: {attribute} of {module}, which Deep RC changes or relies on,"
                f" {what} than in {', '.join(patch.tested)}"
            )
    return None


def source(path, attribute):
    """The text of a function or a method in the module at `path`, without its file being imported; None without it."""
    for file in (f"{path}.py", os.path.join(path, "__init__.py")):
        if os.path.isfile(file):
            with open(file, encoding="utf-8") as opened:
                lines = opened.read().split("\n")
            break
    else:
        return None
    for name in attribute.split("."):
        begin = next((n for n, line in enumerate(lines) if re.match(rf"\s*(async )?(def|class) {name}\b", line)), None)
        if begin is None:
            return None
        lines = lines[begin:]
        own = indent(lines[0])
        code = (n for n, line in enumerate(lines) if n and line.strip() and line.lstrip()[0] not in "#)")
        lines = lines[: next((n for n in code if indent(lines[n]) <= own), len(lines))]
        lines = [lines[0].lstrip(), *lines[1:]]
    while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):  # what leads to the next one
        lines.pop()
    return "\n".join(line.rstrip() for line in lines)


def indent(line):
    """Spaces before a line."""
    return len(line) - len(line.lstrip())


def digest(text):
    """The first digits of its sha256."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def arguments(text):
    """The names of a function's arguments, of a text that begins with its `def`, on one line."""
    inside = text.partition("(")[2].partition(")")[0]
    return ", ".join(word.partition(":")[0].partition("=")[0].strip() for word in inside.split(","))
