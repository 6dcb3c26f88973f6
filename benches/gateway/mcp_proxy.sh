#!/usr/bin/env bash
# mcp-proxy on both sides of a connection: it speaks stdio on one side alone, so a client and a server over stdio need two of them.
#
#   mcp_proxy.sh MCP-PROXY COMMAND...
set -euo pipefail
program=$1
shift
port=$((20000 + RANDOM % 20000))
"$program" --port "$port" -- "$@" < /dev/null > /dev/null &
other=$!
trap 'kill "$other"' EXIT
until (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do sleep 0.02; done
"$program" --transport streamablehttp "http://127.0.0.1:$port/mcp"
