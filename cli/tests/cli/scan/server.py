"""A server for `callgate scan` that behaves as its first argument says: as the protocol has it, or hostile."""

import json
import os
import signal
import sys
import time

KIND = sys.argv[1]
FILE = sys.argv[2] if len(sys.argv) > 2 else None
OUT = sys.stdout.buffer


def note(text):
    with open(FILE, "a") as file:
        file.write(text + "\n")


def write(data):
    OUT.write(data)
    OUT.flush()


def send(message):
    write(json.dumps(message).encode() + b"\n")


def answer(request, result):
    send({"jsonrpc": "2.0", "id": request["id"], "result": result})


def refuse(request, code=-32601):
    send({"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": "no \x1b[2Jsuch method"}})


def tool(name, **more):
    return {"name": name, "inputSchema": {"type": "object"}, **more}


def greet(request):
    """Whether it was the handshake, or a question about what the server is."""
    method = request.get("method")
    if KIND == "dies-unless-greeted" and method == "server/discover":
        sys.exit("expected the handshake")
    if method == "server/discover" and KIND == "silent-unless-greeted":
        return True
    if method == "server/discover" and KIND == "modern":
        meta = request["params"]["_meta"]
        assert meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28", meta
        assert meta["io.modelcontextprotocol/clientCapabilities"] == {}, meta
        answer(request, {"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
                         "serverInfo": {"name": "new", "version": "2"}})
        return True
    if method == "server/discover":
        refuse(request)
        return True
    if method == "initialize":
        assert KIND != "modern"
        answer(request, {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                         "serverInfo": {"name": "o\x1b[31mld", "version": "1"}})
        return True
    return method == "notifications/initialized"


def pages(request):
    cursor = request["params"].get("cursor")
    if cursor is None:
        send({"jsonrpc": "2.0", "id": 7, "method": "ping"})
        assert json.loads(sys.stdin.readline()) == {"jsonrpc": "2.0", "id": 7, "result": {}}
        print("a log line between messages")
        send({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x"}})
        answer(request, {"tools": [tool("read_file"), tool("write_file")], "nextCursor": "two"})
    else:
        assert cursor == "two", cursor
        answer(request, {"tools": [tool("list_files", description="Lists files.")]})


def million(request):
    write(b'{"jsonrpc":"2.0","id":%d,"result":{"tools":[' % request["id"])
    write(b",".join([b'{"name":"a"}'] * 1_000_000))
    write(b"]}}\n")


def gibibyte(request):
    write(b'{"jsonrpc":"2.0","id":%d,"result":{"tools":[{"name":"a","description":"' % request["id"])
    for _ in range(1024):
        write(b"x" * (1 << 20))
    write(b'"}]}}\n')


def bomb(request):
    """Values that take a hundred times their text in memory, just below the ceilings of text."""
    values = b",".join([b'{"":{"":{}}}'] * 280_000)
    write(b'{"jsonrpc":"2.0","id":%d,"result":{"tools":[' % request["id"])
    write(b",".join(b'{"name":"t%d","x":[%s]}' % (index, values) for index in range(4)))
    write(b'],"nextCursor":"%d"}}\n' % request["id"])


def full(request):
    """As much text as is taken. One description is long; the rest is where only its length is of interest, which a debug build reads sooner."""
    long = "d" * (3 << 20)
    tools = [tool(f"t{request['id']}_{index}", _meta={"x": long}) for index in range(5)]
    page = {"tools": tools}
    if request["id"] < 6:
        page["nextCursor"] = str(request["id"])
    else:
        tools[0] = tool("t_described", description=long)
    answer(request, page)


def escapes(request):
    answer(request, {"tools": [
        tool("a\x1b[2J\x1b]0;owned\x07", description="\x1b[31mred"),
        tool("pa\u202ey", description="x\u200by"),
        tool("|`<script>alert(1)</script>`|\n| x | y |"),
        tool("read_file"), tool("Read_File"), tool("read_file"),
        tool("\u0440ay"), tool("pay"), tool("n" * 5000),
    ]})


def slow(request):
    for byte in json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": {"tools": []}}).encode():
        write(bytes([byte]))
        time.sleep(1)


def children():
    """A child that listens to nothing, not even to the end of its input."""
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        note(str(os.getpid()))
        time.sleep(600)
        os._exit(0)


def listed(request):
    if KIND == "endless-pages":
        answer(request, {"tools": [], "nextCursor": str(request["id"])})
    elif KIND == "circle":
        answer(request, {"tools": [tool("a")], "nextCursor": "again"})
    elif KIND == "million":
        million(request)
    elif KIND == "gibibyte":
        gibibyte(request)
    elif KIND == "bomb":
        bomb(request)
    elif KIND == "full":
        full(request)
    elif KIND == "given":
        with open(FILE) as file:
            answer(request, {"tools": json.load(file)})
    elif KIND == "escapes":
        escapes(request)
    elif KIND == "half":
        write(b'{"jsonrpc":"2.0","id":%d,"result":{"too' % request["id"])
        sys.exit(3)
    elif KIND == "slow":
        slow(request)
    elif KIND == "endless-line":
        while True:
            write(b"x" * (1 << 20))
    elif KIND == "blank-lines":
        while True:
            write(b"\n" * (1 << 16))
    elif KIND == "chatter":
        while True:
            write((b'{"jsonrpc":"2.0","method":"notifications/message","params":"' + b"x" * 8000 + b'"}\n') * 8)
    elif KIND == "refuses":
        refuse(request, -32000)
    elif KIND == "not-a-list":
        answer(request, {"tools": {"a": 1}})
    elif KIND == "asks-first":
        answer(request, {"resultType": "input_required", "tools": []})
    elif KIND == "two-names":
        write(b'{"jsonrpc":"2.0","id":%d,"result":{"tools":[{"name":"a","name":"b"}]}}\n' % request["id"])
    elif KIND == "never":
        time.sleep(600)
    elif KIND == "environment":
        answer(request, {"tools": [tool(name) for name in sorted(os.environ) if name != "LC_CTYPE"]})
    else:
        pages(request)


def main():
    if KIND == "never-at-all":
        children()
        time.sleep(600)
    if KIND == "stderr":
        while True:
            os.write(2, b"\x1b[31mnoise " * 1000 + b"\n")
    if KIND == "stays":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        children()
    for line in sys.stdin:
        if KIND == "noisy":
            os.write(2, b"noise\n" * 100_000)
        request = json.loads(line)
        if FILE and KIND == "modern" and request.get("method"):
            note(request["method"])
        if greet(request):
            continue
        assert request["method"] == "tools/list", request
        if KIND == "modern":
            assert request["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
            answer(request, {"resultType": "complete", "ttlMs": 0, "tools": [tool("search")]})
        else:
            listed(request)
    if KIND == "stays":
        time.sleep(600)


main()
