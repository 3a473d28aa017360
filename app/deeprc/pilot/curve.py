"""The keys that close a pilot's ZeroMQ sockets to everybody else (CURVE, https://rfc.zeromq.org/spec/26/).

RADICAL-Pilot's processes talk through some 60 TCP sockets, and believe whoever calls: on a login node that is every
user, on a cluster's network every node. So each pilot has a key pair of its own. Its processes find it by the variable
VARIABLE, and `patches/sitecustomize.py` gives it to every socket: one that binds has the secret key, one that connects
the public key and a pair made on the spot.

libzmq lets in whoever knows the public key of the one that binds. CURVE never sends that key in clear: it is the secret
that the pilot's processes share. Both stand in one file, which only its owner may read, for a batch job on the shared
file system; it goes away with the pilot, also where the pilot's other files are kept.
"""

from __future__ import annotations

import os
from pathlib import Path

import zmq

from deeprc.core.errors import ConfigError

VARIABLE = "DEEPRC_CURVE"  # holds the file's path
NAME = "curve"  # of the file, in the pilot's folder
LEAST = (4, 3, 3)  # with older ones, what strangers send may crash or fill the process (CVE-2019-13132, CVE-2020-15166)


def check() -> None:
    """Raise a ConfigError where the libzmq of this environment cannot close its sockets."""
    version, has = zmq.zmq_version_info(), zmq.has("curve")
    if version < LEAST or not has:
        raise ConfigError(
            "the pilot's sockets would be open to everybody on this machine and its network",
            where="pyzmq",
            found=f"libzmq {'.'.join(map(str, version))} {'with' if has else 'without'} CURVE",
            expected=f"libzmq {'.'.join(map(str, LEAST))} or later with CURVE",
            fix="install pyzmq's own wheel, which brings one: pip install --force-reinstall --only-binary pyzmq pyzmq",
        )


def write(folder: Path) -> Path:
    """Make a pilot's key pair; the path of its file: a line each for the public and the secret key, in Z85."""
    path = folder / NAME
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(b"\n".join(zmq.curve_keypair()) + b"\n")
    return path
