// Calls that wait for a person: asked by elicitation in sessions and in rounds, filed in the store, and what ends the waiting. Clients and servers
// of the official SDKs.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, mock, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client as Client2, StreamableHTTPClientTransport as HttpClient2 } from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { createMcpHandler, McpServer as McpServer2, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import { Engine, Store } from "callgate";
import { type ApprovalRequest, approveByElicitation, approveByStore, guard, type GuardOptions } from "callgate/mcp";
import { z } from "zod";

const POLICY = `
version: "1"
default: deny
tools:
  pay: {rules: [{name: large, action: require_approval}]}
  mail: {rules: [{action: require_approval, approval: {uses: 2, valid_for: 10m}}]}
`;
const inputSchema = z.object({ amount: z.number(), to: z.string().optional() });

type Answer = { content: { text: string }[]; isError?: boolean; _meta?: Record<string, unknown> };
type Asked = { message: string; requestedSchema?: unknown };
type Reply = { action: "accept" | "decline" | "cancel"; content?: Record<string, unknown> };
type Asks = (asked: Asked) => Reply | Promise<Reply>;
interface Peer {
  call(tool: string, args: Record<string, unknown>, options?: object): Promise<Answer>;
  close(): Promise<void>;
}

const YES: Reply = { action: "accept", content: {} };
const text = ({ content }: Answer) => content.map((part) => part.text).join();

/** The server's tools, which note what they ran with. */
function tools(server: { registerTool(name: string, config: { inputSchema: never }, handler: never): unknown }, ran: unknown[]): void {
  for (const name of ["pay", "mail"]) {
    const handler = (args: unknown, context: { mcpReq?: { inputResponses?: unknown; requestState?: () => unknown } }) => {
      ran.push(args);
      const { inputResponses, requestState } = context.mcpReq ?? {};
      assert.deepEqual([inputResponses, requestState?.()], [undefined, undefined], "the server sees nothing of the guard's");
      return { content: [{ type: "text", text: `${name} ran` }] };
    };
    server.registerTool(name, { inputSchema: inputSchema as never }, handler as never);
  }
}

const first = (ran: unknown[]) => {
  const server = new McpServer({ name: "first", version: "1" });
  tools(server as never, ran);
  return server;
};
const second = (ran: unknown[]) => {
  const server = new McpServer2({ name: "second", version: "1" });
  tools(server as never, ran);
  return server;
};

async function client1(transport: unknown, asks?: Asks): Promise<Peer> {
  const client = new Client({ name: "test", version: "1" }, asks ? { capabilities: { elicitation: {} } } : {});
  if (asks) client.setRequestHandler(ElicitRequestSchema, ({ params }) => asks(params as Asked) as never);
  await client.connect(transport as never);
  return {
    call: (name, args, options) => client.callTool({ name, arguments: args }, undefined, options) as unknown as Promise<Answer>,
    close: () => client.close(),
  };
}

async function client2(transport: unknown, asks?: Asks, mode: "legacy" | "auto" = "legacy"): Promise<Peer> {
  const client = new Client2({ name: "test", version: "1" }, { versionNegotiation: { mode }, ...(asks ? { capabilities: { elicitation: { form: {} } } } : {}) });
  if (asks) client.setRequestHandler("elicitation/create", ({ params }) => asks(params as Asked) as never);
  await client.connect(transport as never);
  return {
    call: (name, args, options) => client.callTool({ name, arguments: args }, options) as unknown as Promise<Answer>,
    close: () => client.close(),
  };
}

interface Served {
  connect(asks?: Asks): Promise<Peer>;
  ran: unknown[];
}
type Serve = (engine: Engine, options: GuardOptions) => Served;

/** In memory: a server for each client, all with one engine. */
const inMemory =
  (make: typeof first | typeof second, client: typeof client1): Serve =>
  (engine, options) => {
    const ran: unknown[] = [];
    const connect = async (asks?: Asks) => {
      const [near, far] = InMemoryTransport.createLinkedPair();
      await guard(make(ran) as ReturnType<typeof first>, engine, options).connect(far);
      return client(near, asks);
    };
    return { connect, ran };
  };

