"""The sockets of RADICAL-Pilot's processes: closed to everybody else, and on one interface only."""

import os
import socket


def own_address():
    """The address of this machine that the client's machine sees; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((os.environ["DEEPRC_TOWARDS"], 9))
        return probe.getsockname()[0]


def host(module):
    """Make `radical.utils.host` take that address for this machine's. Its own setting is the name of an interface, and
    stands only for the interface's first address.
    """
    address = own_address()
    for name in module.netifaces.interfaces():
        own = module.netifaces.ifaddresses(name).get(module.netifaces.AF_INET)
        if own and own[0].get("addr") == address:
            os.environ["RADICAL_DEFAULT_IFACE"] = name
            return
    module.get_hostip = lambda req=None, log=None: address


def sockets(module):
    """Give every `zmq` socket its keys, and bind those that are meant for every interface to that one."""
    bind, connect, address = module.Socket.bind, module.Socket.connect, own_address()
    with open(os.environ["DEEPRC_CURVE"], "rb") as file:  # noqa: PTH123  fails without keys: no zmq is better than an open one
        public, secret = file.read().split()

    def closed_bind(self, wanted):
        self.curve_server, self.curve_secretkey = True, secret
        return bind(self, wanted.replace("tcp://*:", f"tcp://{address}:"))

    def closed_connect(self, wanted):
        self.curve_publickey, self.curve_secretkey = module.curve_keypair()
        self.curve_serverkey = public
        return connect(self, wanted)

    module.Socket.bind, module.Socket.connect = closed_bind, closed_connect
