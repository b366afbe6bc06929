# SPDX-License-Identifier: Apache-2.0
"""Connections that are planned by their number: how many bytes each side sends, with which pauses, who ends first and how.

The client puts the number into the random field of its ClientHello, so the upstream, which gets these bytes unchanged, has
the same plan. Both sides say what they saw, a line of JSON each: what arrived is compared with what the plan says was
sent, byte by byte.
"""
import errno
import hashlib
import random
import socket
import struct
import threading
import time

from client_hello import hello, read_hello
from sockets import PATIENCE, connect, listen, part_of, read_exactly, say

KINDS = ("both", "client_first", "upstream_first", "client_aborts", "upstream_aborts")


class Plan:
    def __init__(self, number, most=1 << 20):
        chance = random.Random(number)
        self.kind = chance.choices(KINDS, (5, 2, 2, 1, 1))[0]
        self.up, self.down = (
            0 if chance.random() < 0.1 else int(2 ** chance.uniform(0, most.bit_length() - 1)) for _ in range(2)
        )
        self.chance = chance.random()


class Stream:
    """One side of a planned connection."""

    def __init__(self, connection, number, sends, gets, seed_out, seed_in, ending):
        self.connection, self.sends, self.gets = connection, sends, gets
        self.seed_out, self.seed_in = seed_out, seed_in
        self.ending = ending  # "both", "first": sends at once, "second": when the other has ended, "abort"
        self.sent = self.received = 0
        self.matches, self.end, self.reset = True, "", False
        self.chance = random.Random(number * 2 + seed_out)

    def send(self):
        limit = self.sends if self.ending != "abort" else int(self.sends * self.chance.random())
        while self.sent < limit:
            size = min(limit - self.sent, int(2 ** self.chance.uniform(0, 17)))
            part = part_of(self.seed_out, self.sent, size)
            self.connection.sendall(part)
            self.sent += len(part)
            if self.chance.random() < 0.1:
                time.sleep(self.chance.random() * 0.02)
        if self.ending == "abort":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_WR)

    def receive(self):
        while True:
            data = self.connection.recv(1 << 16)
            if not data:
                self.end = "eof"
                return
            at = 0
            while at < len(data):
                expected = part_of(self.seed_in, self.received, len(data) - at)
                if data[at : at + len(expected)] != expected:
                    self.matches = False
                at += len(expected)
                self.received += len(expected)

    def guarded(self, work):
        """The kernel tells one caller of a reset; whatever the other sees, that is how it ended."""
        try:
            work()
        except (ConnectionResetError, BrokenPipeError):
            self.reset = True
        except TimeoutError:
            self.end = "stuck"
        except OSError as error:
            if error.errno == errno.ENOTCONN:
                self.reset = True
            elif not (self.ending == "abort" and error.errno == errno.EBADF):  # closed here
                self.end = str(error)

    def run(self):
        if self.ending == "second":
            self.guarded(self.receive)
            if self.end == "eof":
                self.guarded(self.send)
        else:
            receiver = threading.Thread(target=self.guarded, args=(self.receive,), daemon=True)
            if self.ending != "abort":
                receiver.start()
            self.guarded(self.send)
            if self.ending != "abort":
                receiver.join()
        self.connection.close()


ENDINGS = {
    "both": ("both", "both"),
    "client_first": ("first", "second"),
    "upstream_first": ("second", "first"),
    "client_aborts": ("abort", "both"),
    "upstream_aborts": ("both", "abort"),
}


def report(side, number, plan, stream, **more):
    say(side=side, number=number, kind=plan.kind, up=plan.up, down=plan.down, sent=stream.sent,
        received=stream.received, matches=stream.matches, end="reset" if stream.reset else stream.end, **more)


def answer(connection, before_hello=""):
    """The upstream's side of a planned connection."""
    connection.settimeout(PATIENCE)
    header = b""
    try:
        if before_hello == "v1":
            while not header.endswith(b"\r\n"):
                header += read_exactly(connection, 1)
        elif before_hello == "v2":
            header = read_exactly(connection, 16)
            header += read_exactly(connection, int.from_bytes(header[14:], "big"))
        raw, number = read_hello(connection)
    except (EOFError, OSError) as error:
        say(side="upstream", number=0, end=f"no hello: {error!r}")
        connection.close()
        return
    plan = Plan(number)
    stream = Stream(connection, number, plan.down, plan.up, 2, 1, ENDINGS[plan.kind][1])
    stream.run()
    report("upstream", number, plan, stream, hello=hashlib.sha256(raw).hexdigest(), header=header.hex())


def upstream(address, port, before_hello=""):
    listener = listen(address, port)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection, before_hello), daemon=True).start()


def one(address, port, name, number):
    plan = Plan(number)
    first = hello(name, number, key_share=1216 if number % 2 else 32)
    try:
        connection = connect(address, port)
        connection.sendall(first)
    except OSError as error:
        say(side="client", number=number, kind=plan.kind, end=f"no connection: {error}")
        return
    stream = Stream(connection, number, plan.up, plan.down, 1, 2, ENDINGS[plan.kind][0])
    stream.run()
    report("client", number, plan, stream, hello=hashlib.sha256(first).hexdigest())


def clients(address, port, name, first, count, at_once):
    """Planned connections with the numbers from `first` on."""
    numbers = iter(range(int(first), int(first) + int(count)))
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            one(address, port, name, number)

    threads = [threading.Thread(target=work) for _ in range(int(at_once))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(done=int(count))
