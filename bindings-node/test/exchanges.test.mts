// Calls in rounds over HTTP (2026-07-28), where each request has a connection and a server of its own: who goes on with a call, until when, and how it
// ends. Servers of the official SDK; the client is the wire itself.

import assert from "node:assert/strict";
import { describe, mock, test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { Engine, Policy } from "callgate";
import { approveByElicitation, guard, guardTransport, type GuardOptions } from "callgate/mcp";
import { z } from "zod";

const POLICY = `
version: "1"
default: deny
tools:
  book: {limits: [{in_flight: 100, lease: 1h}, {counter: n, window: day, max: 100}]}
  ask: {rules: [{action: require_approval}], limits: [{counter: n, window: day, max: 100}]}
`;
const MINUTES = 60_000;
const FORM = { method: "elicitation/create", params: { mode: "form", message: "Which?", requestedSchema: { type: "object", properties: {} } } };

type Params = Record<string, unknown>;
interface Result {
  resultType?: string;
  isError?: boolean;
  requestState?: string;
  content?: { text: string }[];
}

/** A server whose `book` asks once, with a state that all of its calls share, and waits where it is told to. */
function served(options: GuardOptions = {}) {
  const engine = Engine.fromString(POLICY);
  const waiting: (() => void)[] = [];
  const ran: string[] = [];
  const states: unknown[] = [];
  const make = () => {
    const server = new McpServer({ name: "rounds", version: "1" });
    const inputSchema = z.looseObject({});
    server.registerTool("ask", { inputSchema }, () => (ran.push("ask"), { content: [{ type: "text", text: "asked" }] }));
    server.registerTool("book", { inputSchema }, async (args, { mcpReq }) => {
      ran.push("book");
      states.push(mcpReq.requestState());
      if (args["wait"] === true) await new Promise<void>((resolve) => waiting.push(resolve));
      if (args["wait"] === true || mcpReq.requestState() === "state") return { content: [{ type: "text", text: "booked" }] };
      return { resultType: "input_required", inputRequests: { which: FORM }, requestState: "state" } as never;
    });
    return guard(server, engine, { identity: ({ authInfo }) => authInfo?.clientId, ...options });
  };
  const handler = createMcpHandler(make, { legacy: "reject" });
  const call = async (caller: string, name: string, more: Params = {}, args: Params = {}): Promise<Result> => {
    const about = { protocolVersion: "2026-07-28", clientInfo: { name: "test", version: "1" }, clientCapabilities: { elicitation: { form: {} } } };
    const _meta = Object.fromEntries(Object.entries(about).map(([key, value]) => [`io.modelcontextprotocol/${key}`, value]));
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": name };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args, ...more, _meta } });
    const answer = await handler.fetch(new Request("http://127.0.0.1/mcp", { method: "POST", headers, body }), { authInfo: { token: "t", clientId: caller, scopes: [] } });
    return ((await answer.json()) as { result: Result }).result;
  };
  const held = (tool: string, counter: string) => engine.counters().find((one) => one.entry === tool && one.counter === counter)?.used ?? "0";
  return { engine, call, held, waiting, ran, states };
}

const again = (requestState: unknown = "state") => ({ requestState, inputResponses: { which: { action: "accept", content: {} }, callgate: { action: "accept", content: {} } } });

/** Time that passes when it is told to, for timers and clocks alike. */
function time(t: TestContext): (millis: number) => void {
  let passed = 0;
  const { now } = performance;
  const clock = mock.method(performance, "now", () => now.call(performance) + passed);
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => {
    clock.mock.restore();
    mock.timers.reset();
  });
  return (millis) => {
    passed += millis;
    mock.timers.tick(millis);
  };
}

