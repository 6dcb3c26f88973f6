"""fastmcp's proxy with callgate's guard, over stdio: `fastmcp_proxy.py POLICY COMMAND…`."""

import asyncio
import sys

import callgate
import callgate.fastmcp
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from fastmcp.server import create_proxy


async def main(policy: str, command: str, *arguments: str) -> None:
    async with Client(StdioTransport(command, list(arguments))) as client:
        proxy = create_proxy(client)
        proxy.add_middleware(callgate.fastmcp.Guard(callgate.Engine.from_file(policy)))
        await proxy.run_async("stdio", show_banner=False)


asyncio.run(main(*sys.argv[1:]))
