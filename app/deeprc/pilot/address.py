"""The address at which the nodes of a batch system reach this machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

CHOICE = "DEEPRC_ADDRESS"  # a user who knows better names it here
LOOPBACK = "127.0.0.1"


def own_address(environment: Mapping[str, str] = os.environ) -> str:
    """The address in DEEPRC_ADDRESS; else what this machine's name stands for, which is what nodes know it by; else,
    where that is loopback, the address that it has towards other networks.
    """
    if environment.get(CHOICE):
        return environment[CHOICE]
    try:
        named = socket.gethostbyname(socket.gethostname())
    except OSError:
        named = LOOPBACK
    if not named.startswith("127."):
        return named
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # of a network that does not exist; nothing is sent
            return probe.getsockname()[0]
        except OSError:
            return LOOPBACK
