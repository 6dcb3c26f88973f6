"""A server over standard input and output, whose tools are what tests need of one.

In: messages. Out: answers; every line that came, in the file `--seen`. Must not need anything but the standard library.
"""

import argparse
import json
import os
import signal
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--seen", required=True)
parser.add_argument("--list", help="the result of tools/list, as JSON")
parser.add_argument("--banner", help="a line that is no message, before anything else")
parser.add_argument("--last", help="a message with which it ends at once")
parser.add_argument("--code", type=int, default=0, help="its exit code at the end of its input")
parser.add_argument("--late", action="store_true", help="answers nothing until its input has ended")
parser.add_argument("--says", help="a text for its standard error")
parser.add_argument("--times", type=int, default=1, help="how often it says it")
options = parser.parse_args()

out = sys.stdout.buffer
seen = os.open(options.seen, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
# Requests that wait: for the tool `go`, for the client's answer, for the end of the input.
held, asked, late = [], {}, []


def write(message):
    out.write(json.dumps(message).encode() + b"\n")
    out.flush()


def answer(id, result):
    write({"jsonrpc": "2.0", "id": id, "result": result})


def text(text, **more):
    return {"content": [{"type": "text", "text": text}], **more}


def listed():
    if options.list:
        return json.loads(options.list)
    names = ["echo", "pay", "fail", "hold", "go", "ask", "exit", "long", "flood", "shut", "deaf", "rounds"]
    properties = {"amount": {"type": "number"}}
    return {"tools": [{"name": name, "inputSchema": {"type": "object", "properties": properties}} for name in names]}


def call(id, params):
    name, args = params["name"], params.get("arguments") or {}
    if name == "fail":
        answer(id, text(args["says"], isError=True)) if "says" in args else write(
            {"jsonrpc": "2.0", "id": id, "error": {"code": -32001, "message": args["error"]}}
        )
    elif name == "hold":
        held.append(id)
    elif name == "go":
        for one in [*held, id]:
            answer(one, text("gone"))
        held.clear()
    elif name == "ask":
        asked["s-1"] = id
        write({"jsonrpc": "2.0", "id": "s-1", "method": "sampling/createMessage", "params": {}})
    elif name == "exit":
        if args.get("answers"):
            answer(id, text("last"))
        os.kill(os.getpid(), args["signal"]) if "signal" in args else os._exit(args["code"])
    elif name == "long":
        # A line that is too long: the answer to this call, as its end or its beginning tells.
        count = args["mebibytes"]
        out.write(b'{"jsonrpc":"2.0","id":%d,"result":{"text":"' % id)
        for _ in range(count):
            out.write(b"a" * (1 << 20))
        out.write(b'"}}\n')
        out.flush()
    elif name == "flood":
        line = json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "a" * args["size"]}})
        for _ in range(args["count"]):
            out.write(line.encode() + b"\n")
        answer(id, text("flooded"))
    elif name == "shut":
        os.close(1)
        while sys.stdin.buffer.readline():
            pass
        time.sleep(3600)
    elif name == "deaf":
        answer(id, text("deaf"))
        while not os.path.exists(args["until"]):
            out.write(b'{"jsonrpc":"2.0","method":"notifications/tick"}\n')
            out.flush()
            time.sleep(0.01)
    elif name == "rounds" and "requestState" not in params:
        answer(id, {"resultType": "input_required", "requestState": "é/state", "inputRequests": args.get("inputs", {})})
    else:
        answer(id, text(json.dumps(args)))


LISTS = {
    "resources/list": {"resources": [{"uri": "file:///notes", "name": "n"}, {"uri": "secret:///keys", "name": "k"}]},
    "resources/templates/list": {"resourceTemplates": [{"uriTemplate": "file:///{path}", "name": "files"}]},
    "prompts/list": {"prompts": [{"name": "review"}, {"name": "deploy"}]},
}


def handle(message):
    method, id = message.get("method"), message.get("id")
    if method == "initialize":
        info = {"name": "tests", "version": "1"}
        answer(id, {"protocolVersion": "2025-11-25", "capabilities": {"tools": {"listChanged": True}}, "serverInfo": info})
    elif method == "tools/list":
        answer(id, listed())
    elif method in LISTS:
        answer(id, LISTS[method])
    elif method == "resources/read" and message["params"]["uri"] == "file:///gone":
        write({"jsonrpc": "2.0", "id": id, "error": {"code": -32002, "message": "no such resource"}})
    elif method == "resources/read":
        answer(id, {"contents": [{"uri": message["params"]["uri"], "text": "read"}]})
    elif method == "prompts/get":
        answer(id, {"messages": [{"role": "user", "content": {"type": "text", "text": message["params"]["name"]}}]})
    elif method == "tools/call":
        call(id, message["params"]) if not options.late else late.append((id, message["params"]))
    elif method is None and id in asked:
        answer(asked.pop(id), text(json.dumps(message.get("result", message.get("error")))))
    elif method is not None and id is not None:
        answer(id, {})


if options.banner:
    print(options.banner, flush=True)
if options.says:
    sys.stderr.write(options.says * options.times)
    sys.stderr.flush()
if options.last:
    os.write(1, options.last.encode())
    os._exit(options.code)
for line in sys.stdin.buffer:
    os.write(seen, line)
    handle(json.loads(line))
for waiting in late:
    call(*waiting)
sys.exit(options.code)