const URL_ = "http://127.0.0.1/mcp";

/** Streamable HTTP with sessions, without a network. */
const withSessions: Serve = (engine, options) => {
  const ran: unknown[] = [];
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
  const fetch = async (url: unknown, init?: RequestInit) => {
    const request = new Request(String(url), init);
    let transport = sessions.get(request.headers.get("mcp-session-id") ?? "");
    if (transport === undefined) {
      const opened = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized: (id) => void sessions.set(id, opened) });
      transport = opened;
      await guard(second(ran), engine, options).connect(transport);
    }
    return transport.handleRequest(request);
  };
  return { connect: (asks) => client1(new StreamableHTTPClientTransport(new URL(URL_), { fetch: fetch as never }), asks), ran };
};

/** The bodies that a client of 2026-07-28 sent. */
const sent: { url: string; init: RequestInit }[] = [];
let serveAgain: (request: Request) => Promise<Response>;

/** 2026-07-28: a server for each request. */
const inRounds: Serve = (engine, options) => {
  const ran: unknown[] = [];
  const handler = createMcpHandler(() => guard(second(ran), engine, options), { legacy: "reject" });
  sent.length = 0;
  serveAgain = (request) => handler.fetch(request);
  const fetch = async (url: unknown, init: RequestInit = {}) => {
    sent.push({ url: String(url), init });
    return handler.fetch(new Request(String(url), init));
  };
  return { connect: (asks) => client2(new HttpClient2(new URL(URL_), { fetch: fetch as never }), asks, "auto"), ran };
};

const KINDS: Record<string, Serve> = {
  "sdk 1.x in memory": inMemory(first, client1),
  "server and client 2.x in memory": inMemory(second, client2),
  "HTTP with sessions": withSessions,
  "2026-07-28": inRounds,
};

