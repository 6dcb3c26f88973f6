"""The program that a client starts for a scenario over stdio: it hands its input and output to a server that is warm.

    scenario_stdio.py SOCKET NUMBER

`scenario_server.py` listens there, and serves job NUMBER in a process of its own on these very pipes. So the SDK is imported once for all jobs.
"""

import array
import socket
import sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    server.sendmsg([sys.argv[2].encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
    # Until the server's process ends.
    server.recv(1)
