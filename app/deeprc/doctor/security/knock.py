"""What a TCP port answers to a stranger, who begins as ZeroMQ does and has no key.

The run notices nothing: a ZeroMQ socket names its mechanism to whoever speaks its version, and takes a caller in after
much more than that; so no message goes to the caller instead of the run's own processes.
Source: ZMTP 3.1 (https://rfc.zeromq.org/spec/37/).
"""

from __future__ import annotations

import socket
from typing import Literal

# curve, key: none but who holds a key gets further; open, plain: whoever comes does.
Answer = Literal["curve", "key", "open", "plain", "unknown", "nothing", "unreachable"]

SIGNATURE = b"\xff" + bytes(7) + b"\x01\x7f"  # of ZeroMQ, which both sides say first; a length is in it
VERSION = b"\x03\x00"
NAMED = 22  # bytes of version and mechanism, which follow
NONCE = 32  # bytes that the workers' listener says first (`pilot/gate.py`)
PROOF = 64  # bytes that it then waits for, and hangs up on if they do not prove that the caller has the key
PATIENCE = 5.0  # seconds: a busy machine is no reason for an alarm
ANSWERS: dict[bytes, Answer] = {b"NULL": "open", b"CURVE": "curve", b"PLAIN": "plain"}


def knock(address: str, port: int, patience: float = PATIENCE) -> Answer:
    """What a port answers within `patience` seconds."""
    try:
        with socket.create_connection((address, port), patience) as line:
            line.settimeout(patience)
            said = _hear(line, len(SIGNATURE))
            if said[:7] + said[9:] != SIGNATURE[:7] + SIGNATURE[9:]:
                return _prove(line, said) if said else "nothing"
            line.sendall(SIGNATURE + VERSION)  # no mechanism: libzmq hangs up on another than its own, and names none
            return ANSWERS.get(_hear(line, NAMED)[2:].rstrip(b"\0"), "unknown")
    except OSError:
        return "unreachable"


def _prove(line: socket.socket, said: bytes) -> Answer:
    """The answer to a wrong proof, which is sent here."""
    if len(said + _hear(line, NONCE - len(said))) < NONCE:
        return "unknown"
    line.sendall(bytes(PROOF))
    try:
        return "unknown" if line.recv(1) else "key"
    except TimeoutError:
        return "unknown"
    except OSError:
        return "key"


def _hear(line: socket.socket, size: int) -> bytes:
    """The next `size` bytes; less where no more come."""
    said = b""
    try:
        while len(said) < size and (more := line.recv(size - len(said))):
            said += more
    except OSError:
        pass
    return said