for (const [kind, serve] of Object.entries(KINDS)) {
  describe(`elicitation, ${kind}`, () => {
    const started = (options: GuardOptions = { onApproval: approveByElicitation() }) => serve(Engine.fromString(POLICY), options);

    test("a yes lets the call through, once", { timeout: 20_000 }, async () => {
      const { connect, ran } = started();
      const asks = mock.fn<Asks>(() => YES);
      const peer = await connect(asks);
      assert.equal(text(await peer.call("pay", { amount: 5, to: "b\u202eob" })), "pay ran");
      assert.deepEqual(ran, [{ amount: 5, to: "b\u202eob" }]);
      const asked = asks.mock.calls[0]?.arguments[0]?.message ?? "";
      assert.match(asked, /^Rule "large" needs approval\nTool: pay\nArguments: \{"amount":5,"to":"b\\u202eob"\}\nAsked by: large$/);
      assert.equal(text(await peer.call("pay", { amount: 5, to: "b\u202eob" })), "pay ran");
      assert.equal(asks.mock.callCount(), 2, "one yes is for one call");
      await peer.close();
    });

    for (const [what, reply] of Object.entries({
      "a no": { action: "decline" },
      "a cancelled form": { action: "cancel" },
    }) as [string, Reply][]) {
      test(`${what} refuses it`, { timeout: 20_000 }, async () => {
        const { connect, ran } = started();
        const peer = await connect(() => reply);
        const answer = await peer.call("pay", { amount: 5 });
        assert.deepEqual([answer.isError, answer._meta?.["callgate/code"]], [true, "approval_required"]);
        assert.match(String(answer._meta?.["callgate/approval_key"]), /^ak1:/);
        assert.deepEqual(ran, []);
        await peer.close();
      });
    }

    test("a client that cannot be asked is refused as if nobody could be", { timeout: 20_000 }, async () => {
      const { connect, ran } = started();
      const peer = await connect();
      assert.equal((await peer.call("pay", { amount: 5 }))._meta?.["callgate/code"], "approval_required");
      assert.deepEqual(ran, []);
      await peer.close();
    });

    test("nobody is asked about a call that is too long to be read", { timeout: 20_000 }, async () => {
      const { connect, ran } = started();
      const asks = mock.fn<Asks>(() => YES);
      const peer = await connect(asks);
      assert.equal((await peer.call("pay", { amount: 5, to: "x".repeat(10_000) }))._meta?.["callgate/code"], "approval_required");
      assert.deepEqual([asks.mock.callCount(), ran], [0, []]);
      await peer.close();
    });

    test("only the client that calls is asked", { timeout: 20_000 }, async () => {
      const { connect, ran } = started();
      const asks = [mock.fn<Asks>(() => YES), mock.fn<Asks>(() => YES)] as const;
      const peers = [await connect(asks[0]), await connect(asks[1])] as const;
      assert.equal(text(await peers[1].call("pay", { amount: 1 })), "pay ran");
      assert.deepEqual([asks[0].mock.callCount(), asks[1].mock.callCount(), ran.length], [0, 1, 1]);
      for (const peer of peers) await peer.close();
    });

    test("a yes is kept for as many calls as the rules say", { timeout: 20_000 }, async () => {
      const { connect, ran } = started();
      const asks = mock.fn<Asks>(() => YES);
      const peer = await connect(asks);
      for (const times of [1, 1, 2]) {
        assert.equal(text(await peer.call("mail", { amount: 1 })), "mail ran");
        assert.equal(asks.mock.callCount(), times);
      }
      assert.equal(ran.length, 3);
      await peer.close();
    });

    test("a callback of one's own asks, and decides what it means", { timeout: 20_000 }, async () => {
      const onApproval = async ({ elicit, tool }: ApprovalRequest) => (await elicit(`really ${tool}?`, { type: "object", properties: {} })).action === "accept";
      const { connect } = started({ onApproval });
      const asks = mock.fn<Asks>(() => ({ action: "accept", content: {} }));
      const peer = await connect(asks);
      assert.equal(text(await peer.call("pay", { amount: 5 })), "pay ran");
      assert.equal(asks.mock.calls[0]?.arguments[0]?.message, "really pay?");
      await peer.close();
    });

    test("progress is told while it waits", { timeout: 20_000 }, async () => {
      const { connect } = started({ onApproval: () => sleep(2_300, true) });
      const peer = await connect();
      const told: { progress: number; message?: string }[] = [];
      assert.equal(text(await peer.call("pay", { amount: 5 }, { onprogress: (progress: never) => told.push(progress) })), "pay ran");
      assert.equal(told.length, 2);
      assert.ok((told[0]?.progress ?? 1) < (told[1]?.progress ?? 0));
      assert.match(told[0]?.message ?? "", /waits for a person/);
      await peer.close();
    });

    test("above the ceiling of a caller a call is answered at once", { timeout: 20_000 }, async () => {
      const answers: ((yes: boolean) => void)[] = [];
      let caller = "alice";
      const { connect } = started({ onApproval: () => new Promise((resolve) => answers.push(resolve)), maxWaiting: 1, identity: () => caller });
      const [one, two] = [await connect(), await connect()];
      const waits = one.call("pay", { amount: 1 });
      while (answers.length < 1) await sleep(1);
      assert.equal((await two.call("pay", { amount: 2 }))._meta?.["callgate/code"], "approval_required");
      caller = "bob";
      const others = two.call("pay", { amount: 3 });
      while (answers.length < 2) await sleep(1);
      answers.forEach((answer) => answer(true));
      assert.deepEqual([text(await waits), text(await others)], ["pay ran", "pay ran"]);
      caller = "alice";
      const again = one.call("pay", { amount: 1 });
      while (answers.length < 3) await sleep(1);
      answers[2]?.(true);
      assert.equal(text(await again), "pay ran", "its place is free again");
      await one.close();
      await two.close();
    });
  });
}

