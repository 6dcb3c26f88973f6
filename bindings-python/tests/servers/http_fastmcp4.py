"""A guarded `fastmcp` server behind HTTP: `stateful` or `stateless`."""

import sys

import callgate.fastmcp
import http_tokens
from fastmcp import FastMCP
from fastmcp.server.auth.providers.jwt import StaticTokenVerifier

server: FastMCP = FastMCP("tokens", auth=StaticTokenVerifier(http_tokens.TOKENS))
for tool in (http_tokens.search, http_tokens.admin, http_tokens.secret):
    server.tool(tool)
server.add_middleware(callgate.fastmcp.Guard(http_tokens.engine()))
http_tokens.serve(server.http_app(stateless_http=sys.argv[1] == "stateless"))
