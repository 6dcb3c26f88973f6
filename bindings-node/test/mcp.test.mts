// The guard between the official SDK's clients and servers, in one process: `McpServer` and `Server` of
// `@modelcontextprotocol/sdk`, and those of `@modelcontextprotocol/server`.

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { CallToolRequestSchema, ListToolsRequestSchema, type JSONRPCMessage, McpError } from "@modelcontextprotocol/sdk/types.js";
import { McpServer as McpServer2 } from "@modelcontextprotocol/server";
import { Engine } from "callgate";
import { type AuthInfo, guard, guardTransport, type GuardOptions } from "callgate/mcp";
import { z } from "zod";
import { timeless } from "./cases.mjs";

const POLICY = `
version: "1"
default: deny
hide: [secret]
tools:
  echo: {deny_if: [{conditions: [{path: args.text, op: eq, value: bad}], on_deny: Not that}]}
  fail: {rules: [{rate_limit: 2/hour}]}
  error: {limits: [{counter: n, window: day, max: 1}]}
  slow: {limits: [{counter: n, window: day, max: 1}]}
  ask: {rules: [{name: large, action: require_approval}]}
  mine: {require: [{path: identity.id, op: eq, value: alice}]}
`;
const TOOLS = ["echo", "fail", "error", "slow", "ask", "mine", "secret", "unlisted"];

interface Peer {
  client: Client;
  engine: Engine;
  /** Names of the tools whose handlers ran. */
  ran: string[];
  /** The server's end, to send it messages as any client might. */
  wire: InMemoryTransport;
  /** The client's end. */
  near: InMemoryTransport;
  errors: unknown[];
}

type Slow = () => Promise<void>;
type Make = (ran: string[], slow: Slow) => { connect(transport: InMemoryTransport): Promise<void> };

function handle(ran: string[], name: string, slow: Slow, text: unknown) {
  ran.push(name);
  if (name === "error") throw new McpError(-32050, "upstream is down");
  const content = [{ type: "text" as const, text: `${name} ${text ?? ""}`.trim() }];
  if (name === "slow") return slow().then(() => ({ content }));
  return name === "fail" ? { content, isError: true } : { content };
}

const low: Make = (ran, slow) => {
  const server = new Server({ name: "low", version: "1" }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: TOOLS.map((name) => ({ name, inputSchema: { type: "object" as const } })),
  }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => handle(ran, params.name, slow, params.arguments?.["text"]));
  return server;
};

const high: Make = (ran, slow) => {
  const server = new McpServer({ name: "high", version: "1" });
  for (const name of TOOLS) {
    server.registerTool(name, { inputSchema: { text: z.string().optional() } }, ({ text }) => handle(ran, name, slow, text));
  }
  return server;
};

const second: Make = (ran, slow) => {
  const server = new McpServer2({ name: "second", version: "1" });
  for (const name of TOOLS) {
    server.registerTool(name, { inputSchema: z.object({ text: z.string().optional() }) }, ({ text }) => handle(ran, name, slow, text));
  }
  return server as unknown as ReturnType<Make>;
};

async function peer(make: Make, options: GuardOptions = {}, slow: Slow = () => Promise.resolve(), policy = POLICY): Promise<Peer> {
  const ran: string[] = [];
  const errors: unknown[] = [];
  const engine = Engine.fromString(policy);
  const [near, wire] = InMemoryTransport.createLinkedPair();
  const server = make(ran, slow);
  guard(server, engine, { onError: (error) => errors.push(error), ...options });
  await server.connect(wire);
  const client = new Client({ name: "test", version: "1" });
  await client.connect(near);
  return { client, engine, ran, wire, near, errors };
}

const call = (client: Client, name: string, args?: Record<string, unknown>) =>
  client.callTool(args === undefined ? { name } : { name, arguments: args }) as Promise<{
    content: { type: string; text: string }[];
    isError?: boolean;
    _meta?: Record<string, unknown>;
  }>;

