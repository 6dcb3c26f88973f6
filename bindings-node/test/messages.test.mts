// What was judged is what is passed on, even if others hold or change the message meanwhile, and whatever hides in it.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { InMemoryTaskMessageQueue, InMemoryTaskStore } from "@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { CallToolRequestSchema, ListToolsRequestSchema, type JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { Engine } from "callgate";
import { guard, guardTransport, type GuardOptions } from "callgate/mcp";

const POLICY = `
version: "1"
default: deny
hide: [secret]
tools:
  pay: {rules: [{conditions: [{path: args.amount, op: lte, value: 100}]}, {rate_limit: 2/hour}]}
  free: {}
  block: {deny_if: [{path: args.amount, op: gt, value: 100}]}
  ask: {rules: [{action: require_approval}]}
  fail: {limits: [{counter: n, window: day, max: 1}]}
`;

interface Wire {
  engine: Engine;
  near: InMemoryTransport;
  heard: Record<string, unknown>[];
  /** Tools and arguments as the handler saw them. */
  ran: [string, unknown][];
  errors: unknown[];
  settle(): Promise<void>;
}

async function wire(options: GuardOptions = {}, store = "memory"): Promise<Wire> {
  const engine = Engine.fromString(POLICY, { store });
  const ran: [string, unknown][] = [];
  const heard: Record<string, unknown>[] = [];
  const errors: unknown[] = [];
  const server = new Server({ name: "low", version: "1" }, { capabilities: { tools: {} } });
  const tools = ["pay", "free", "block", "ask", "fail"].map((name) => ({ name, inputSchema: { type: "object" as const } }));
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
    ran.push([params.name, params.arguments]);
    if (params.name === "fail") throw new Error("it failed");
    return { content: [] };
  });
  guard(server, engine, { onError: (error) => errors.push(error), ...options });
  const [near, far] = InMemoryTransport.createLinkedPair();
  near.onmessage = (message: JSONRPCMessage) => void heard.push(message as never);
  await server.connect(far);
  const settle = async () => {
    for (let n = 0; n < 25; n += 1) await turn();
  };
  return { engine, near, heard, ran, errors, settle };
}

const call = (name: string, args: unknown, id: unknown = 1) =>
  ({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args } }) as unknown as JSONRPCMessage;
const answer = (message: Record<string, unknown> | undefined) => (message?.["result"] as { content: { text: string }[]; isError?: boolean })?.content[0]?.text;

function sqlite(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "callgate-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return `sqlite://${join(folder, "counters.db")}`;
}

test("arguments that change after the check do not reach the handler", async (t) => {
  for (const store of ["memory", sqlite(t)]) {
    for (const turns of [0, 1, 2, 3]) {
      const { near, heard, ran } = await wire({}, store);
      const args = { amount: 1, list: [{ n: 1 }] };
      const message = call("pay", args);
      await near.send(message);
      for (let n = 0; n < turns; n += 1) await Promise.resolve();
      args.amount = 1e9;
      args.list[0] = { n: 1e9 };
      (message as unknown as { params: { name: string } }).params.name = "secret";
      while (heard.length === 0) await turn();
      // The file counts on, so its third and fourth call are over the limit.
      assert.deepEqual(ran, store === "memory" || turns < 2 ? [["pay", { amount: 1, list: [{ n: 1 }] }]] : []);
    }
  }
});

test("callbacks of the host change nothing that is judged or passed on", async () => {
  const change = (args: unknown) => void ((args as { amount: number }).amount = 1e9);
  const { near, ran, settle } = await wire({
    identity: ({ arguments: args }) => void change(args) as never,
    onApproval: ({ arguments: args }) => {
      change(args);
      return true;
    },
  });
  await near.send(call("pay", { amount: 1 }));
  await near.send(call("ask", { amount: 2 }, 2));
  await settle();
  assert.deepEqual(ran, [["pay", { amount: 1 }], ["ask", { amount: 2 }]]);
});

test("one message object is decided each time that it is sent", async () => {
  const { near, ran, engine, settle } = await wire();
  const message = call("pay", { amount: 1 });
  for (let n = 0; n < 10; n += 1) {
    await near.send(message);
    await settle();
  }
  assert.equal(ran.length, 2);
  assert.equal(engine.explain("pay", { amount: 1 }).decision.code, "limit_exceeded");
});

test("a message that was passed on and then made a call is decided as one", async () => {
  const { near, ran, heard, settle } = await wire();
  const message = { jsonrpc: "2.0", id: 1, method: "ping", params: {} } as JSONRPCMessage;
  await near.send(message);
  await settle();
  Object.assign(message, call("secret", {}, 2));
  await near.send(message);
  await settle();
  assert.deepEqual([ran, answer(heard[1])], [[], 'Tool "secret" is hidden by policy']);
});

