// Calls that wait for a person end with their client (clause 7.6, trap 40), on every transport; and what they were charged
// before they reached the server is given back.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describe, test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { McpServer as McpServer2, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import { Engine } from "callgate";
import { type ApprovalAnswer, guard, type Guardable, type GuardOptions, type McpTransport } from "callgate/mcp";
import { z } from "zod";

const POLICY = `
version: "1"
default: deny
tools:
  pay: {rules: [{name: all, action: require_approval}]}
  buy: {limits: [{counter: n, window: day, max: 9}]}
  slow: {}
`;

type Server = Guardable & { connect(transport: McpTransport): Promise<void>; close(): Promise<void> };

const MAKE: Record<string, (run: (name: string) => unknown) => Server> = {
  "@modelcontextprotocol/sdk": (run) => {
    const server = new McpServer({ name: "first", version: "1" });
    for (const name of ["pay", "buy", "slow"]) server.registerTool(name, { inputSchema: z.looseObject({}) }, () => run(name) as never);
    return server as unknown as Server;
  },
  "@modelcontextprotocol/server": (run) => {
    const server = new McpServer2({ name: "second", version: "1" });
    for (const name of ["pay", "buy", "slow"]) server.registerTool(name, { inputSchema: z.looseObject({}) }, () => run(name) as never);
    return server as unknown as Server;
  },
};

/** A guarded server, and everything that comes of it. */
class Peer {
  readonly ran: string[] = [];
  readonly errors: unknown[] = [];
  /** Called once for the next decision, which was charged by then. */
  decided: () => void = () => {};
  readonly engine = Engine.fromString(POLICY, {
    onDecision: () => {
      const { decided } = this;
      this.decided = () => {};
      decided();
    },
  });
  readonly server: Server;
  /** The questions that were asked, in order. */
  readonly questions: { approve: (answer: ApprovalAnswer) => void; signal: AbortSignal }[] = [];
  finish: () => void = () => {};

  constructor(kind: string, options: GuardOptions = {}) {
    const make = MAKE[kind] ?? assert.fail(kind);
    this.server = make((name) => {
      this.ran.push(name);
      const answer = { content: [{ type: "text", text: `${name} ran` }] };
      return name === "slow" ? new Promise((resolve) => (this.finish = () => resolve(answer))) : answer;
    });
    guard(this.server, this.engine, {
      onApproval: ({ signal }) => new Promise((resolve) => this.questions.push({ approve: resolve, signal })),
      onError: (error) => this.errors.push(error),
      ...options,
    });
  }

  async asked(count = 1): Promise<void> {
    while (this.questions.length < count) await turn();
  }

  /** Approves everything, and lets all that could follow happen. */
  async approve(): Promise<void> {
    for (const { approve } of this.questions) approve(true);
    for (let n = 0; n < 25; n += 1) await turn();
  }

  used(): string | undefined {
    return this.engine.explain("buy").decision.counters[0]?.used;
  }

  /** A client's end of a new connection, and what it hears. */
  async connect(): Promise<{ near: InMemoryTransport; heard: Record<string, unknown>[] }> {
    const [near, far] = InMemoryTransport.createLinkedPair();
    const heard: Record<string, unknown>[] = [];
    near.onmessage = (message: JSONRPCMessage) => void heard.push(message as never);
    await this.server.connect(far as unknown as McpTransport);
    await near.send(initialize);
    while (heard.length === 0) await turn();
    await near.send({ jsonrpc: "2.0", method: "notifications/initialized" });
    return { near, heard };
  }
}

const initialize: JSONRPCMessage = {
  jsonrpc: "2.0", id: "initialize", method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } },
};
const call = (name: string, id: string | number): JSONRPCMessage => ({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: {} } });
const text = (message: Record<string, unknown> | undefined) => (message?.["result"] as { content: { text: string }[] } | undefined)?.content[0]?.text;

