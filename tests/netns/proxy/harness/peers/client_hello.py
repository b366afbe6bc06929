# SPDX-License-Identifier: Apache-2.0
"""ClientHello (RFC 8446 section 4.1.2)."""
import struct

from sockets import BLOCK, read_exactly


def vector(size, data):
    return len(data).to_bytes(size, "big") + data


def extension(number, data):
    return struct.pack("!H", number) + vector(2, data)


def hello(name, number=0, key_share=32, record=16384, with_name=True):
    """A ClientHello in records of so many bytes; a hybrid post-quantum key share has 1216."""
    extensions = b""
    if with_name:
        extensions += extension(0, vector(2, b"\0" + vector(2, name.encode())))
    extensions += extension(10, vector(2, struct.pack("!HH", 0x001D, 0x11EC)))
    extensions += extension(13, vector(2, struct.pack("!HH", 0x0403, 0x0804)))
    extensions += extension(43, vector(1, struct.pack("!HH", 0x0304, 0x0303)))
    extensions += extension(51, vector(2, struct.pack("!H", 0x11EC) + vector(2, BLOCK[:key_share])))
    body = struct.pack("!H", 0x0303) + struct.pack("!Q", number) + BLOCK[:24] + vector(1, BLOCK[:32])
    body += vector(2, struct.pack("!HH", 0x1301, 0xC02F)) + vector(1, b"\0") + vector(2, extensions)
    message = b"\x01" + vector(3, body)
    parts = [message[at : at + record] for at in range(0, len(message), record)]
    return b"".join(b"\x16\x03\x01" + vector(2, part) for part in parts)


def read_hello(connection, before=b""):
    """Its bytes as they came, and the number."""
    raw, message = before, b""
    while len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4], "big"):
        header = read_exactly(connection, 5)
        record = read_exactly(connection, int.from_bytes(header[3:], "big"))
        raw, message = raw + header + record, message + record
    return raw, struct.unpack_from("!Q", message, 6)[0]