test("a member called __proto__ is refused, at any depth", async () => {
  const { near, ran, heard, settle } = await wire();
  const texts = [
    `{"__proto__": {"amount": 500}}`, `{"o": {"__proto__": {"b": 500}}}`, `{"list": [[{"__proto__": 1}]]}`, `{"o": {"\\u005f_proto__": null}}`,
  ];
  for (const [index, text] of texts.entries()) {
    for (const tool of ["block", "free"]) await near.send(call(tool, JSON.parse(text), `${tool} ${index}`));
  }
  await settle();
  assert.deepEqual(ran, []);
  assert.equal(heard.length, 2 * texts.length);
  for (const message of heard) assert.match(answer(message) ?? "", /^Arguments are not valid: /);
  const { length } = heard;
  const params = JSON.parse(`{"name": "free", "__proto__": {"arguments": {"amount": 500}}}`) as unknown;
  await near.send({ ...call("free", {}, "params"), params } as never);
  await near.send(JSON.parse(`{"jsonrpc": "2.0", "id": 9, "__proto__": {"method": "tools/call", "params": {"name": "secret"}}}`) as never);
  await settle();
  assert.deepEqual(ran, []);
  assert.deepEqual((heard[length]?.["error"] as { code: number }).code, -32602);
});

test("arguments that are more than plain data are what JSON carries of them, for the policy and the handler alike", async () => {
  class Money {
    amount = 500;
  }
  const { near, ran, heard, settle } = await wire();
  const odd = [new Money(), new Map([["amount", 500]]), new Date(0), () => 1, Object.create({ amount: 500 })];
  const carried = [{ amount: 500 }, {}, "1970-01-01T00:00:00.000Z", undefined, {}];
  for (const [index, value] of odd.entries()) await near.send(call("free", { value }, index));
  await near.send(call("block", new Money(), "block"));
  await near.send(call("block", Object.create({ amount: 500 }), "inherited"));
  await settle();
  const values = carried.map((value) => ["free", value === undefined ? {} : { value }]);
  assert.deepEqual(ran, [...values, ["block", {}]]);
  assert.match(answer(heard.find(({ id }) => id === "block")) ?? "", /^Denied by rule/);
});

test("what JSON cannot carry is refused", async () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  let deep: unknown = 1;
  for (let n = 0; n < 100_000; n += 1) deep = [deep];
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const thrower = Object.defineProperty({}, "x", { enumerable: true, get: () => assert.fail("it throws") });
  const { near, ran, heard, errors, settle } = await wire();
  const odd = [proxy, deep, cycle, thrower, 5n];
  for (const [index, value] of odd.entries()) await near.send(call("free", { value }, index));
  await settle();
  assert.deepEqual([ran, errors.length], [[], odd.length]);
  assert.deepEqual(heard.map(({ id, error }) => [id, (error as { code: number }).code]), odd.map((_, index) => [index, -32602]));
});

test("what runs code is read once", async () => {
  const { near, ran, settle } = await wire();
  let reads = 0;
  const flips = (first: unknown, then: unknown) => () => ((reads += 1) === 1 ? first : then);
  const message = (place: object, name: string, first: unknown, then: unknown) => {
    reads = 0;
    Object.defineProperty(place, name, { enumerable: true, get: flips(first, then) });
  };
  const args = {};
  message(args, "amount", 1, 1e9);
  await near.send(call("pay", args));
  await settle();
  assert.deepEqual([ran, reads], [[["pay", { amount: 1 }]], 1]);
  const method = { ...call("secret", {}, 2) };
  message(method, "method", "ping", "tools/call");
  await near.send(method as never);
  await settle();
  assert.deepEqual([ran.length, reads], [1, 1]);
  const params = { name: "pay", arguments: { amount: 2 } };
  message(params, "name", "pay", "secret");
  await near.send({ ...call("pay", {}, 3), params } as never);
  await settle();
  assert.deepEqual([ran[1], reads], [["pay", { amount: 2 }], 1]);
});

test("requests that are cancelled leave nothing behind, and their late answers release nothing", async () => {
  const refunds: unknown[] = [];
  const options: GuardOptions = { refundOnError: ({ tool }) => refunds.push(tool) > 0 };
  const cancel = (id: unknown) => ({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } }) as never;
  const one = await wire(options);
  await one.near.send({ jsonrpc: "2.0", id: 5, method: "ping" });
  await one.near.send(cancel(5));
  await one.near.send(call("fail", {}, 5));
  await one.settle();
  assert.deepEqual([refunds, one.ran], [[], []], "an answer under this id might be the other request's");
  assert.match(JSON.stringify(one.heard.at(-1)), /was cancelled/);
  const many = await wire(options);
  for (let id = 10; id < 1_020; id += 1) {
    await many.near.send({ jsonrpc: "2.0", id, method: "ping" });
    await many.near.send(cancel(id));
  }
  await many.settle();
  await many.near.send(call("fail", {}, 10));
  await many.settle();
  assert.deepEqual([refunds, many.ran], [[], []], "nor where there are many");
  const few = await wire(options);
  await few.near.send(call("fail", {}, 5));
  await few.settle();
  assert.deepEqual(refunds, ["fail"]);
});

