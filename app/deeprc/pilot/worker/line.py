"""The line between a worker and its client: messages over a socket, between two who know the same key.

Each side proves that it knows the key before the other reads any message: the client says a nonce, the worker answers
with one of its own and its proof, the client gives its own proof. Each message then carries a code over its number and
text: on a network, nobody can add, change, repeat or leave out one (HMAC-SHA256 with keys of this line and direction).
What is said can be read on the way: job scripts' paths and what their environment has beside the user's, no file.
"""

from __future__ import annotations

import hmac
import json
import socket
import struct

NONCE = PROOF = 32  # bytes
HEAD = struct.Struct("!I32s")  # of a message: how many bytes its text has, and its code


class Line:
    """One side of the line, once both have said their nonce.

    Attributes
    ----------
    proof, expected
        That this side knows the key, and that the other does.
    """

    def __init__(self, peer: socket.socket, key: bytes, nonces: bytes, *, worker: bool) -> None:
        self._peer, self._numbers = peer, [0, 0]
        sides = (b"worker", b"client") if worker else (b"client", b"worker")
        self.proof, self.expected = (hmac.digest(key, b"proof of " + side + nonces, "sha256") for side in sides)
        self._keys = [hmac.digest(key, b"messages of " + side + nonces, "sha256") for side in sides]

    def fileno(self) -> int:
        """For selectors."""
        return self._peer.fileno()

    def send(self, message: dict) -> None:
        """Send a message; one at a time."""
        text = json.dumps(message).encode()
        self._peer.sendall(HEAD.pack(len(text), self._code(0, text)) + text)

    def receive(self) -> dict:
        """Wait for the next message. Raises EOFError at the end, and where one is not the other side's."""
        size, code = HEAD.unpack(read(self._peer, HEAD.size))
        text = read(self._peer, size)
        if not hmac.compare_digest(code, self._code(1, text)):
            raise EOFError("a message of somebody else's")
        return json.loads(text)

    def close(self) -> None:
        """Hang up."""
        self._peer.close()

    def _code(self, direction: int, text: bytes) -> bytes:
        self._numbers[direction] += 1
        return hmac.digest(self._keys[direction], struct.pack("!Q", self._numbers[direction]) + text, "sha256")


def read(peer: socket.socket, size: int) -> bytes:
    """Exactly so many bytes. Raises EOFError where the other side says less."""
    data = bytearray()
    while len(data) < size:
        more = peer.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return bytes(data)