for (const [what, make] of [["Server", low], ["McpServer", high], ["McpServer of @modelcontextprotocol/server", second]] as const) {
  describe(what, () => {
    test("filters the list", async () => {
      const { client } = await peer(make);
      assert.deepEqual((await client.listTools()).tools.map(({ name }) => name), TOOLS.filter((name) => name !== "secret"));
    });

    test("lets through what the policy allows, and nothing else", async () => {
      const { client, ran } = await peer(make);
      assert.deepEqual((await call(client, "echo", { text: "hi" })).content, [{ type: "text", text: "echo hi" }]);
      assert.deepEqual(ran, ["echo"]);
      const denied = await call(client, "echo", { text: "bad" });
      assert.deepEqual(denied, { content: [{ type: "text", text: "Not that" }], isError: true, _meta: { "callgate/code": "denied" } });
      for (const [name, message] of [["secret", "hidden"], ["unlisted", "not permitted"], ["nowhere", "not permitted"]] as const) {
        const answer = await call(client, name, {});
        assert.equal(answer.isError, true);
        assert.match(answer.content[0]?.text ?? "", new RegExp(message));
      }
      assert.deepEqual(ran, ["echo"], "no handler of a denied call ran");
    });

    test("keeps the charge of a result that is an error", async () => {
      const { client, ran } = await peer(make);
      for (let n = 0; n < 2; n += 1) assert.equal((await call(client, "fail")).content[0]?.text, "fail");
      const limited = await call(client, "fail");
      const told = timeless(limited.content[0]?.text ?? "");
      assert.deepEqual([limited.isError, told], [true, "Rate limit of 2 per hour reached. Try again in S seconds."]);
      assert.deepEqual(ran, ["fail", "fail"]);
    });

    test("asks for approval, or answers with its key", async () => {
      const { client, ran, engine } = await peer(make);
      const asked = await call(client, "ask", { text: "x" });
      const key = engine.evaluate("ask", { text: "x" }).approval?.key;
      const text = `Rule "large" needs approval\nApproval key: ${key}`;
      const meta = { "callgate/code": "approval_required", "callgate/approval_key": key };
      assert.deepEqual(asked, { content: [{ type: "text", text }], isError: true, _meta: meta });
      assert.deepEqual(ran, []);
      const granting = await peer(make, {
        onApproval: async ({ tool, arguments: args, decision, signal }) => {
          assert.deepEqual([tool, args, decision.code, signal.aborted], ["ask", { text: "x" }, "approval_required", false]);
          return "approval-1";
        },
      });
      assert.equal((await call(granting.client, "ask", { text: "x" })).content[0]?.text, "ask x");
      assert.match((await call(granting.client, "ask", { text: "x" })).content[0]?.text ?? "", /already used/);
      assert.deepEqual(granting.ran, ["ask"]);
      for (const answer of [null, undefined, false, "", 1, {}, ["approval-2"], { id: 5 }] as never[]) {
        const refusing = await peer(make, { onApproval: () => answer });
        assert.equal((await call(refusing.client, "ask", { text: "x" })).isError, true);
        assert.deepEqual(refusing.ran, []);
      }
      const simple = await peer(make, { onApproval: () => true });
      for (let n = 0; n < 2; n += 1) assert.equal((await call(simple.client, "ask")).content[0]?.text, "ask");
    });
  });
}

