# SPDX-License-Identifier: Apache-2.0
"""SOCKS5 (RFC 1928, 1929)."""
import socket
import threading

from sockets import connect, listen, read_exactly, say


def relay(a, b):
    def one_way(source, target):
        try:
            while True:
                data = source.recv(1 << 16)
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data)
        except OSError:
            pass

    threads = [threading.Thread(target=one_way, args=pair, daemon=True) for pair in ((a, b), (b, a))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    a.close()
    b.close()


def socks_one(connection, credentials, target, refusal):
    try:
        _, count = read_exactly(connection, 2)
        methods = read_exactly(connection, count)
        wanted = 2 if credentials else 0
        if wanted not in methods:
            say(methods=methods.hex(), refused="method")
            connection.sendall(b"\x05\xff")
            connection.close()
            return
        connection.sendall(bytes([5, wanted]))
        given = ""
        if wanted == 2:
            read_exactly(connection, 1)
            user = read_exactly(connection, read_exactly(connection, 1)[0]).decode()
            password = read_exactly(connection, read_exactly(connection, 1)[0]).decode()
            given = f"{user}:{password}"
            connection.sendall(bytes([1, 0 if given == credentials else 1]))
            if given != credentials:
                say(credentials=given, refused="credentials")
                connection.close()
                return
        _, command, _, kind = read_exactly(connection, 4)
        if kind == 3:
            host = read_exactly(connection, read_exactly(connection, 1)[0]).decode()
        else:
            host = socket.inet_ntop(*((socket.AF_INET, read_exactly(connection, 4)) if kind == 1 else
                                      (socket.AF_INET6, read_exactly(connection, 16))))
        port = int.from_bytes(read_exactly(connection, 2), "big")
        say(command=command, kind=kind, host=host, port=port, credentials=given)
        connection.sendall(bytes([5, refusal, 0, 1, 0, 0, 0, 0, 0, 0]))
        if refusal:
            connection.close()
            return
        relay(connection, connect(*target))
    except (OSError, EOFError) as error:
        say(socks_error=str(error))


def socks(address, port, target_address, target_port, credentials="", refusal="0"):
    """Leads everybody to one target, whatever is asked for."""
    listener = listen(address, port)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=socks_one, daemon=True,
                         args=(connection, credentials, (target_address, int(target_port)), int(refusal))).start()
