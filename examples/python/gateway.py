"""A policy in front of any MCP server, unmodified, over stdio: a proxy made of the official SDK (2.x), and one line.

    pip install callgate "mcp>=2.3,<3"
    python gateway.py policy.yaml -- mcp-server-time --local-timezone UTC

Whatever the server offers of tools, prompts and resources passes through as it came; only tool calls are decided.
"""

from __future__ import annotations

import argparse
from typing import Any

import anyio
import callgate
import callgate.mcp
import mcp_types as types
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server


def proxy(upstream: Client) -> Server[Any]:
    """A server that hands every request on."""
    session = upstream.session

    async def list_tools(_: Any, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return await session.list_tools(params=params)

    async def call_tool(
        _: Any, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        return await session.call_tool(params.name, params.arguments, allow_input_required=True)

    async def list_prompts(_: Any, params: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        return await session.list_prompts(params=params)

    async def get_prompt(
        _: Any, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult | types.InputRequiredResult:
        return await session.get_prompt(params.name, params.arguments, allow_input_required=True)

    async def list_resources(_: Any, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        return await session.list_resources(params=params)

    async def read_resource(
        _: Any, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult | types.InputRequiredResult:
        return await session.read_resource(params.uri, allow_input_required=True)

    offers = upstream.server_capabilities
    return Server(
        "gateway",
        instructions=upstream.instructions,
        on_list_tools=list_tools if offers.tools else None,
        on_call_tool=call_tool if offers.tools else None,
        on_list_prompts=list_prompts if offers.prompts else None,
        on_get_prompt=get_prompt if offers.prompts else None,
        on_list_resources=list_resources if offers.resources else None,
        on_read_resource=read_resource if offers.resources else None,
    )


async def serve(engine: callgate.Engine, command: str, arguments: list[str]) -> None:
    """Runs until the client goes."""
    async with Client(StdioServerParameters(command=command, args=arguments)) as upstream:
        server = callgate.mcp.guard(proxy(upstream), engine)
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())


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