for (const kind of Object.keys(MAKE)) {
  describe(kind, () => {
    test("every call that waits ends when the server is closed", async () => {
      const peer = new Peer(kind);
      const { near, heard } = await peer.connect();
      for (const id of [1, 2, "three"]) await near.send(call("pay", id));
      await peer.asked(3);
      await peer.server.close();
      assert.ok(peer.questions.every(({ signal }) => signal.aborted));
      await peer.approve();
      assert.deepEqual([peer.ran, heard.length, peer.errors], [[], 1, []]);
    });

    test("a call that nobody approves in time is refused, and a later approval does nothing", async () => {
      const peer = new Peer(kind, { approvalTimeoutMs: 5 });
      const { near, heard } = await peer.connect();
      await near.send(call("pay", 1));
      // The timer does not keep the process alive; this test does.
      const alive = setInterval(() => {}, 1_000);
      while (heard.length < 2) await turn();
      clearInterval(alive);
      assert.match(text(heard[1]) ?? "", /^Rule "all" needs approval\nApproval key: ak1:/);
      assert.ok(peer.questions[0]?.signal.aborted);
      await peer.approve();
      assert.deepEqual([peer.ran, heard.length], [[], 2]);
    });

    test("what was charged for a call that was not passed on is given back", async () => {
      const peer = new Peer(kind);
      const { near, heard } = await peer.connect();
      let charged: string | undefined;
      const closed = new Promise<void>((resolve) => {
        peer.decided = () => {
          charged = peer.used();
          resolve(near.close());
        };
      });
      await near.send(call("buy", 1));
      await closed;
      await peer.approve();
      assert.deepEqual([charged, peer.ran, peer.used(), heard.length], ["1", [], "0", 1]);
      const again = await peer.connect();
      await again.near.send(call("buy", 1));
      while (again.heard.length < 2) await turn();
      assert.deepEqual([peer.ran, peer.used()], [["buy"], "1"]);
    });

    test("nothing is decided once the connection is closed", async () => {
      const asking = new Peer(kind, { identity: () => new Promise((resolve) => (identify = resolve)) });
      let identify: (identity: string) => void = () => {};
      const { near } = await asking.connect();
      await near.send(call("buy", 1));
      await near.close();
      identify("alice");
      await asking.approve();
      assert.deepEqual([asking.ran, asking.used()], [[], "0"]);
      const peer = new Peer(kind);
      const [client, far] = InMemoryTransport.createLinkedPair();
      await peer.server.connect(far as unknown as McpTransport);
      await client.close();
      // What a transport still delivers, late.
      far.onmessage?.(call("buy", 1));
      await peer.approve();
      assert.deepEqual([peer.ran, peer.used()], [[], "0"]);
    });

    test("a request under the id of a call that waits is refused: its answer would be the other's", async () => {
      for (const id of [7, "7"]) {
        const peer = new Peer(kind);
        const { near, heard } = await peer.connect();
        await near.send(call("pay", 7));
        await peer.asked();
        await near.send(call("slow", id));
        while (heard.length < 2) await turn();
        assert.deepEqual([heard[1]?.["id"], typeof heard[1]?.["error"], peer.ran], [id, "object", []]);
        await peer.approve();
        while (heard.length < 3) await turn();
        assert.deepEqual([peer.ran, heard.length, heard[2]?.["id"], text(heard[2])], [["pay"], 3, 7, "pay ran"]);
      }
    });

    test("an approval answers on no later connection of the same server", async () => {
      const peer = new Peer(kind);
      const first = await peer.connect();
      await first.near.send(call("pay", 2));
      await peer.asked();
      // These versions refuse a second connection while one is open. Older ones forget the first, as this does.
      const { server } = peer.server as unknown as { server: { _transport: unknown } };
      server._transport = undefined;
      const second = await peer.connect();
      await second.near.send(call("slow", 2));
      while (peer.ran.length === 0) await turn();
      await peer.approve();
      assert.deepEqual([peer.ran, second.heard.length], [["slow"], 1]);
      // Nor does the first one reach the server any more, which would answer on the second.
      await first.near.send(call("buy", 3));
      await peer.approve();
      assert.deepEqual([peer.ran, peer.used(), second.heard.length], [["slow"], "0", 1]);
    });
  });
}

test("a refused second connection leaves the first as it is", async () => {
  const peer = new Peer("@modelcontextprotocol/sdk");
  const { near, heard } = await peer.connect();
  await assert.rejects(peer.connect(), /Already connected/);
  await near.send(call("pay", 1));
  await peer.asked();
  await peer.approve();
  assert.equal(text(heard[1]), "pay ran");
});

test("the end of a stdio server's input refuses what waits for a person, and nothing else", async () => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const peer = new Peer("@modelcontextprotocol/sdk");
  await peer.server.connect(new StdioServerTransport(input, output) as unknown as McpTransport);
  const heard: Record<string, unknown>[] = [];
  output.on("data", (chunk: Buffer) => heard.push(...chunk.toString().trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>)));
  input.write(`${JSON.stringify(initialize)}\n${JSON.stringify(call("pay", 1))}\n`);
  await peer.asked();
  input.end(`${JSON.stringify(call("buy", 2))}\n`);
  while (heard.length < 3) await turn();
  await peer.approve();
  assert.deepEqual(peer.ran, ["buy"]);
  assert.match(text(heard.find(({ id }) => id === 1)) ?? "", /needs approval/);
  assert.equal(text(heard.find(({ id }) => id === 2)), "buy ran");
});

