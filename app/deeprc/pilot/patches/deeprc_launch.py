"""Tasks that bring their own launch line: RADICAL-Pilot chooses their nodes and watches them, and adds nothing.

The client has written the line into a script (`deeprc.pilot.launch_scripts`); what only a placed task has, its hosts,
comes from here, in files beside it. RADICAL-Pilot's own script around every rank is left out, and so is its quoting.
"""

import os
import shlex
import signal
import time
from pathlib import Path

KEY = "deeprc"  # in a task's metadata: {"script": path of the launch script, "slots": such ranks that a node holds}
PATIENCE = 5.0  # seconds that a launcher may take to end its ranks
PRESSED = (
    65.0  # seconds that a task of several ranks may be the oldest; the client's own are less (`pilot/patience.py`)
)


def of(task):
    """What a task brings; None where it is RADICAL-Pilot's own affair."""
    return (task["description"].get("metadata") or {}).get(KEY)


def ours(method):
    """A launch method that leaves tasks with a line of their own as they are."""
    can_launch, commands, cancel = method.can_launch, method.get_launch_cmds, method.cancel_task

    def own_can_launch(task):
        return (True, "") if of(task) else can_launch(task)

    def own_commands(task, exec_path):
        own = of(task)
        if not own:
            return commands(task, exec_path)
        place(task["slots"], own["slots"], Path(own["script"]).parent)
        return f"/bin/bash {shlex.quote(own['script'])}"

    def own_cancel(task, pid):
        if not of(task):
            return cancel(task, pid)
        # A launcher that is killed leaves its ranks on other nodes behind: it gets the time to end them.
        for number, seconds in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, 0)):
            try:
                os.killpg(pid, number)
                deadline = time.monotonic() + seconds
                while time.monotonic() < deadline:
                    time.sleep(0.05)
                    _reap(task)
                    os.killpg(pid, 0)
            except OSError:
                return None
        return None

    method.can_launch, method.get_launch_cmds, method.cancel_task = own_can_launch, own_commands, own_cancel
    return method


def _reap(task):
    """Take note of the shell's end: a zombie would count as a member of its group for ever."""
    if task.get("proc") is not None:
        task["proc"].poll()


def place(slots, each, folder):
    """Write where a task's ranks are: `hosts`, and `devices` where they have accelerators (`peers`: and after them
    those of the node's other ranks), each a line for each rank; and `placement.sh`, the variables that its launch
    script reads. A node holds `each` such ranks.
    """
    hosts = [slot["node_name"] for slot in slots]
    numbers = [slot["node_index"] for slot in slots]
    write(folder, "hosts", hosts)
    if any(slot["gpus"] for slot in slots):
        own = [[str(gpu["index"]) for gpu in slot["gpus"]] for slot in slots]
        write(folder, "devices", [",".join(mine) for mine in own])
        write(folder, "peers", [",".join(mine + peers(own, numbers, rank)) for rank, mine in enumerate(own)])
    values = {
        "DEEPRC_HOSTS": ",".join(dict.fromkeys(name for _, name in sorted(zip(numbers, hosts, strict=True)))),
        "DEEPRC_HOSTFILE": str(folder / "hosts"),
        "DEEPRC_OFFSET": str(offset(slots, each)),
        "DEEPRC_BINDING": binding(slots),
    }
    write(folder, "placement.sh", [f"{name}={shlex.quote(value)}" for name, value in values.items()])


def peers(own, nodes, rank):
    """The accelerators of the other ranks on a rank's node."""
    return [gpu for other, mine in enumerate(own) if other != rank and nodes[other] == nodes[rank] for gpu in mine]