describe("a call between two rounds", () => {
  test("is in flight until its client comes again", async () => {
    const { call, held } = served();
    assert.equal((await call("alice", "book")).resultType, "input_required");
    assert.deepEqual([held("book", "n"), held("book", "_in_flight")], ["1", "1"]);
    assert.equal((await call("alice", "book", again())).content?.[0]?.text, "booked");
    assert.deepEqual([held("book", "n"), held("book", "_in_flight")], ["1", "0"]);
  });

  test("goes on once", async () => {
    const { call, held } = served();
    await call("alice", "book");
    for (const charges of ["1", "2"]) {
      await call("alice", "book", again());
      assert.equal(held("book", "n"), charges);
    }
  });

  test("goes on although another caller knows its state, and runs meanwhile", async () => {
    const { call, held, waiting } = served();
    await call("alice", "book");
    const others = call("bob", "book", again(), { wait: true });
    while (waiting.length === 0) await turn();
    assert.equal(held("book", "n"), "2");
    await call("alice", "book", again());
    assert.equal(held("book", "n"), "2", "it is the call that alice began");
    waiting[0]?.();
    await others;
    assert.deepEqual([held("book", "n"), held("book", "_in_flight")], ["2", "0"]);
  });

  test("has ended after ten minutes, whatever comes with its state meanwhile", async (t) => {
    const passes = time(t);
    const { call, held } = served();
    await call("alice", "book");
    passes(9 * MINUTES);
    await call("bob", "book", again());
    assert.equal(held("book", "_in_flight"), "1");
    passes(1 * MINUTES);
    assert.equal(held("book", "_in_flight"), "0", "it timed out");
    await call("alice", "book", again());
    assert.equal(held("book", "n"), "3", "it is another call");
  });

  test("ends where another policy is in force when it comes again", async () => {
    const { engine, call, held } = served();
    await call("alice", "book");
    engine.replace(Policy.fromString(`${POLICY}  other: {}\n`));
    await call("alice", "book", again());
    assert.deepEqual([held("book", "n"), held("book", "_in_flight")], ["2", "0"]);
  });
});

test("a server sees no state of the guard's, whoever made it", async () => {
  const { call, states } = served({ onApproval: approveByElicitation() });
  await call("alice", "book", again(`callgate.ask.${"x".repeat(32)}`));
  assert.deepEqual(states, [undefined]);
});

test("a question that nobody answers in ten minutes has ended, and its call with it", async (t) => {
  const passes = time(t);
  const { call, ran } = served({ onApproval: approveByElicitation(), maxWaiting: 1 });
  const { requestState } = await call("alice", "ask");
  assert.match(String(requestState), /^callgate\.ask\./);
  assert.equal((await call("alice", "ask")).isError, true, "another one has no place");
  passes(10 * MINUTES);
  const late = await call("alice", "ask", again(requestState));
  assert.equal(late.resultType, "input_required", "somebody is asked anew");
  assert.deepEqual(ran, []);
  assert.equal((await call("alice", "ask", again(late.requestState))).content?.[0]?.text, "asked");
});

test("a thousand calls between two rounds hold one timer", async () => {
  const { setTimeout: set, clearTimeout: clear } = globalThis;
  const live = new Set<unknown>();
  const ends: number[] = [];
  globalThis.setTimeout = ((callback: () => void, millis: number) => {
    const timer = set(callback, millis);
    live.add(timer);
    ends.push(millis);
    return timer;
  }) as never;
  globalThis.clearTimeout = (timer) => {
    live.delete(timer);
    clear(timer);
  };
  try {
    const engine = Engine.fromString(`{version: "1", default: deny, tools: {book: {}}}`);
    const [near, far] = InMemoryTransport.createLinkedPair();
    guardTransport(far, engine, { checkArgs: false });
    far.onmessage = (message: JSONRPCMessage) => {
      const { id } = message as { id: number };
      void far.send({ jsonrpc: "2.0", id, result: { resultType: "input_required", inputRequests: { which: FORM }, requestState: `state ${id}` } } as never);
    };
    let asked = 0;
    near.onmessage = () => void (asked += 1);
    await near.send({ jsonrpc: "2.0", id: 0, method: "initialize", params: {} });
    for (let id = 1; id <= 1_000; id += 1) await near.send({ jsonrpc: "2.0", id, method: "tools/call", params: { name: "book", arguments: {} } });
    while (asked < 1_001) await turn();
    assert.equal(live.size, 1);
    assert.ok(ends.every((millis) => millis > 9 * MINUTES));
    await far.close();
    assert.equal(live.size, 0);
  } finally {
    Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
  }
});
