"""What the gateway starts as its server: it passes lines between standard input and output and the socket of a test, until either ends."""

import socket
import sys
import threading

there = socket.socket(socket.AF_UNIX)
there.connect(sys.argv[1])


def to_server() -> None:
    for line in sys.stdin.buffer:
        there.sendall(line)
    there.shutdown(socket.SHUT_WR)


threading.Thread(target=to_server, daemon=True).start()
while data := there.recv(1 << 16):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