describe("elicitation in sessions", () => {
  test("a call that its client cancels takes the question back, and a yes that comes later is dropped", { timeout: 20_000 }, async () => {
    const { connect, ran } = inMemory(first, client1)(Engine.fromString(POLICY), { onApproval: approveByElicitation() });
    let yes = (_: Reply) => {};
    const peer = await connect(() => new Promise((resolve) => (yes = resolve)));
    const abort = new AbortController();
    const call = peer.call("pay", { amount: 5 }, { signal: abort.signal });
    await sleep(50);
    abort.abort();
    await assert.rejects(call);
    yes(YES);
    await sleep(50);
    assert.deepEqual(ran, []);
    await peer.close();
  });

  test("the answer to the guard is for the guard: the server never sees it", { timeout: 20_000 }, async () => {
    const [near, far] = InMemoryTransport.createLinkedPair();
    const server = first([]);
    guard(server, Engine.fromString(POLICY), { onApproval: approveByElicitation() });
    await server.connect(far);
    const errors: Error[] = [];
    server.server.onerror = (error) => errors.push(error);
    const peer = await client1(near, () => YES);
    assert.equal(text(await peer.call("pay", { amount: 5 })), "pay ran");
    assert.deepEqual(errors, [], "a response to nobody is an error of the SDK's server");
    await peer.close();
  });
});

describe("elicitation in rounds", () => {
  /** The request that brought the answer. */
  const answered = () => sent.find(({ init }) => String(init.body).includes("requestState")) ?? assert.fail("no round was answered");
  const again = async (change: (body: { params: Record<string, unknown> }) => void = () => {}) => {
    const { url, init } = answered();
    const body = JSON.parse(String(init.body)) as { params: Record<string, unknown> };
    change(body);
    const response = await serveAgain(new Request(url, { ...init, body: JSON.stringify(body) }));
    return (await response.json()) as { result: { resultType: string; requestState?: string; isError?: boolean } };
  };

  test("an answer is for one call: it is not taken twice", { timeout: 20_000 }, async () => {
    const { connect, ran } = inRounds(Engine.fromString(POLICY), { onApproval: approveByElicitation() });
    const peer = await connect(() => YES);
    assert.equal(text(await peer.call("pay", { amount: 5 })), "pay ran");
    assert.equal((await again()).result.resultType, "input_required");
    assert.equal(ran.length, 1);
    await peer.close();
  });

  for (const [what, change, identity] of [
    ["other arguments", (params) => (params["arguments"] = { amount: 6 }), undefined],
    ["another tool", (params) => (params["name"] = "mail"), undefined],
    ["another caller", () => {}, "mallory"],
    ["a state that nobody gave", (params) => (params["requestState"] = `callgate.ask.${"x".repeat(32)}`), undefined],
  ] as [string, (params: Record<string, unknown>) => void, string | undefined][]) {
    test(`an answer is for its own call: with ${what} the client is asked anew`, { timeout: 20_000 }, async () => {
      let caller = "alice";
      let served: Served | undefined;
      served = inRounds(Engine.fromString(POLICY), { onApproval: approveByElicitation(), identity: () => caller });
      const peer = await served.connect(() => {
        throw new Error("the person is away");
      });
      await assert.rejects(peer.call("pay", { amount: 5 }));
      const { url, init } = sent.at(-1) ?? assert.fail();
      const headers = new Headers(init.headers);
      const body = JSON.parse(String(init.body)) as { params: Record<string, unknown> };
      const question = (await (await serveAgain(new Request(url, init))).json()) as { result: { requestState: string } };
      body.params["requestState"] = question.result.requestState;
      body.params["inputResponses"] = { callgate: YES };
      change(body.params);
      if (headers.has("mcp-name")) headers.set("mcp-name", String(body.params["name"]));
      caller = identity ?? caller;
      const response = await serveAgain(new Request(url, { ...init, headers, body: JSON.stringify(body) }));
      const { result } = (await response.json()) as { result: { resultType: string; requestState: string } };
      assert.equal(result.resultType, "input_required");
      assert.notEqual(result.requestState, question.result.requestState);
      assert.deepEqual(served.ran, []);
      await peer.close();
    });
  }
});

