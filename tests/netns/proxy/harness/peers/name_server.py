# SPDX-License-Identifier: Apache-2.0
"""A DNS server."""
import os
import socket
import struct

from sockets import family_of, say


def dns(address, port, *records):
    """Answers with NAME=ADDRESS records, NXDOMAIN otherwise; TTL 60."""
    known = {}
    for record in records:
        name, _, value = record.partition("=")
        known.setdefault(name, []).append(value)
    server = socket.socket(family_of(address), socket.SOCK_DGRAM)
    server.bind((address, int(port)))
    say(listening=os.getpid())
    while True:
        query, client = server.recvfrom(4096)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        name, kind = ".".join(labels), int.from_bytes(query[at + 1 : at + 3], "big")
        question = query[12 : at + 5]
        answers = b""
        count = 0
        for value in known.get(name, []):
            if (kind == 28) != (":" in value) or kind not in (1, 28):
                continue
            data = socket.inet_pton(family_of(value), value)
            answers += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data
            count += 1
        code = 0x8180 if name in known else 0x8183
        say(asked=name, kind=kind, answers=count)
        server.sendto(query[:2] + struct.pack("!HHHHH", code, 1, count, 0, 0) + question + answers, client)