test("a list whose request was cancelled is not passed on", async () => {
  const [near, far] = InMemoryTransport.createLinkedPair();
  guardTransport(far, Engine.fromString(POLICY));
  far.onmessage = () => {};
  const heard: unknown[] = [];
  near.onmessage = (message: JSONRPCMessage) => void heard.push(message);
  await near.send({ jsonrpc: "2.0", id: 5, method: "tools/list" });
  await near.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 5 } });
  await far.send({ jsonrpc: "2.0", id: 5, result: { tools: [{ name: "secret" }, { name: "pay" }] } });
  assert.deepEqual(heard, []);
});

test("a list is filtered for who asks, and is for nobody else", async () => {
  const policy = `{version: "1", default: deny, list: LIST, tools: {
    own: {require: [{path: identity.id, op: eq, value: alice}]},
    open: {require: [{path: server, op: eq, value: bank}]},
    lab: {require: [{path: server, op: eq, value: lab}]}}}`;
  const names = ["own", "open", "lab", "unlisted"];
  const asked: string[] = [];
  const errors: unknown[] = [];
  const nobody = () => {
    throw new RangeError("nobody knows");
  };
  const callers = [() => "alice", async () => "bob", nobody, async () => nobody()];
  const shown = async (list: string, times: number) => {
    let lists = 0;
    const identity: GuardOptions["identity"] = ({ method, tool }) => {
      asked.push(`${method} ${tool}`);
      return (callers[lists++] ?? nobody)();
    };
    const [near, far] = InMemoryTransport.createLinkedPair();
    guardTransport(far, Engine.fromString(policy.replace("LIST", list)), { identity, serverName: "bank", onError: (error) => void errors.push(error) });
    far.onmessage = (message: JSONRPCMessage) => {
      const { id } = message as { id: number };
      const tools = names.map((name) => ({ name, inputSchema: { type: "object" } }));
      void far.send({ jsonrpc: "2.0", id, result: { tools, ttlMs: 1000, ...(id === 2 ? {} : { cacheScope: "public" }) } });
    };
    const heard: unknown[] = [];
    near.onmessage = (message: JSONRPCMessage) => {
      const { result, error } = message as { result?: { tools: { name: string }[] }; error?: unknown };
      if (result === undefined) return heard.push(typeof error);
      const { tools, ...rest } = result;
      return heard.push([tools.map(({ name }) => name), rest]);
    };
    for (let id = 1; id <= times; id += 1) {
      await near.send({ jsonrpc: "2.0", id, method: "tools/list" });
      while (heard.length < id) await turn();
    }
    return heard;
  };
  // A list that may be kept is private, also where the server says nothing of that.
  const own = { ttlMs: 1000, cacheScope: "private" };
  const found = await shown("callable", 4);
  assert.deepEqual(found.slice(0, 2), [[["own", "open"], own], [["open"], own]]);
  // Where it is not known who asks, nothing is shown.
  assert.deepEqual(found.slice(2), ["object", "object"]);
  assert.equal(errors.length, 2);
  assert.deepEqual(await shown("all", 1), [[names, { ttlMs: 1000, cacheScope: "public" }]]);
  assert.deepEqual(asked, Array(5).fill("tools/list "), "whoever asks for a list calls no tool");
});

test("a call that names a task does not keep the guard's own list of tools from being answered", async () => {
  const tasks = { taskStore: new InMemoryTaskStore(), taskMessageQueue: new InMemoryTaskMessageQueue() };
  const server = new Server({ name: "low", version: "1" }, { capabilities: { tools: {} }, ...tasks });
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [{ name: "block", inputSchema: { type: "object" } }] }));
  server.setRequestHandler(CallToolRequestSchema, () => ({ content: [] }));
  guard(server, Engine.fromString(POLICY));
  const [near, far] = InMemoryTransport.createLinkedPair();
  const heard: unknown[] = [];
  near.onmessage = (message: JSONRPCMessage) => void heard.push((message as { id?: unknown }).id);
  await server.connect(far);
  const params = { name: "block", arguments: {}, _meta: { "io.modelcontextprotocol/related-task": { taskId: "none" } } };
  await near.send({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
  await near.send(call("block", {}, 2));
  for (let n = 0; n < 100; n += 1) await turn();
  // The SDK keeps the answer of the first for its task.
  assert.deepEqual(heard, [2]);
});
