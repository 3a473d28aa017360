"""Where workers call: whoever knows the key gets in, and whoever does not holds nobody up.

One thread hears all callers, as far as their proof; none of them gets a thread of its own before that. Who is silent
or slow is hung up on after PATIENCE seconds, or when others need the place. On this machine, other users' processes
are not answered at all.
"""

from __future__ import annotations

import contextlib
import hmac
import resource
import secrets
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deeprc.pilot.worker.line import NONCE, PROOF, Line
from deeprc.pilot.worker.local import listen, ours

KEY = "key"  # the name of the file that workers prove themselves by
PATIENCE = 5.0  # seconds that a caller gets to prove itself
STRANGERS = 256  # of whom nothing is known yet, at most


@dataclass
class Stranger:
    """A caller who has proved nothing yet: what we have said, and what it has."""

    nonce: bytes
    deadline: float
    said: bytearray = field(default_factory=bytearray)


class Gate:
    """Listens for workers.

    Parameters
    ----------
    folder
        Private: holds the key, and the socket where all workers are on this machine.
    host
        Address of this machine, as the workers' nodes see it; None where all are on this machine.

    Attributes
    ----------
    address
        Where workers call, see `worker/calling.py`.
    keyfile
        Of the key with which they prove themselves. Only its path is told.
    """

    def __init__(self, folder: Path, host: str | None) -> None:
        self._key, self.keyfile = secrets.token_bytes(32), folder / KEY
        self.keyfile.touch(mode=0o600, exist_ok=False)
        self.keyfile.write_bytes(self._key)
        self._local, self._open = host is None, True
        if self._local:
            self._listener, self.address = listen(folder)
        else:
            self._listener = socket.create_server((host, 0), backlog=128)
            self.address = f"{host}:{self._listener.getsockname()[1]}"
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._strangers: dict[socket.socket, Stranger] = {}  # in the order that they called

    def workers(self) -> Iterator[Line]:
        """The line to each worker that calls, until `close`."""
        while self._open:
            for key, _ in self._selector.select(self._pause()):
                if key.fileobj is self._listener:
                    self._answer()
                elif key.fileobj in self._strangers and (line := self._hear(key.fileobj)):
                    yield line
            while self._pause() == 0.0:
                self._forget_the_oldest()
        for peer in [*self._strangers]:
            self._hang_up(peer)
        self._selector.close()
        self._listener.close()

    def close(self) -> None:
        """Let nobody in any more."""
        self._open = False
        with contextlib.suppress(OSError):  # wakes the thread that waits for callers
            self._listener.shutdown(socket.SHUT_RDWR)

    def _pause(self) -> float | None:
        """Seconds until the oldest stranger is late."""
        for stranger in self._strangers.values():
            return max(0.0, stranger.deadline - time.monotonic())
        return None

    def _answer(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except BlockingIOError:  # has hung up again
            return
        except OSError:  # too many files are open, or this is the end
            self._forget_the_oldest() if self._strangers else time.sleep(0.1)
            return
        if self._local and not ours(peer):
            peer.close()
            return
        peer.setblocking(False)
        stranger = Stranger(secrets.token_bytes(NONCE), time.monotonic() + PATIENCE)
        self._strangers[peer] = stranger
        self._selector.register(peer, selectors.EVENT_READ)
        if len(self._strangers) > _limit():
            self._forget_the_oldest()
        with contextlib.suppress(OSError):  # which reading notices, too
            peer.send(stranger.nonce)  # the first thing that is sent there: it has the room

    def _hear(self, peer: socket.socket) -> Line | None:
        """What a stranger says; the line to it, if that is the proof."""
        stranger = self._strangers[peer]
        try:
            more = peer.recv(NONCE + PROOF - len(stranger.said))
        except BlockingIOError:
            return None
        except OSError:
            more = b""
        stranger.said += more
        if more and len(stranger.said) < NONCE + PROOF:
            return None
        theirs, proof = bytes(stranger.said[:NONCE]), bytes(stranger.said[NONCE:])
        line = Line(peer, self._key, stranger.nonce + theirs, worker=False)
        if not more or not hmac.compare_digest(proof, line.expected):
            self._hang_up(peer)
            return None
        self._selector.unregister(peer)
        del self._strangers[peer]
        peer.setblocking(True)
        try:
            peer.sendall(line.proof)
        except OSError:
            return None
        return line

    def _forget_the_oldest(self) -> None:
        self._hang_up(next(iter(self._strangers)))

    def _hang_up(self, peer: socket.socket) -> None:
        del self._strangers[peer]
        self._selector.unregister(peer)
        peer.close()


def _limit() -> int:
    """How many strangers leave this process files enough for its own work."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(STRANGERS, files // 4) if files > 0 else STRANGERS