describe("the store's approvals", () => {
  const started = (options: Parameters<typeof approveByStore>[0] = {}, more: GuardOptions = {}) => {
    const store = new Store("memory");
    const engine = Engine.fromString(POLICY, { store });
    return { store, ...inMemory(first, client1)(engine, { onApproval: approveByStore(options), serverName: "bank", identity: () => ({ id: "alice" }), ...more }) };
  };

  test("a call is filed, and the same call finds what a person answered", async () => {
    const { store, connect, ran } = started();
    const peer = await connect();
    const answer = await peer.call("pay", { amount: 5 });
    const id = String(answer._meta?.["callgate/approval_id"]);
    assert.equal(text(answer), `Rule "large" needs approval\nIt waits for a person's approval as ${id}. Once it is approved, make the same call again.`);
    assert.equal(answer._meta?.["callgate/code"], "approval_required");
    const [record, ...others] = await store.approvals();
    assert.deepEqual(others, []);
    const { tool, caller, server, rules, state, uses } = record ?? assert.fail();
    assert.deepEqual([record?.id, tool, caller, server, rules, state, uses], [id, "pay", "alice", "bank", ["large"], "pending", 1]);
    assert.deepEqual((await store.approval(id.toUpperCase()))?.args, { kind: "full", text: '{"amount":5}', bytes: 12 });
    assert.match(text(await peer.call("pay", { amount: 5 })), new RegExp(`as ${id}`), "the same call is the same record");

    assert.equal((await store.denyApproval(id, { by: "ann" }))?.state, "denied");
    assert.match(text(await peer.call("pay", { amount: 5 })), /A person has denied it/);
    assert.deepEqual([(await store.grantApproval(id, { by: "ann", forMs: 60_000 }))?.by, ran.length], ["ann", 0]);
    assert.equal(text(await peer.call("pay", { amount: 5 })), "pay ran");
    await assert.rejects(store.grantApproval(id, { by: "ann" }), { code: "approval_used" });
    const next = await peer.call("pay", { amount: 5 });
    assert.notEqual(next._meta?.["callgate/approval_id"], id, "a grant lets one call through");
    assert.equal(await store.grantApproval("00000000", { by: "ann" }), null);
    assert.equal(ran.length, 1);
    await peer.close();
  });

  test("a program answers what a guarded server filed", async () => {
    const store = new Store("memory");
    const engine = Engine.fromString(POLICY, { store });
    const ran: unknown[] = [];
    const server = first(ran);
    guard(server, engine, { onApproval: approveByStore(), serverName: "bank" });
    const [near, far] = InMemoryTransport.createLinkedPair();
    await server.connect(far);
    const peer = await client1(near);
    for (const amount of [5, 500]) assert.equal((await peer.call("pay", { amount })).isError, true);
    const isFine = (filed: Awaited<ReturnType<Store["approval"]>>) => filed?.server === "bank" && JSON.stringify(filed.args).includes(":5}");
    for (const { id, state } of await store.approvals()) {
      if (state === "pending" && isFine(await store.approval(id))) await store.grantApproval(id, { by: "ann" });
    }
    for (const amount of [5, 500]) await peer.call("pay", { amount });
    assert.deepEqual(ran, [{ amount: 5 }]);
    await peer.close();
  });

  test("a call waits for the answer as long as it is told, and one that came too late is found", { timeout: 20_000 }, async () => {
    const { store, connect, ran } = started({ waitMs: 3_000, args: "keys" });
    const peer = await connect();
    const waits = peer.call("pay", { amount: 5 });
    let id: string | undefined;
    while ((id = (await store.approvals())[0]?.id) === undefined) await sleep(5);
    assert.deepEqual((await store.approval(id))?.args, { kind: "keys", keys: ["amount"] });
    await store.grantApproval(id, { by: "ann" });
    assert.equal(text(await waits), "pay ran");

    const gone = new AbortController();
    const late = peer.call("pay", { amount: 6 }, { signal: gone.signal });
    while ((id = (await store.approvals()).find(({ state }) => state === "pending")?.id) === undefined) await sleep(5);
    gone.abort();
    await assert.rejects(late);
    await store.grantApproval(id, { by: "ann" });
    await sleep(700);
    assert.equal(ran.length, 1, "waiting ends with the caller");
    assert.equal(text(await peer.call("pay", { amount: 6 })), "pay ran");
    await peer.close();
  });
});