def offset(slots, each):
    """The first rank's number among those of the whole allocation, if all its nodes were full of ranks like these."""
    first = min(slots, key=lambda slot: (slot["node_index"], slot["cores"][0]["index"]))
    alone = len({slot["node_index"] for slot in slots}) == 1  # several nodes are filled from their first core on
    return first["node_index"] * each + (first["cores"][0]["index"] // len(first["cores"]) if alone else 0)


def binding(slots):
    """The cores of each of a node's ranks; PALS takes one list for all nodes, so none where they differ."""
    nodes = {}
    for slot in slots:
        cores = ",".join(str(core["index"]) for core in slot["cores"])
        nodes.setdefault(slot["node_index"], []).append(cores)
    fullest = max(nodes.values(), key=len)
    same = all(cores == fullest[: len(cores)] for cores in nodes.values())
    return f"list:{':'.join(fullest)}" if same else "none"


def write(folder, name, lines):
    """Write a file of lines."""
    (folder / name).write_text("".join(f"{line}\n" for line in lines))


def whole_blocks(find):
    """`_find_resources` of the scheduler, with a node taken for all the ranks that it is to have, or for none.

    Launchers lay out ranks evenly. RADICAL-Pilot would take what is free here and there, three ranks and one. And it
    takes memory off a node without a look at whether there is any left. A worker has its node: the client has counted.
    """

    def find_whole(self, *arguments, **options):
        node, wanted = options["node"], getattr(self, "_deeprc_node", None)
        avoided = node["index"] in getattr(self, "_deeprc_avoid", ())
        if avoided or wanted not in (None, node["index"]) or options["n_slots"] * options["mem_per_slot"] > node["mem"]:
            return None
        options["partial"] = False
        return find(self, *arguments, **options)

    return find_whole


def contiguous(schedule):
    """`schedule_task` of the scheduler; where ranks must lie on neighbours (`scattered` is off), it begins at the first
    node, as it would go on from the last node to the first. While nodes are kept for a task (see `in_turn`), none that
    has just come takes them.
    """

    def schedule_neighbours(self, task):
        waits = getattr(self, "_deeprc_waits", None)
        if waits and several(task) and self._active_cnt and any(waits in pool for pool in self._waitpool.values()):
            return None, None
        own = task["description"].get("metadata") or {}
        self._deeprc_node, self._deeprc_avoid = own.get("node"), own.get("avoid") or ()
        if not self._scattered:
            self._node_offset = 0
        return schedule(self, task)

    return schedule_neighbours


def several(task):
    """Whether it has several ranks; a worker has one, and a node that the client has chosen."""
    return task["description"]["ranks"] > 1


def in_turn(tasks, check, on_skip=None, **_):
    """`radical.utils.lazy_bisect`, by which the scheduler goes through waiting tasks: those that fit, in their order.

    The bisection takes for granted that a larger task fits nowhere where a smaller one does not, by cores and
    accelerators alone: with memory and nodes it passes tasks over for which there is room. Here only what asks for just
    the same as one that did not fit is passed over. On several nodes the largest of several ranks go first, so that the
    nodes of one that has ended go to another like it; but no other begins before one that has been the oldest for long.
    """
    scheduler, good, bad, failed, full = check.__self__, [], [], [], set()
    scheduler._deeprc_waits, pressed = None, None
    if len(scheduler.nodes) > 1:
        pressed = oldest_for_long(scheduler, tasks)
        tasks = sorted(tasks, key=lambda task: (several(task), task is not pressed, -size(task) * several(task)))
    for task in tasks:
        asked, own = task["description"], task["description"].get("metadata") or {}
        names = ("ranks", "ranks_per_node", "cores_per_rank", "gpus_per_rank", "mem_per_rank")
        kind = (*(asked[name] for name in names), own.get("node"), *(own.get("avoid") or ()))
        if kind in full or (scheduler._deeprc_waits and several(task)):
            bad.append(task)
            continue
        try:
            fits = check(task)
        except Exception as error:
            failed.append([task, str(error)])
            continue
        (good if fits else bad).append(task)
        if not fits:
            full.add(kind)
            if task is pressed:
                scheduler._deeprc_waits = task["uid"]
    return good, bad, failed


def size(task):
    """The cores that it takes."""
    return task["description"]["ranks"] * task["description"]["cores_per_rank"]


def oldest_for_long(scheduler, tasks):
    """The oldest task of several ranks, by the order in which the client has handed them over, if it is late."""
    found = [task for task in tasks if several(task)]
    oldest = min(found, key=lambda task: (task["description"].get("metadata") or {}).get("turn") or 0, default=None)
    if oldest is None:
        return None
    if getattr(scheduler, "_deeprc_oldest", (None,))[0] != oldest["uid"]:
        scheduler._deeprc_oldest = oldest["uid"], time.monotonic()
    return oldest if time.monotonic() - scheduler._deeprc_oldest[1] > PRESSED else None
