"""A server over HTTP for `callgate scan`: `web.py KIND PORT_FILE LOG_FILE [CERTIFICATE KEY]`. It behaves as its kind says."""

import json
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer

KIND, PORT, LOG, *SHOWN = sys.argv[1:]
TOOLS = [{"name": "read_file"}, {"name": "delete_repo"}]


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self, method):
        headers = self.headers
        with open(LOG, "a") as log:
            log.write(json.dumps({"verb": self.command, "method": method, "token": headers.get("Authorization"),
                                  "protocol": headers.get("MCP-Protocol-Version"), "named": headers.get("Mcp-Method"),
                                  "session": headers.get("Mcp-Session-Id")}) + "\n")

    def reply(self, status, body=b"", kind="application/json", **more):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def answer(self, request, result, **more):
        body = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()
        if KIND == "events":
            notice = b'{"jsonrpc":"2.0","method":"notifications/message"}'
            body = b": hello\r\n\r\nevent: message\ndata: " + notice + b"\n\nid: 1\ndata: " + body + b"\n\n"
            return self.reply(200, body, "text/event-stream; charset=utf-8", **more)
        self.reply(200, body, **more)

    def do_DELETE(self):
        self.note(None)
        self.reply(204)

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method = request["method"]
        self.note(method)
        assert "text/event-stream" in self.headers["Accept"], self.headers
        if KIND == "locked" and self.headers.get("Authorization") != "Bearer secret":
            return self.reply(401)
        if KIND == "elsewhere":
            return self.reply(307, Location="http://example.com/")
        if KIND == "endless":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            while True:
                self.wfile.write(b'data: {"jsonrpc":"2.0","method":"notifications/message"}\n\n' * 1000)
        if KIND == "long":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Connection", "close")
            self.end_headers()
            while True:
                self.wfile.write(b"x" * 100_000)
        if KIND == "never":
            time.sleep(600)
        if method == "server/discover":
            if KIND != "modern":
                return self.reply(400, b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no session"}}')
            return self.answer(request, {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}})
        if method == "initialize":
            return self.answer(request, {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}}, Mcp_Session_Id="s-1")
        if "id" not in request:
            return self.reply(202)
        if KIND != "modern" and self.headers.get("Mcp-Session-Id") != "s-1":
            return self.reply(404)
        if request["params"].get("cursor") is None:
            return self.answer(request, {"tools": TOOLS[:1], "nextCursor": "two"})
        self.answer(request, {"tools": TOOLS[1:]})


# Not `HTTPServer`: it asks for the name of the address, which may take a minute.
server = TCPServer(("127.0.0.1", 0), Server)
if SHOWN:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*SHOWN)
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(PORT, "w") as file:
    file.write(f"{server.server_address[1]}\n")
server.serve_forever()
