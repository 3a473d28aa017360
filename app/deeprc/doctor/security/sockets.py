"""What a running pilot listens on, and who may call there: each port of its own is tried by a stranger's greeting."""

from __future__ import annotations

import ipaddress
import os
import stat
from collections import defaultdict
from pathlib import Path

import zmq

from deeprc.core.errors import ConfigError
from deeprc.core.ownership import fault, user
from deeprc.doctor.result import CheckResult, Status
from deeprc.doctor.security.knock import Answer, knock
from deeprc.doctor.security.listening import RunningPilot, Socket, listening
from deeprc.doctor.security.place import Place
from deeprc.pilot import curve

SAFE = {
    "curve": "closed to whoever has not the key of this run (CURVE)",
    "key": "closed to whoever has not the key of this run (HMAC-SHA256)",
}
EXPOSED = {
    "open": "answers everybody who calls (ZeroMQ, mechanism NULL); expected CURVE",
    "plain": "asks for a password in clear (ZeroMQ, mechanism PLAIN); expected CURVE",
    "unknown": "answers, in no way that Deep RC knows; expected CURVE",
}
END = "end this run: whoever reaches the port may be able to speak for you; see docs/security.md, What listens"
SILENT = "does not answer, which is neither well nor proof of a hole; expected CURVE"
GONE = (
    "look again; its Snakemake is not on this machine: end that, or, where it was killed, start a run here, which does"
)
PLUGIN = "if a plugin of Snakemake's opened it, see to it there who may call"
OWN = "it is a job's own or its launcher's, which has to see to it who may call; it was not tried"


def libzmq() -> list[CheckResult]:
    """Whether ZeroMQ's library can keep strangers out, tried on a socket of our own."""
    try:
        curve.check()
    except ConfigError as error:
        return [CheckResult("libzmq", "CURVE", "failed", f"{error.found}; expected {error.expected}", error.fix)]
    found = f"libzmq {zmq.zmq_version()} (pyzmq {zmq.__version__})"
    with zmq.Context() as context, context.socket(zmq.PULL) as server:
        _, server.curve_secretkey = zmq.curve_keypair()
        server.curve_server = True
        answer = knock("127.0.0.1", server.bind_to_random_port("tcp://127.0.0.1"))
    if answer != "curve":
        text = f"{found}: a socket with CURVE {EXPOSED.get(answer, 'cannot be reached')}"
        return [
            CheckResult("libzmq", "CURVE", "failed", text, "install pyzmq's own wheel, which brings another libzmq")
        ]
    return [CheckResult("libzmq", "CURVE", "ok", f"{found} has CURVE, and hangs up on callers without a key")]


def sockets(place: Place) -> list[CheckResult]:
    """All that the pilots of the private folder listen on."""
    found = [outcome for pilot in place.pilots for outcome in _sockets(pilot)]
    if not place.pilots:
        found.append(CheckResult("sockets", "pilots", "not run", f"no pilot of {place.folder} runs on this machine"))
    if others := sorted({str(_home(pilot)) for pilot in place.elsewhere}):
        text = f"{len(others)} more of yours run here, and were left alone: {', '.join(others)}"
        found.append(CheckResult("sockets", "other pilots", "not run", text, "look at one with --folder"))
    return found


def _home(pilot: RunningPilot) -> Path:
    """The private folder that a pilot's is in."""
    return pilot.folder.parents[2] if pilot.folder.parent.parent.name == "runs" else pilot.folder


def _sockets(pilot: RunningPilot) -> list[CheckResult]:
    """Those of one pilot, a row for all of a process's that are alike; the figures of the first row have each."""
    alike, rows = defaultdict(list), []
    client = next((pid for pid, owner in pilot.processes.items() if owner == "Snakemake"), None)
    for socket in listening(pilot):
        status, text, fix, answer = judge(socket, client)
        alike[status != "failed", socket.owner, socket.kind, status, text, fix].append(socket)
        told = {"socket": socket.address, "process": socket.owner, "program": socket.program, "pid": socket.pid}
        rows.append(told | {"answer": answer})
    found = [
        CheckResult("sockets", owner, status, f"{places(members)}: {text}", fix)
        for (_, owner, _, status, text, fix), members in sorted(alike.items(), key=lambda item: item[0][:2])
    ]
    if not found:
        return [CheckResult("sockets", pilot.folder.name, "ok", "its processes listen on nothing")]
    found[0].figures.extend(rows)
    return found


def judge(socket: Socket, client: int | None) -> tuple[Status, str, str | None, Answer | None]:
    """Who may call: whether that is well, in words, what to do, and what a port answered; `client` is the run's own
    process.
    """
    if socket.owner == "job":
        return "warning", f"opened by {socket.program}, process {socket.pid}{_reach(socket)}", OWN, None
    if socket.kind == "tcp":
        answer = knock(*socket.port)
        if answer == "unreachable":
            return "not run", "does not answer any more", None, answer
        if answer in SAFE:
            return "ok", f"{SAFE[answer]}{_reach(socket)}", None, answer
        if answer == "nothing":
            fix = f"look again; if it stays so, the run may hang: `kill {client}` ends it" if client else GONE
            return "warning", f"process {socket.pid} {SILENT}{_reach(socket)}", fix, answer
        fix = f"{PLUGIN}; else {END}" if socket.owner == "Snakemake" else END
        return "failed", f"{EXPOSED[answer]}{_reach(socket)}", fix, answer
    me = user(os.geteuid())
    if socket.kind == "abstract":
        if socket.address.startswith("@deeprc-"):
            return "ok", f"closed to everybody but {me} (SO_PEERCRED); all users see its name", None, None
        return "failed", "every user can call it; expected a socket in a folder of yours alone", END, None
    if why := exposed(Path(socket.address)):
        return "failed", f"{why}; expected a socket that its owner alone can call", END, None
    return "ok", f"closed to everybody but {me} (modes of socket and folder)", None, None


def exposed(path: Path) -> str | None:
    """Why others could call a Unix socket; None where they cannot."""
    try:
        modes = [stat.S_IMODE(each.lstat().st_mode) for each in (path, path.parent)]
    except OSError as error:
        return f"it cannot be looked at ({error.strerror})"
    if all(mode & 0o077 for mode in modes):
        return "its mode is {:04o}, its folder's {:04o}".format(*modes)
    why = fault(path.parent)
    return why and f"its folder is {why}"


def _reach(socket: Socket) -> str:
    address = ipaddress.ip_address(socket.port[0].partition("%")[0]) if socket.kind == "tcp" else None
    if address is None or address.is_loopback:
        return ""
    return "; on every network of this machine" if address.is_unspecified else "; other machines can reach it"


def places(members: list[Socket]) -> str:
    """Where they are, in short."""
    if members[0].kind != "tcp":
        paths = sorted(Path(socket.address) for socket in members)  # whole in the figures: they are long
        return ", ".join(f"…/{path.parent.name}/{path.name}" if path.is_absolute() else str(path) for path in paths)
    hosts = defaultdict(list)
    for socket in members:
        address, port = socket.port
        hosts[address].append(port)
    return ", ".join(_ports(address, sorted(ports)) for address, ports in sorted(hosts.items()))


def _ports(address: str, ports: list[int]) -> str:
    if len(ports) == 1:
        return f"{address}:{ports[0]}"
    return f"{len(ports)} ports of {address}, between {ports[0]} and {ports[-1]}"
