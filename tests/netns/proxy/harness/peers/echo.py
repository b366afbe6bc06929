# SPDX-License-Identifier: Apache-2.0
"""Echo: what is sent after the hello comes back, in capitals."""
import os
import sys
import threading
import time

from client_hello import hello, read_hello
from sockets import connect, listen, read_line, say


def echo_one(connection):
    with connection:
        try:
            connection.settimeout(600)
            raw, _ = read_hello(connection)
            connection.sendall(b"hello %d\n" % len(raw))
            while True:
                data = connection.recv(1 << 16)
                if not data:
                    return
                connection.sendall(data.upper())
        except (EOFError, OSError):
            pass


def echo(address, port):
    listener = listen(address, port)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=echo_one, args=(connection,), daemon=True).start()


def open_echo(address, port, name, **options):
    """Returns a connection whose upstream has answered."""
    connection = connect(address, port)
    first = hello(name, **options)
    connection.sendall(first)
    answer = read_line(connection)
    if answer != b"hello %d\n" % len(first):
        raise OSError(f"answer {answer!r}")
    return connection


def ask(connection, word):
    connection.sendall(word.encode() + b"\n")
    return read_line(connection).decode().strip()


def hold(address, port, name, count, pause="0.05"):
    """Connections that talk now and then, until standard input ends. Says how many answers came and what failed."""
    connections = [open_echo(address, port, name) for _ in range(int(count))]
    say(open=len(connections))
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    asked, failures = 0, []
    while connections:
        last = ended.is_set()
        for connection in connections:
            try:
                if ask(connection, f"word{asked}") != f"WORD{asked}":
                    failures.append("wrong answer")
            except OSError as error:
                failures.append(str(error))
            asked += 1
        if last:
            break
        time.sleep(float(pause))
    say(asked=asked, failures=failures)


def idle(address, port, name, count):
    """As many connections, each established through to the upstream, that say nothing until standard input ends; then
    each is asked once."""
    connections = [open_echo(address, port, name) for _ in range(int(count))]
    say(open=len(connections))
    sys.stdin.read()
    say(alive=sum(ask(connection, "still") == "STILL" for connection in connections))


def knock(address, port, name):
    """Connects, asks once and closes, all the time until standard input ends."""
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    count, failures = 0, []
    say(knocking=os.getpid())
    while not ended.is_set():
        try:
            with open_echo(address, port, name) as connection:
                if ask(connection, "x") != "X":
                    failures.append("wrong answer")
        except OSError as error:
            failures.append(repr(error))
        count += 1
    say(knocked=count, failures=failures)
