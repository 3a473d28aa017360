"""RADICAL-Pilot's message channels: they sleep while there is nothing to do, live through what cannot be read, and end
their process where they cannot go on.

As released, a queue answers a request for work at once, also when there is none, so that every reader asks again a
hundred times a second: together the idle pilot takes 0.8 of a core, and on a laptop that is the user's. Here a request
waits until there is something to answer.
"""

import threading
from collections import defaultdict, deque

from deeprc_watch import vital

LONG = 1000  # ms until a waiting bridge looks whether it is to end


def drop(bridge, error):
    """Count a message that cannot be read; the log mentions the first one, and then each doubling of their number."""
    bridge.dropped = getattr(bridge, "dropped", 0) + 1
    if bridge.dropped & (bridge.dropped - 1) == 0:
        bridge._log.error("messages dropped that cannot be read: %d (%r)", bridge.dropped, error)


def queue(module):
    """Hold requests in `radical.utils.zmq.queue` until there are messages."""
    zmq, pack, unpack = module.zmq, module.to_msgpack, module.from_msgpack

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
                frames = socket.recv_multipart()
                try:
                    if socket is self._put:
                        name, bulk = map(unpack, frames)
                        messages[module.as_string(name)].extend([*bulk])
                    else:
                        reader, _, name = frames
                        readers[module.as_string(name) or "default"].append(reader)
                except Exception as error:
                    drop(self, error)
            for name, waiting in readers.items():
                while waiting and messages[name]:
                    bulk = messages[name][: self._bulk_size]
                    del messages[name][: self._bulk_size]
                    self._get.send_multipart([waiting.popleft(), b"", pack(name), pack(bulk)])

    module.Queue._bridge_initialize, module.Queue._bridge_work = initialize, vital(work)


def pubsub(module):
    """Let the bridges of `radical.utils.zmq.pubsub` sleep until something arrives that their readers understand."""

    def work(self):
        while not self._term.is_set():
            for socket, _ in self._poll.poll(LONG):
                frames = socket.recv_multipart()
                try:
                    (message,) = frames
                    if socket is self._xpub:  # what publishers send; the other one has subscriptions
                        _topic, content = message.split(b" ", 1)
                        module.from_msgpack(content)
                except Exception as error:
                    drop(self, error)
                else:
                    (self._xsub if socket is self._xpub else self._xpub).send(message)

    module.PubSub._bridge_work = vital(work)


def server(module):
    """Registries and the proxy (`radical.utils.zmq.server`): without one of them nothing goes on."""
    module.Server._work = vital(module.Server._work)