test("a call that is being decided when a stdio server's input ends still runs: its client may read the answer", async () => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  let identify: ((identity: string) => void) | undefined;
  const peer = new Peer("@modelcontextprotocol/sdk", { identity: () => new Promise((resolve) => (identify = resolve)) });
  await peer.server.connect(new StdioServerTransport(input, output) as unknown as McpTransport);
  let said = "";
  output.on("data", (chunk: Buffer) => void (said += chunk.toString()));
  const ended = once(input, "end");
  input.end(`${JSON.stringify(initialize)}\n${JSON.stringify(call("buy", 1))}\n`);
  await ended;
  while (identify === undefined) await turn();
  identify("alice");
  while (!/"id":1\b/.test(said)) await turn();
  assert.match(said, /buy ran/);
  assert.deepEqual(peer.ran, ["buy"]);
});

interface Http {
  kind: string;
  transport(json: boolean): McpTransport;
  listen(transport: McpTransport, json: boolean): HttpServer;
}

async function body(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const SESSION = { sessionIdGenerator: () => "session" };
const HTTP: Record<string, Http> = {
  "Node's own server": {
    kind: "@modelcontextprotocol/sdk",
    transport: (enableJsonResponse) => new StreamableHTTPServerTransport({ ...SESSION, enableJsonResponse }) as unknown as McpTransport,
    listen: (transport) => createServer((request, response) => void (transport as StreamableHTTPServerTransport).handleRequest(request, response)),
  },
  "a server of web-standard requests": {
    kind: "@modelcontextprotocol/server",
    transport: (enableJsonResponse) => new WebStandardStreamableHTTPServerTransport({ ...SESSION, enableJsonResponse }) as unknown as McpTransport,
    listen: (transport, json) =>
      createServer((request, response) => {
        // A host passes the signal on, or cancels the stream of the answer.
        const gone = new AbortController();
        response.once("close", () => response.writableFinished || gone.abort());
        void (async () => {
          const { method = "", headers } = request;
          const init = { method, headers: headers as Record<string, string>, signal: json ? gone.signal : null };
          const asked = new Request("http://127.0.0.1/mcp", method === "POST" ? { ...init, body: await body(request) } : init);
          const answer = await (transport as unknown as WebStandardStreamableHTTPServerTransport).handleRequest(asked);
          response.writeHead(answer.status, Object.fromEntries(answer.headers));
          await pipeline(answer.body === null ? Readable.from([]) : Readable.fromWeb(answer.body as never), response);
        })().catch(() => {});
      }),
  },
};

async function served(t: TestContext, http: Http, json: boolean): Promise<[Peer, (message: JSONRPCMessage, signal?: AbortSignal) => Promise<Response>]> {
  const peer = new Peer(http.kind);
  const transport = http.transport(json);
  await peer.server.connect(transport);
  const listener = http.listen(transport, json).listen(0, "127.0.0.1");
  t.after(() => listener.close());
  t.after(() => listener.closeAllConnections());
  await once(listener, "listening");
  const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`;
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-session-id": "session" };
  const post = (message: JSONRPCMessage, signal?: AbortSignal) =>
    fetch(url, { method: "POST", headers, body: JSON.stringify(message), ...(signal === undefined ? {} : { signal }) });
  await (await post(initialize)).text();
  await (await post({ jsonrpc: "2.0", method: "notifications/initialized" })).text();
  return [peer, post];
}

for (const [what, http] of Object.entries(HTTP)) {
  for (const json of [false, true]) {
    test(`a call ends whose client closes the HTTP ${json ? "request" : "stream"}, to ${what}`, { timeout: 60_000 }, async (t) => {
      const [peer, post] = await served(t, http, json);
      const [gone, stays] = [new AbortController(), new AbortController()];
      const closed = post(call("pay", 1), gone.signal).then((response) => response.text()).catch(() => {});
      await peer.asked(1);
      const kept = post(call("pay", 2), stays.signal).then((response) => response.text());
      await peer.asked(2);
      gone.abort();
      await closed;
      const [first, second] = peer.questions;
      if (first?.signal.aborted === false) await once(first.signal, "abort");
      assert.equal(second?.signal.aborted, false, "the other client's call goes on");
      await peer.approve();
      assert.match(await kept, /pay ran/);
      assert.deepEqual(peer.ran, ["pay"]);
    });
  }
}
