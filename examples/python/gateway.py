"""A policy in front of any MCP server, unmodified, over stdio: a pipe of messages, and one line.

    pip install callgate "mcp>=1.30,<3"
    python gateway.py policy.yaml -- mcp-server-time --local-timezone UTC

Only tool calls are decided, and hidden tools left out of `tools/list`; everything else passes as it came, either way. The
server gets the gateway's environment.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import anyio
import callgate
import callgate.mcp
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.server.stdio import stdio_server


async def pipe(source: Any, sink: Any) -> None:
    """Passes messages on until the source ends."""
    async for message in source:
        if isinstance(message, Exception):
            print(f"gateway: no message, not passed on: {message}", file=sys.stderr)
        else:
            await sink.send(message)


async def serve(engine: callgate.Engine, command: str, arguments: list[str]) -> None:
    """Runs until the client or the server goes."""
    server = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
    async with (
        stdio_client(server) as (from_server, to_server),
        stdio_server() as (read, write),
        callgate.mcp.guard_streams(read, write, engine) as (from_client, to_client),
        anyio.create_task_group() as pipes,
    ):

        async def back() -> None:
            await pipe(from_server, to_client)
            # The server is gone. What it said last is given time to be written; then this ends here, because the thread
            # that reads stdin would wait for the client.
            await anyio.sleep(1)
            os._exit(1)

        pipes.start_soon(back)
        try:
            await pipe(from_client, to_server)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            await anyio.sleep_forever()  # the server is gone, as the other pipe finds out
        pipes.cancel_scope.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("policy", help="the policy file; later versions come into force by themselves")
    parser.add_argument("command", help="the server to put the policy in front of")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    options = parser.parse_args()
    engine = callgate.Engine.from_file(options.policy, watch=True)
    anyio.run(serve, engine, options.command, options.arguments)


if __name__ == "__main__":
    main()
