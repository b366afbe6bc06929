# SPDX-License-Identifier: Apache-2.0
"""A reader that does not read, and a sender that sends as much as goes."""
import hashlib
import selectors
import socket
import sys
import threading

from client_hello import hello, read_hello
from sockets import PATIENCE, connect, listen, part_of, say


def swallow_slowly(address, port):
    """An upstream that reads the hello and nothing more, until it is told to go on by a line on standard input."""
    listener = listen(address, port)
    go_on = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), go_on.set()), daemon=True).start()

    def swallow(connection):
        connection.settimeout(PATIENCE)  # which makes it O_NONBLOCK, as the bypass wants it
        read_hello(connection)
        say(stalled=True)
        go_on.wait()
        received, digest = 0, hashlib.sha256()
        while True:
            data = connection.recv(1 << 20)
            if not data:
                break
            received += len(data)
            digest.update(data)
        connection.close()
        say(received=received, sha256=digest.hexdigest())

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=swallow, args=(connection,), daemon=True).start()


def pour(address, port, name, size):
    """Sends as much as goes, and says every time it is stopped."""
    connection = connect(address, port)
    connection.sendall(hello(name))
    connection.settimeout(None)
    connection.setblocking(False)
    waiting = selectors.DefaultSelector()
    waiting.register(connection, selectors.EVENT_WRITE)
    sent, digest, stopped = 0, hashlib.sha256(), False
    while sent < int(size):
        if not waiting.select(2.0):
            if not stopped:
                say(stopped_at=sent)
            stopped = True
            continue
        part = part_of(3, sent, min(int(size) - sent, 65536))
        try:
            done = connection.send(part)
        except BlockingIOError:
            continue
        digest.update(part[:done])
        sent += done
    connection.shutdown(socket.SHUT_WR)
    say(sent=sent, sha256=digest.hexdigest())
