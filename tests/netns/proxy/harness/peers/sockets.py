# SPDX-License-Identifier: Apache-2.0
"""Sockets, what is sent over them, and lines of JSON to who started us."""
import json
import os
import random
import socket
import sys

PATIENCE = 90.0  # seconds without a byte after which a connection is called stuck
BLOCK = random.Random(7).randbytes(1 << 20)


def say(**members):
    sys.stdout.write(json.dumps(members) + "\n")
    sys.stdout.flush()


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def connect(address, port):
    connection = socket.socket(family_of(address))
    connection.settimeout(PATIENCE)
    connection.connect((address, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def listen(address, port):
    listener = socket.socket(family_of(address))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, int(port)))
    listener.listen(1024)
    say(listening=os.getpid())
    return listener


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError(f"{len(data)} of {size} bytes")
        data += part
    return data


def read_line(connection):
    line = b""
    while not line.endswith(b"\n"):
        part = connection.recv(1)
        if not part:
            break
        line += part
    return line


def part_of(seed, at, size):
    start = (seed * 7919 + at) % len(BLOCK)
    return BLOCK[start : start + size]
