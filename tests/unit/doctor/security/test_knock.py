"""What ports answer to a stranger, asked of real ones; and that a run loses nothing by it."""

import contextlib
import socket
import threading
import time

import pytest
import zmq

from deeprc.doctor.security.knock import knock
from deeprc.pilot.gate import Gate


@contextlib.contextmanager
def bound(kind=zmq.PULL, **options):
    """A ZeroMQ socket and its port."""
    with zmq.Context() as context, context.socket(kind) as server:
        server.linger = 0
        for name, value in options.items():
            setattr(server, name, value)
        yield server, server.bind_to_random_port("tcp://127.0.0.1")


@pytest.mark.parametrize("kind", [zmq.PULL, zmq.PUSH, zmq.ROUTER, zmq.REP, zmq.XPUB, zmq.XSUB])
@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({}, "open"),
        ({"routing_id": b"a name makes another signature"}, "open"),
        ({"curve_server": True, "curve_secretkey": zmq.curve_keypair()[1]}, "curve"),
        ({"plain_server": True}, "plain"),
    ],
    ids=["null", "named", "curve", "plain"],
)
def test_the_mechanism_of_a_zeromq_socket(kind, options, answer):
    with bound(kind, **options) as (_, port):
        assert knock("127.0.0.1", port) == answer


def test_no_message_is_lost_by_it():
    with bound(zmq.PUSH) as (server, port):
        assert knock("127.0.0.1", port) == "open"
        with server.context.socket(zmq.PULL) as reader:
            reader.connect(f"tcp://127.0.0.1:{port}")
            for number in range(10):
                server.send(bytes([number]))
            assert [reader.recv() for _ in range(10)] == [bytes([number]) for number in range(10)]


@pytest.mark.parametrize(
    ("says", "answer"),
    [
        (None, "nothing"),
        (b"", "nothing"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "unknown"),
        (b"\xff" + bytes(8) + b"\x7f", "unknown"),
    ],
    ids=["silent", "hangs up", "another protocol", "ends in the greeting"],
)
def test_other_ports(says, answer):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    line, _ = server.accept()
                    if says is None:
                        time.sleep(1)
                    line.sendall(says or b"")
                    line.close()

        threading.Thread(target=serve, daemon=True).start()
        assert knock("127.0.0.1", server.getsockname()[1], patience=0.2) == answer
        server.shutdown(socket.SHUT_RDWR)


def test_where_workers_call_over_a_network(tmp_path):
    gate = Gate(tmp_path, "127.0.0.1")
    thread = threading.Thread(target=lambda: [*gate.workers()])
    thread.start()
    host, _, port = gate.address.partition(":")
    assert knock(host, int(port)) == "key"
    gate.close()
    thread.join(10)


def test_a_port_that_nobody_listens_on_any_more():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert knock("127.0.0.1", port) == "unreachable"
