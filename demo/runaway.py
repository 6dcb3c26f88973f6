"""A client in a loop, in front of a real server behind `callgate proxy`: `runaway.py FOLDER COMMAND…`.

In: a folder, and the command that starts the proxy with its server. Out: a line for each kind of answer; exit status 1 if the proxy let
through what its policy denies. Needs nothing but Python's own library.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

folder, command = Path(sys.argv[1]), sys.argv[2:]


class Client:
    def __init__(self) -> None:
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        self.ids = 0

    def send(self, message: dict[str, Any]) -> None:
        assert self.server.stdin is not None
        print(json.dumps({"jsonrpc": "2.0", **message}), file=self.server.stdin, flush=True)

    def ask(self, method: str, **params: Any) -> Any:
        assert self.server.stdout is not None
        self.ids += 1
        self.send({"id": self.ids, "method": method, "params": params})
        for line in self.server.stdout:
            message = json.loads(line)
            if message.get("id") == self.ids and "method" not in message:
                return message["result"]
            if "id" in message:  # The server asks something; this client can do nothing.
                self.send({"id": message["id"], "error": {"code": -32601, "message": "no such method"}})
        sys.exit("the server is gone")

    def call(self, tool: str, **arguments: str) -> tuple[str, str]:
        result = self.ask("tools/call", name=tool, arguments=arguments)
        answer = result["content"][0]["text"].splitlines()[0].replace(f"{folder}/", "")
        return tool, f"{'refused' if result.get('isError') else 'ran':8} {answer}"


client = Client()
client.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "runaway", "version": "1"})
client.send({"method": "notifications/initialized"})
tools = [tool["name"] for tool in client.ask("tools/list")["tools"]]
print(f"   the client sees {len(tools)} tools; move_file is {'one of them' if 'move_file' in tools else 'none of them'}")

answers = [client.call("list_directory", path=str(folder)), client.call("read_text_file", path=str(folder / ".env"))]
answers += [client.call("write_file", path=str(folder / "note.txt"), content=f"note {n}\n") for n in range(500)]
answers += [client.call("move_file", source=str(folder / ".env"), destination=str(folder / "env.txt"))]
answers += [client.call("create_directory", path=str(folder / "more"))]
assert client.server.stdin is not None
client.server.stdin.close()
client.server.wait()

# Seconds pass while it loops.
for (tool, answer), times in groupby(answers, lambda one: (one[0], one[1].split(" Try again")[0])):
    print(f"{len(list(times)):7} x {tool:18} {answer}")
written = (folder / "note.txt").read_text()
if written != "note 19\n" or (folder / "env.txt").exists() or (folder / "more").exists():
    sys.exit(f"the policy was not kept: {written!r}")
