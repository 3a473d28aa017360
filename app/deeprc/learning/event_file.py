"""TensorBoard's event files: what `tensorboard --logdir` reads.

The images of neither framework hold a writer (TensorFlow 2.21 needs the package tensorboard, torch's as well), and all
that a curve needs of the format is a few bytes: records with a checksum (TFRecord) of messages of three fields.
Sources: TensorFlow's lib/io/record_writer.cc, util/event.proto, framework/summary.proto (below tensorflow/core).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

VERSION = b"brain.Event:2"
MASK = 0xA282EAD8


class EventFile:
    """An event file that is begun anew; whatever is there under its name is replaced.

    Parameters
    ----------
    time
        Seconds since 1970, by which TensorBoard orders the files of a folder.
    """

    def __init__(self, folder: Path, time: float, host: str) -> None:
        self.path = folder / f"events.out.tfevents.{int(time):010d}.{host}"
        self._file = self.path.open("wb", buffering=0)
        self._write(_real(1, time) + _text(3, VERSION))

    def add(self, step: int, time: float, values: Mapping[str, float]) -> None:
        """Write the values of a step, and hand them to the operating system."""
        summary = b"".join(_text(1, _text(1, tag.encode()) + _single(2, value)) for tag, value in values.items())
        self._write(_real(1, time) + _whole(2, step) + _text(5, summary))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, message: bytes) -> None:
        length = struct.pack("<Q", len(message))
        self._file.write(length + _checksum(length) + message + _checksum(message))


# Fields of Protocol Buffers: their number and kind (0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes).


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _whole(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _real(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _single(field: int, value: float) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def _text(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ 0x82F63B78 if byte & 1 else byte >> 1
        table.append(byte)
    return table


TABLE = _table()


def _checksum(data: bytes) -> bytes:
    """CRC-32C, masked as TFRecord wants it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + MASK) & 0xFFFFFFFF)
