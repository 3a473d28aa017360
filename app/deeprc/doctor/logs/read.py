"""The lines in which UCX, libfabric, NCCL, Intel MPI and Open MPI tell what they use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Scope = Literal["node", "network", "any"]
# What makes the libraries tell. Each reads its own; those of libraries that are not there do no harm.
LOGGING = {
    "UCX_LOG_LEVEL": "info",
    "FI_LOG_LEVEL": "info",
    "FI_LOG_PROV": "core",
    "FI_LOG_SUBSYS": "core,fabric",
    "NCCL_DEBUG": "INFO",
    "NCCL_DEBUG_SUBSYS": "INIT,NET,GRAPH",
    "I_MPI_DEBUG": "4",
    "OMPI_MCA_pml_base_verbose": "10",
    "OMPI_MCA_btl_base_verbose": "10",
}
CHANNEL = "via NET/"  # in a line of NCCL's: not what it chose, but what ranks do talk through
FAMILIES = (  # the first that a name holds; names are made of several: `shm+cxi:linkx`, `tcp;ofi_rxm`
    ("cxi", "cxi"),
    ("efa", "efa"),
    ("srd", "efa"),
    ("psm", "psm2"),
    ("opx", "psm2"),
    ("verbs", "mlx5"),
    ("mlx", "mlx5"),
    ("rc_", "mlx5"),
    ("dc_", "mlx5"),
    ("ud_", "mlx5"),
    ("ib", "mlx5"),
    ("tcp", "tcp"),
    ("sockets", "tcp"),
    ("socket", "tcp"),
    ("udp", "tcp"),
    ("shm", "shm"),
    ("sm2", "shm"),
    ("posix", "shm"),
    ("sysv", "shm"),
    ("cma", "shm"),
    ("knem", "shm"),
    ("xpmem", "shm"),
    ("vader", "shm"),
)


@dataclass(frozen=True)
class Use:
    """What a library said it uses.

    Attributes
    ----------
    provider
        As site files call it; `name` is the library's own word.
    scope
        `node`: between ranks of a node; `network`: between nodes; `any`: the library does not tell which.
    """

    library: str
    name: str
    provider: str
    scope: Scope
    line: str


def provider_of(name: str) -> str | None:
    """The site files' word for a library's; None for what is no way between ranks (`self`, copies to a GPU)."""
    lower = name.lower()
    if lower == "sm":  # Open MPI's shared memory; part of too many words to be looked for in them
        return "shm"
    return next((provider for part, provider in FAMILIES if part in lower), None)


def uses(log: str) -> list[Use]:
    """All that a log tells, each once: what a line names together stays together, since others may name less."""
    found: dict[tuple, list[Use]] = {}
    for line in log.splitlines():
        for parser in PARSERS:
            told = [(library, name, scope) for library, name, scope in parser(line) if provider_of(name)]
            made = [Use(library, name, provider_of(name) or "", scope, line.strip()) for library, name, scope in told]
            found.setdefault((*dict.fromkeys(told), CHANNEL in line), list(dict.fromkeys(made)))
    return [use for uses_of_line in found.values() for use in uses_of_line]


def _ucx(line: str) -> Iterator[tuple[str, str, Scope]]:
    """`ucp_context_0 inter-node cfg#2 tag(rc_mlx5/mlx5_0:1)`; before UCX 1.13 `ep_cfg[2]: tag(…)`."""
    match = re.search(r"UCX\s+INFO\s.*?(?:(self|intra-node|inter-node) cfg#\d+|ep_cfg\[\d+\]:) (.+)", line)
    if not match or match.group(1) == "self":
        return
    scope: Scope = {"intra-node": "node", "inter-node": "network"}.get(match.group(1), "any")
    for name in re.findall(r"(\w+)/[\w:.-]+", match.group(2)):
        yield "UCX", name, scope


def _libfabric(line: str) -> Iterator[tuple[str, str, Scope]]:
    """`core:core:fi_fabric_():1595<info> Using cxi provider 2.5, path:…`: what a program opened, not what was there.

    Older releases print the fabric alone, which is called as the provider is on fast networks.
    """
    opened = r"libfabric:.*<info> (?:Using (\S+) provider|Opened fabric: (cxi|efa|psm2|opx))"
    if match := re.search(opened, line, re.I):
        yield "libfabric", (match.group(1) or match.group(2)).lower(), "any"


def _nccl(line: str) -> Iterator[tuple[str, str, Scope]]:
    """NCCL and RCCL: the network that was chosen, and the channels."""
    if "NCCL INFO" not in line:
        return
    for chosen in (
        r"NET/OFI Selected provider is ([^,\s(]+)",
        r"NET/(IB|Socket) : Using ",
        r"Using network (IB|Socket)",
    ):
        if match := re.search(chosen, line, re.I):
            yield "NCCL", match.group(1), "network"
    if match := re.search(r"via (NET/(?:IB|Socket)|SHM)", line):
        yield "NCCL", match.group(1).removeprefix("NET/"), "node" if match.group(1) == "SHM" else "network"


def _intel(line: str) -> Iterator[tuple[str, str, Scope]]:
    if match := re.search(r"MPI startup\(\): libfabric provider: (\S+)", line):
        yield "Intel MPI", match.group(1), "any"


def _openmpi(line: str) -> Iterator[tuple[str, str, Scope]]:
    """Open MPI without UCX and libfabric: its own transports (BTL), of which `sm` and `vader` stay within the node."""
    if match := re.search(r"select: init of component (\w+) returned success", line):
        name = match.group(1)
        if name in ("sm", "vader"):
            yield "Open MPI", name, "node"
        elif name in ("tcp", "openib", "usnic"):
            yield "Open MPI", "ib" if name == "openib" else name, "network"


PARSERS: tuple[Callable[[str], Iterator[tuple[str, str, Scope]]], ...] = (_ucx, _libfabric, _nccl, _intel, _openmpi)
