"""How a worker calls its client."""

from __future__ import annotations

import hmac
import random
import secrets
import socket
import time

from line import NONCE, PROOF, Line, read
from local import connect

TRIES = 20  # where very many call at once, any may be cut off


def call(address: str, key: bytes) -> Line:
    """The line to the client at `host:port`, or at the address of a local socket, once each side has proved itself.

    Raises
    ------
    OSError
        Where nobody is there, or none who knows the key.
    """
    for attempt in range(TRIES):
        peer = connect(address) if address[0] in "/@" else socket.create_connection(address.rsplit(":", 1))
        try:
            theirs, own = read(peer, NONCE), secrets.token_bytes(NONCE)
            line = Line(peer, key, theirs + own, worker=True)
            peer.sendall(own + line.proof)
            if not hmac.compare_digest(read(peer, PROOF), line.expected):
                raise PermissionError("who listens there does not know the key")
            return line
        except (EOFError, ConnectionError):
            peer.close()
            time.sleep(random.uniform(0, 0.05 * attempt))
    raise ConnectionError("it hangs up")