describe("the guard", () => {
  test("keeps the charge of a call that the server answers with a JSON-RPC error, unless the host says otherwise (trap 39)", async () => {
    const kept = await peer(low);
    await assert.rejects(call(kept.client, "error"), { code: -32050 });
    assert.match((await call(kept.client, "error")).content[0]?.text ?? "", /Rate limit of 1 per day/);
    assert.deepEqual(kept.ran, ["error"]);
    const seen: unknown[] = [];
    const refundOnError: GuardOptions["refundOnError"] = ({ tool, arguments: args }, error) => {
      seen.push([tool, args, error]);
      return error.code === -32050;
    };
    const given = await peer(low, { refundOnError });
    for (let n = 0; n < 3; n += 1) await assert.rejects(call(given.client, "error", { n }), { code: -32050 });
    assert.deepEqual(seen[2], ["error", { n: 2 }, { code: -32050, message: "MCP error -32050: upstream is down", data: undefined }]);
    assert.deepEqual([given.ran.length, given.errors], [3, []]);
  });

  test("gives nothing back where the host's answer is neither true nor false", async () => {
    const throwing = () => {
      throw new RangeError("no such error");
    };
    for (const refundOnError of [throwing, () => 1, () => undefined, () => Promise.resolve(true), () => Promise.reject(new Error("later"))]) {
      const { client, errors } = await peer(low, { refundOnError: refundOnError as never });
      await assert.rejects(call(client, "error"), { code: -32050 });
      assert.match((await call(client, "error")).content[0]?.text ?? "", /Rate limit of 1 per day/);
      assert.ok(errors.length > 0, "the host hears of it");
    }
    const { client, errors } = await peer(low, { refundOnError: () => false });
    await assert.rejects(call(client, "error"), { code: -32050 });
    assert.deepEqual(errors, []);
  });

  test("takes identities from verified tokens or a callback, never from the client", async () => {
    const authInfo: AuthInfo = { token: "t", clientId: "c", scopes: [], extra: { sub: "alice" } };
    const claimed = { method: "tools/call", params: { name: "mine", arguments: { identity: "alice" }, _meta: { identity: "alice", client_id: "alice" } } };
    const nobody = await peer(low);
    const answer = (await nobody.client.request(claimed, z.any())) as { isError?: boolean };
    assert.equal(answer.isError, true);
    const verified = await peer(low);
    const send = verified.near.send.bind(verified.near);
    verified.near.send = (message, options) => send(message, { ...options, authInfo } as never);
    assert.equal((await call(verified.client, "mine")).content[0]?.text, "mine");
    const called = await peer(low, { identity: async ({ tool }) => (tool === "mine" ? "alice" : null) });
    assert.equal((await call(called.client, "mine")).content[0]?.text, "mine");
    const id = (info: AuthInfo) => {
      let seen: unknown;
      const engine = Engine.fromString(POLICY);
      const evaluate = engine.evaluateJson.bind(engine);
      engine.evaluateJson = (tool, args, identity) => {
        seen = identity;
        return evaluate(tool, args, identity);
      };
      const [near, wire] = InMemoryTransport.createLinkedPair();
      guardTransport(wire, engine);
      wire.onmessage = () => {};
      const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "mine" } } as const;
      return near.start().then(() => wire.start()).then(() => near.send(message, { authInfo: info } as never)).then(() => new Promise(setImmediate)).then(() => seen);
    };
    assert.deepEqual(await id({ token: "t", clientId: "c", scopes: ["s"], extra: { id: "mallory", email: "e" } }), {
      email: "e", id: "c", client_id: "c", scopes: ["s"],
    });
  });

  test("refuses what names no tool, and arguments that are no object", async () => {
    const { client, ran } = await peer(low);
    const raw = (params: unknown) => client.request({ method: "tools/call", params: params as never }, z.any());
    for (const params of [undefined, {}, { name: 5 }, { name: ["echo"] }]) {
      await assert.rejects(raw(params), { code: -32602 });
    }
    for (const args of [[], "x", 5, true]) {
      const answer = (await raw({ name: "echo", arguments: args })) as { isError?: boolean; content: { text: string }[] };
      assert.deepEqual([answer.isError, answer.content[0]?.text], [true, "Arguments are not valid: they are not an object"]);
    }
    assert.deepEqual(ran, []);
  });

  test("refuses a call where the server does not list its tools in time, and keeps what it lists late to itself", async () => {
    const heard: JSONRPCMessage[] = [];
    const lists: (() => void)[] = [];
    const asked = () => new Promise<void>((resolve) => setImmediate(resolve));
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      const { client, ran, errors, near } = await peer((ran, slow) => {
        const server = low(ran, slow) as Server;
        const tools = TOOLS.map((name) => ({ name, inputSchema: { type: "object" as const } }));
        server.setRequestHandler(ListToolsRequestSchema, () => new Promise((resolve) => lists.push(() => resolve({ tools }))));
        return server;
      });
      const first = call(client, "echo", {});
      await asked();
      assert.deepEqual([lists.length, ran], [1, []]);
      mock.timers.tick(10_000);
      const answer = await first;
      assert.deepEqual([answer.isError, answer.content[0]?.text], [true, "The call could not be checked against the policy"]);
      assert.match(String(errors), /the server did not answer in time/);
      const receive = near.onmessage;
      near.onmessage = (message, extra) => {
        heard.push(message);
        receive?.(message, extra);
      };
      for (const list of lists.splice(0)) list();
      await asked();
      assert.deepEqual([ran, heard], [[], []]);
      assert.equal((await call(client, "echo", {})).isError ?? false, false);
      assert.deepEqual(ran, ["echo"]);
    } finally {
      mock.timers.reset();
    }
  });

  test("refuses a call where a callback throws, and says so to the host alone", async () => {
    const { client, ran, errors } = await peer(low, {
      identity: () => {
        throw new Error("the directory is down: password hunter2");
      },
    });
    const answer = await call(client, "echo", {});
    assert.deepEqual([answer.isError, answer.content[0]?.text], [true, "The call could not be checked against the policy"]);
    assert.equal(errors.length, 1);
    assert.deepEqual(ran, []);
  });

  const always: GuardOptions = { refundOnError: () => true };

  test("keeps the charge of a cancelled call", async () => {
    let finish = () => {};
    const { client, ran } = await peer(low, always, () => new Promise<void>((resolve) => (finish = resolve)));
    const cancel = new AbortController();
    const started = new Promise<void>((resolve) => {
      ran.push = (...names) => {
        resolve();
        return Array.prototype.push.apply(ran, names);
      };
    });
    const slow = client.callTool({ name: "slow" }, undefined, { signal: cancel.signal });
    await started;
    assert.deepEqual([...ran], ["slow"]);
    cancel.abort("enough");
    await assert.rejects(slow);
    finish();
    assert.match((await call(client, "slow")).content[0]?.text ?? "", /Rate limit of 1 per day/);
  });

  test("does not pass on a call that was cancelled while it waited for approval", async () => {
    let approve: (id: string) => void = () => {};
    let waiting: () => void = () => {};
    const asked = new Promise<void>((resolve) => (waiting = resolve));
    const { client, ran, engine } = await peer(low, {
      onApproval: ({ signal }) => {
        waiting();
        return new Promise((resolve) => {
          approve = resolve;
          signal.addEventListener("abort", () => resolve("approval-1"));
        });
      },
    });
    const cancel = new AbortController();
    const asking = client.callTool({ name: "ask", arguments: {} }, undefined, { signal: cancel.signal });
    await asked;
    cancel.abort("enough");
    await assert.rejects(asking);
    approve("approval-1");
    await client.listTools();
    assert.deepEqual(ran, []);
    const key = engine.evaluate("ask", {}).approval?.key ?? "";
    assert.ok(engine.evaluate("ask", {}, null, { key, id: "approval-1" }).allowed, "the approval was not spent");
  });

  for (const id of [77, "77"]) {
    test(`releases nothing where another request fails under the id ${JSON.stringify(id)} meanwhile`, async () => {
      const { near, ran, engine } = await peer(low, always, () => new Promise(() => {}));
      const answered = new Promise<JSONRPCMessage>((resolve) => (near.onmessage = resolve));
      await near.send({ jsonrpc: "2.0", id: 77, method: "tools/call", params: { name: "slow", arguments: {} } });
      while (ran.length === 0) await new Promise(setImmediate);
      await near.send({ jsonrpc: "2.0", id, method: "no/such" });
      const answer = (await answered) as { id?: unknown; error?: unknown };
      assert.deepEqual([answer.id, typeof answer.error], [id, "object"]);
      assert.equal(engine.explain("slow").decision.code, "limit_exceeded");
    });
  }

  test("passes on no list under an id as text, which clients take for the same", async () => {
    const [near, wire] = InMemoryTransport.createLinkedPair();
    guardTransport(wire, Engine.fromString(POLICY));
    wire.onmessage = (message: JSONRPCMessage) => {
      if ("id" in message) void wire.send({ jsonrpc: "2.0", id: String(message.id), result: { tools: [{ name: "secret" }] } });
    };
    const heard: unknown[] = [];
    near.onmessage = (message: JSONRPCMessage) => void heard.push(message);
    await near.start();
    await wire.start();
    await near.send({ jsonrpc: "2.0", id: 5, method: "tools/list" });
    await new Promise(setImmediate);
    assert.deepEqual(heard, []);
  });

  test("states a refusal's type on a connection without a handshake", async () => {
    const revision = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };
    const refused = { jsonrpc: "2.0", id: 5, method: "tools/call", params: { name: "secret", _meta: revision } } as JSONRPCMessage;
    const told = async (near: InMemoryTransport) => {
      const answered = new Promise<JSONRPCMessage>((resolve) => (near.onmessage = resolve));
      await near.send(refused);
      const { result } = (await answered) as unknown as { result: { isError: boolean; resultType?: string } };
      return [result.isError, result.resultType];
    };
    assert.deepEqual(await told((await peer(low)).near), [true, undefined]);
    const [near, wire] = InMemoryTransport.createLinkedPair();
    guardTransport(wire, Engine.fromString(POLICY));
    wire.onmessage = () => {};
    assert.deepEqual(await told(near), [true, "complete"]);
  });

  test("works beside receivers that were there before, and decides once", async () => {
    const engine = Engine.fromString(POLICY);
    const [near, wire] = InMemoryTransport.createLinkedPair();
    const ran: string[] = [];
    const logged: string[] = [];
    wire.onmessage = (message: JSONRPCMessage) => void ("method" in message && logged.push(message.method));
    const server = low(ran, () => Promise.resolve());
    guard(server, engine);
    await server.connect(wire);
    const client = new Client({ name: "test", version: "1" });
    await client.connect(near);
    await call(client, "fail");
    assert.match((await call(client, "secret")).content[0]?.text ?? "", /hidden/);
    // The list is asked for by the guard itself, once.
    assert.deepEqual(logged, ["initialize", "notifications/initialized", "tools/list", "tools/call"]);
    assert.equal(engine.explain("fail").decision.counters[0]?.used, "1", "charged once");
  });

  test("is not put on twice, or too late", async () => {
    const engine = Engine.fromString(POLICY);
    const server = new Server({ name: "low", version: "1" }, { capabilities: {} });
    assert.equal(guard(server, engine), server);
    assert.throws(() => guard(server, engine), /guarded already/);
    const late = new McpServer({ name: "high", version: "1" });
    await late.connect(InMemoryTransport.createLinkedPair()[1]);
    assert.throws(() => guard(late, engine), /before it is connected/);
    assert.throws(() => guard({} as Server, engine), /takes an McpServer or a Server/);
    for (const named of [new McpServer({ name: "high", version: "1" }), new McpServer2({ name: "second", version: "1" })]) {
      guard(named as never, engine);
      assert.throws(() => guard(named.server as never, engine), /guarded already/);
      assert.throws(() => guard({ server: named } as never, engine), /guarded already/);
    }
    const [, wire] = InMemoryTransport.createLinkedPair();
    guardTransport(wire, engine);
    assert.throws(() => guardTransport(wire, engine), /guarded already/);
    assert.throws(() => guardTransport({} as never, engine), /has a function `send`/);
  });

  test("takes an engine, and options that it knows", () => {
    const fresh = () => new Server({ name: "low", version: "1" }, { capabilities: {} });
    const engine = Engine.fromString(POLICY);
    for (const none of [undefined, null, {}, { evaluateAsync: async () => ({ allowed: true }) }]) {
      assert.throws(() => guard(fresh(), none as never), { name: "TypeError", message: "a guard needs an Engine, or a function that gives one" });
    }
    const wrong = (options: unknown, message: RegExp) => {
      assert.throws(() => guard(fresh(), engine, options as GuardOptions), { name: "TypeError", message });
      assert.throws(() => guardTransport(InMemoryTransport.createLinkedPair()[0], engine, options as GuardOptions), { name: "TypeError", message });
    };
    wrong({ onAproval: () => true }, /unknown option `onAproval`/);
    wrong({ identity: "alice" }, /`identity` is a function/);
    wrong({ refundOnError: async () => true }, /`refundOnError` is called and its answer used at once/);
    wrong(null, /options are an object/);
    for (const approvalTimeoutMs of [0, -1, NaN, Infinity, 2 ** 31]) wrong({ approvalTimeoutMs }, /`approvalTimeoutMs` is a positive number/);
    const server = fresh();
    assert.throws(() => guard(server, engine, { nope: 1 } as never));
    guard(server, engine, Object.create({ identity: 5 }) as GuardOptions);
  });
});
