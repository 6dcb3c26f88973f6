// `guardTransport`, with anything behind it: what the guard does where nobody receives, where sending fails, and where the host itself closes. The transport
// is the SDK's; what stands behind it is the test's.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { Engine } from "callgate";
import { approveByElicitation, guardTransport, type GuardOptions } from "callgate/mcp";

const POLICY = `
version: "1"
default: deny
tools:
  pay: {limits: [{counter: n, window: day, max: 9}]}
  busy: {limits: [{in_flight: 5, lease: 1h}]}
  ask: {rules: [{action: require_approval}]}
`;

interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly result?: { readonly isError?: boolean };
  readonly error?: { readonly code: number };
  readonly params?: Record<string, unknown>;
}

/** A guarded transport. `before` changes it first; `heard` is what its client gets, and `received` what comes to the server. */
function wired(options: GuardOptions = {}, before: (far: InMemoryTransport) => void = () => {}) {
  const engine = Engine.fromString(POLICY);
  const [near, far] = InMemoryTransport.createLinkedPair();
  const [heard, received]: [Message[], Message[]] = [[], []];
  before(far);
  guardTransport(far, engine, { checkArgs: false, ...options });
  near.onmessage = (message) => void heard.push(message as Message);
  // The guard's own request for tools is nobody's here.
  far.onmessage = (message) => void ("method" in message && message.method === "tools/list" ? 0 : received.push(message as Message));
  const used = (tool: string) => engine.counters().find(({ entry }) => entry === tool)?.used ?? "0";
  return { engine, near, far, heard, received, used };
}

const call = (name: string, id: number, more: object = {}) => ({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: {}, ...more } }) as JSONRPCMessage;
const initialize = (capabilities: object) => ({ jsonrpc: "2.0", id: 0, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities, clientInfo: { name: "test", version: "1" } } }) as JSONRPCMessage;

async function settle(): Promise<void> {
  for (let n = 0; n < 25; n += 1) await turn();
}

test("a call that nobody receives costs nothing, and its client is told", async () => {
  let identify = (_: string) => {};
  const errors: unknown[] = [];
  const { near, far, heard, used } = wired({ identity: () => new Promise((resolve) => (identify = resolve)), onError: (error) => errors.push(error) });
  await near.send(call("pay", 1));
  await settle();
  (far as { onmessage?: unknown }).onmessage = undefined;
  identify("alice");
  await settle();
  assert.deepEqual([used("pay"), heard.map(({ id, error }) => [id, typeof error]), errors.length], ["0", [[1, "object"]], 1]);
});

test("who sends hears that it failed, and the transport gets the options of who sends", async () => {
  const options = { relatedRequestId: 7, resumptionToken: "token" };
  const seen: unknown[] = [];
  const { far } = wired({}, (transport) => {
    transport.send = async (message: JSONRPCMessage, given?: unknown) => {
      seen.push(given);
      if ("method" in message && message.method === "notifications/message") throw new Error("the pipe is broken");
    };
  });
  await assert.rejects(far.send({ jsonrpc: "2.0", method: "notifications/message", params: {} }, options as never), /the pipe is broken/);
  await far.send({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: 1, progress: 1 } }, options as never);
  assert.deepEqual(seen, [options, options]);
});

const ENDS: Record<string, (far: InMemoryTransport) => unknown> = {
  "the host closes the transport, which says nothing": (far) => far.close(),
  "the transport says that it is closed": (far) => far.onclose?.(),
};
for (const [what, ends] of Object.entries(ENDS)) {
  test(`a call that waits ends where ${what}`, async () => {
    let aborted: AbortSignal | undefined;
    let approve = (_: boolean) => {};
    const onApproval: GuardOptions["onApproval"] = ({ signal }) => {
      aborted = signal;
      return new Promise((resolve) => (approve = resolve));
    };
    const { near, far, received } = wired({ onApproval }, (transport) => void (transport.close = async () => {}));
    await near.send(call("ask", 1));
    await settle();
    await ends(far);
    assert.equal(aborted?.aborted, true);
    approve(true);
    await settle();
    assert.deepEqual(received, []);
  });
}

test("a task that was accepted stays in flight", async () => {
  const { near, far, used } = wired();
  await near.send(initialize({}));
  await far.send({ jsonrpc: "2.0", id: 0, result: {} });
  for (const [id, more] of [[1, { task: { ttl: 1_000 } }], [2, {}]] as const) {
    await near.send(call("busy", id, more));
    await settle();
    const task = { taskId: "t", status: "working", createdAt: "2026-11-30T10:00:00Z", lastUpdatedAt: "2026-11-30T10:00:00Z", ttl: 1_000 };
    await far.send({ jsonrpc: "2.0", id, result: id === 1 ? { task } : { content: [] } } as never);
  }
  assert.equal(used("busy"), "1");
});

describe("a client that waits for a person", () => {
  test("hears of no progress once it has its answer", { timeout: 20_000 }, async () => {
    const { near, far, heard, received } = wired({ onApproval: () => sleep(1_100, true) });
    await near.send(call("ask", 1, { _meta: { progressToken: "p" } }));
    while (received.length === 0) await sleep(10);
    await far.send({ jsonrpc: "2.0", id: 1, result: { content: [] } });
    const { length } = heard;
    assert.ok(length > 1);
    await sleep(1_200);
    assert.equal(heard.length, length);
  });

  test("is told that nobody wants its answer any more, and what it answers then lets nothing through", async () => {
    const { near, heard, received } = wired({ onApproval: approveByElicitation() });
    await near.send(initialize({ elicitation: {} }));
    await near.send(call("ask", 1));
    await settle();
    const question = heard.find(({ method }) => method === "elicitation/create") ?? assert.fail("nobody was asked");
    await near.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } });
    await settle();
    const taken = heard.find(({ method }) => method === "notifications/cancelled");
    assert.equal(taken?.params?.["requestId"], question.id);
    await near.send({ jsonrpc: "2.0", id: question.id, result: { action: "accept", content: {} } } as never);
    await settle();
    assert.deepEqual(received.filter(({ method }) => method === undefined || method === "tools/call"), []);
  });
});
