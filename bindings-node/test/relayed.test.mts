// What the relay keeps behind `guard` and `guardTransport`, with the SDKs' own servers and clients: rounds of a call, requests of other methods,
// lists, reloads, pages; and the reservation of the call that runs.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Client as Client2, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer, ResourceTemplate } from "@modelcontextprotocol/sdk/server/mcp.js";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import {
  CallToolRequestSchema, CreateMessageRequestSchema, ElicitRequestSchema, ListToolsRequestSchema, type JSONRPCMessage, ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { createMcpHandler, inputRequired, McpServer as McpServer2 } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { currentReservation, Engine, Policy, type Reservation } from "callgate";
import { guard, guardTransport, type GuardOptions } from "callgate/mcp";
import { z } from "zod";

const settle = async () => {
  for (let n = 0; n < 25; n += 1) await turn();
};
const used = (engine: Engine, tool: string) => engine.explain(tool, {}).decision.counters[0]?.used;
const textOf = (answer: unknown) => (answer as { content: { text: string }[] }).content[0]?.text ?? "";

/** A client of the first SDK, connected to a guarded server of it. */
async function connected(server: McpServer | Server, engine: Engine, options: GuardOptions = {}, client = new Client({ name: "test", version: "1" })): Promise<Client> {
  guard(server, engine, options);
  const [near, far] = InMemoryTransport.createLinkedPair();
  await server.connect(far);
  await client.connect(near);
  return client;
}

for (const over of ["stdio", "http"]) describe(`a call of several rounds (2026-07-28) over ${over}`, () => {
  const POLICY = `
version: "1"
default: deny
tools:
  book: {rules: [{action: require_approval}], limits: [{counter: n, window: day, max: 5}]}
  plain: {limits: [{counter: n, window: day, max: 5}]}
`;
  const form = { type: "object" as const, properties: { ok: { type: "boolean" as const } } };

  async function rounds(options: GuardOptions, policy = POLICY) {
    const engine = Engine.fromString(policy);
    const ran: string[] = [];
    const elicited: string[] = [];
    const make = () => {
      const server = new McpServer2({ name: "rounds", version: "1" });
      for (const name of ["book", "plain"]) {
        server.registerTool(name, { inputSchema: z.object({ to: z.string() }) }, async ({ to }, { mcpReq }) => {
          ran.push(name);
          const { size } = new Set(Object.keys(mcpReq.inputResponses ?? {}));
          if (size > 0 && mcpReq.requestState() === "second") return { content: [{ type: "text", text: `${name} ${to}` }] };
          const requestState = mcpReq.requestState() === "first" ? "second" : "first";
          return inputRequired({ inputRequests: { sure: inputRequired.elicit({ message: `${requestState}?`, requestedSchema: form }) }, requestState });
        });
      }
      return guard(server, engine, options);
    };
    const client = new Client2({ name: "test", version: "1" }, { capabilities: { elicitation: {} }, versionNegotiation: { mode: "auto" } });
    client.setRequestHandler("elicitation/create", async ({ params }) => {
      elicited.push(params.message);
      return { action: "accept", content: { ok: true } };
    });
    if (over === "http") {
      // A server and a connection for each request.
      const handler = createMcpHandler(make);
      const fetched = (url: string | URL, init?: RequestInit) => handler.fetch(new Request(url, init));
      await client.connect(new StreamableHTTPClientTransport(new URL("http://localhost/mcp"), { fetch: fetched }));
    } else {
      const [near, far] = InMemoryTransport.createLinkedPair();
      serveStdio(make, { transport: far as never });
      await client.connect(near as never);
    }
    return { engine, client, ran, elicited };
  }

  test("is charged and approved once", async () => {
    let asked = 0;
    const { engine, client, ran, elicited } = await rounds({ onApproval: () => (asked += 1) > 0 });
    assert.equal(textOf(await client.callTool({ name: "book", arguments: { to: "rome" } })), "book rome");
    assert.deepEqual([ran.length, elicited, asked, used(engine, "book")], [3, ["first?", "second?"], 1, "1"]);
  });

  test("is another call where its arguments, or its state, are others", async () => {
    const { engine, client, ran } = await rounds({});
    const again = (args: object, requestState: string) =>
      client.callTool({ name: "plain", arguments: args, requestState, inputResponses: { sure: { action: "accept" } } } as never, { allowInputRequired: true } as never);
    await again({ to: "rome" }, "made up");
    assert.equal(used(engine, "plain"), "1");
    await again({ to: "oslo" }, "first");
    assert.equal(used(engine, "plain"), "2", "the state is that of a call with other arguments");
    await again({ to: "oslo" }, "second");
    assert.deepEqual([used(engine, "plain"), ran.length], ["2", 3]);
    await again({ to: "oslo" }, "second");
    assert.deepEqual([used(engine, "plain"), ran.length], ["3", 4], "a state goes on once");
  });

  test("goes on beside another one to which the server gave the same state", async () => {
    const { engine, client } = await rounds({});
    const again = (to: string, requestState: string) =>
      client.callTool({ name: "plain", arguments: { to }, requestState, inputResponses: { sure: { action: "accept" } } } as never, { allowInputRequired: true } as never);
    for (const to of ["rome", "oslo"]) await again(to, "made up");
    assert.equal(used(engine, "plain"), "2");
    for (const state of ["first", "second"]) for (const to of ["rome", "oslo"]) await again(to, state);
    assert.equal(used(engine, "plain"), "2");
  });

  test("is decided anew once another policy is in force", async () => {
    const { engine, client } = await rounds({});
    const again = (requestState: string) =>
      client.callTool({ name: "plain", arguments: { to: "rome" }, requestState, inputResponses: { sure: { action: "accept" } } } as never, { allowInputRequired: true } as never);
    await again("made up");
    engine.replace(Policy.fromString(`${POLICY}\nhide: [plain]\n`));
    assert.match(textOf(await again("first")), /hidden by policy/);
  });

  test("has the questions of its answers decided", async () => {
    const requests = `requests: {default: allow, methods: {elicitation/create: {deny_if: [{path: args.message, op: eq, value: "second?"}]}}}\n`;
    const { engine, client, elicited } = await rounds({}, `${POLICY}${requests}`);
    await assert.rejects(client.callTool({ name: "plain", arguments: { to: "rome" } }), { code: -31000 });
    assert.deepEqual([elicited, used(engine, "plain")], [["first?"], "1"]);
  });
});

describe("requests of other methods", () => {
  const POLICY = `
version: "1"
default: deny
list: callable
tools: {ask: {}}
requests:
  default: deny
  methods:
    resources/read:
      require: [{path: args.uri, op: starts_with, value: "file:///notes/"}]
      limits: [{counter: reads, window: day, max: 2}]
    prompts/get: {require: [{path: args.name, op: eq, value: review}]}
    elicitation/create: {deny_if: [{path: args.message, op: regex, value: "(?i)password"}]}
`;

  async function peer(options: GuardOptions = {}, policy = POLICY) {
    const engine = Engine.fromString(policy);
    const server = new McpServer({ name: "requests", version: "1" });
    const read: string[] = [];
    const contents = (uri: URL) => {
      read.push(uri.href);
      return { contents: [{ uri: uri.href, text: "text" }] };
    };
    for (const uri of ["file:///notes/a", "file:///keys"]) server.registerResource(uri, uri, {}, contents);
    server.registerResource("notes", new ResourceTemplate("file:///notes/{name}", { list: undefined }), {}, contents);
    for (const name of ["review", "deploy"]) {
      server.registerPrompt(name, {}, () => ({ messages: [{ role: "user", content: { type: "text", text: name } }] }));
    }
    server.registerTool("ask", { inputSchema: { message: z.string(), sample: z.boolean() } }, async ({ message, sample }) => {
      const asked = sample
        ? server.server.createMessage({ messages: [], maxTokens: 5 })
        : server.server.elicitInput({ message, requestedSchema: { type: "object", properties: {} } });
      const text = await asked.then((answer) => JSON.stringify(answer), (error: { code: number }) => `refused ${error.code}`);
      return { content: [{ type: "text", text }] };
    });
    const client = new Client({ name: "test", version: "1" }, { capabilities: { elicitation: {}, sampling: {} } });
    const asked: string[] = [];
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      asked.push(params.message);
      return { action: "accept", content: {} };
    });
    client.setRequestHandler(CreateMessageRequestSchema, () => {
      asked.push("sample");
      return { model: "m", role: "assistant", content: { type: "text", text: "t" } };
    });
    return { engine, read, asked, client: await connected(server, engine, options, client) };
  }

  test("of the client are decided, and counted", async () => {
    const { client, read } = await peer();
    for (let n = 0; n < 2; n += 1) await client.readResource({ uri: "file:///notes/a" });
    await assert.rejects(client.readResource({ uri: "file:///notes/a" }), (error: { code: number; data: unknown }) => {
      assert.equal(error.code, -31000);
      assert.equal((error.data as Record<string, unknown>)["callgate/code"], "limit_exceeded");
      return true;
    });
    await assert.rejects(client.readResource({ uri: "file:///keys" }), { code: -31000 });
    assert.deepEqual(read, ["file:///notes/a", "file:///notes/a"]);
    assert.equal((await client.getPrompt({ name: "review" })).messages.length, 1);
    await assert.rejects(client.getPrompt({ name: "deploy" }), { code: -31000 });
  });

  test("of the server are decided before the client sees them", async () => {
    const { client, asked } = await peer();
    const ask = async (message: string, sample = false) => textOf(await client.callTool({ name: "ask", arguments: { message, sample } }));
    assert.match(await ask("Which folder?"), /accept/);
    assert.equal(await ask("Your password?"), "refused -31000");
    assert.equal(await ask("", true), "refused -31000");
    assert.deepEqual(asked, ["Which folder?"]);
  });

  test("that ask for approval are asked about", async () => {
    const policy = POLICY.replace("elicitation/create:", "sampling/createMessage: {rules: [{action: require_approval}]}\n    elicitation/create:");
    const seen: unknown[] = [];
    const { client, asked } = await peer({ onApproval: ({ method, tool, arguments: args }) => seen.push([method, tool, args]) > 0 }, policy);
    assert.match(textOf(await client.callTool({ name: "ask", arguments: { message: "", sample: true } })), /assistant/);
    assert.deepEqual([asked, seen], [["sample"], [["sampling/createMessage", "", { messages: [], maxTokens: 5 }]]]);
  });

  test("that can never be allowed are left out of lists", async () => {
    const { client } = await peer();
    assert.deepEqual((await client.listResources()).resources.map(({ uri }) => uri), ["file:///notes/a"]);
    assert.deepEqual((await client.listResourceTemplates()).resourceTemplates.map(({ name }) => name), ["notes"]);
    assert.deepEqual((await client.listPrompts()).prompts.map(({ name }) => name), ["review"]);
  });

  test("pass where the policy says nothing of them", async () => {
    const { client } = await peer({}, POLICY.slice(0, POLICY.indexOf("requests:")));
    await client.readResource({ uri: "file:///keys" });
    assert.equal((await client.listPrompts()).prompts.length, 2);
    assert.match(textOf(await client.callTool({ name: "ask", arguments: { message: "Your password?", sample: false } })), /accept/);
  });
});

describe("lists of tools", () => {
  const POLICY = `{version: "1", default: deny, hide: [HIDDEN], tools: {one: {}, two: {deny_if: [{path: args.n, op: gt, value: 5}]}}}`;
  const policy = (hidden: string) => Policy.fromString(POLICY.replace("HIDDEN", hidden));

  /** Lists one tool on each page. */
  function paged(ran: unknown[] = []): Server {
    const server = new Server({ name: "pages", version: "1" }, { capabilities: { tools: { listChanged: true } } });
    const names = ["one", "secret", "two"];
    server.setRequestHandler(ListToolsRequestSchema, ({ params }) => {
      const at = Number(params?.cursor ?? 0);
      const tool = { name: names[at] ?? "", inputSchema: { type: "object" as const, properties: { n: { type: "number" } } } };
      return { tools: [tool], ...(at < 2 ? { nextCursor: String(at + 1) } : {}) };
    });
    server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
      ran.push(params.arguments);
      return { content: [] };
    });
    return server;
  }

  test("are filtered page by page, and read by the guard to their end", async () => {
    const ran: unknown[] = [];
    const client = await connected(paged(ran), new Engine(policy("secret")));
    const names: string[][] = [];
    let cursor: string | undefined;
    do {
      const page = await client.listTools(cursor === undefined ? {} : { cursor });
      names.push(page.tools.map(({ name }) => name));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    assert.deepEqual(names, [["one"], [], ["two"]]);
    // The schema stands on the last page.
    assert.match(textOf(await client.callTool({ name: "two", arguments: { n: "4" } })), /^Arguments are not valid: /);
    await client.callTool({ name: "two", arguments: { n: 4 } });
    assert.deepEqual(ran, [{ n: 4 }]);
  });

  test("are said to have changed after a reload that shows others", async () => {
    const engine = new Engine(policy("secret"));
    const client = await connected(paged(), engine);
    let changes = 0;
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void (changes += 1));
    await client.callTool({ name: "one" });
    await settle();
    engine.replace(policy("nothing"));
    await settle();
    assert.equal(changes, 1);
    engine.replace(policy("none_of_them"));
    await settle();
    assert.equal(changes, 1, "what is seen is the same");
    await client.close();
    engine.replace(policy("one"));
  });
});

test("a host tells a client of `serveStdio` that what it sees has changed", async () => {
  const engine = Engine.fromString(`{version: "1", default: deny, hide: [two], tools: {one: {}, two: {}}}`);
  let server: McpServer2 | undefined;
  const make = () => {
    server = new McpServer2({ name: "lists", version: "1" });
    for (const name of ["one", "two"]) server.registerTool(name, {}, () => ({ content: [] }));
    return guard(server, engine);
  };
  const [near, far] = InMemoryTransport.createLinkedPair();
  serveStdio(make, { transport: far as never });
  const changes: unknown[] = [];
  const onChanged = (_: unknown, tools: { name: string }[] | null) => void changes.push(tools?.map(({ name }) => name));
  const client = new Client2({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" }, listChanged: { tools: { onChanged, debounceMs: 0 } } });
  await client.connect(near as never);
  assert.deepEqual((await client.listTools()).tools.map(({ name }) => name), ["one"]);
  engine.replace(Policy.fromString(`{version: "1", default: deny, tools: {one: {}, two: {}}}`));
  await server?.server.sendToolListChanged();
  while (changes.length === 0) await turn();
  assert.deepEqual(changes, [["one", "two"]]);
  await client.close();
});

test("a tool with an output schema can be denied", async () => {
  const server = new McpServer({ name: "schema", version: "1" });
  server.registerTool("sum", { inputSchema: { n: z.number() }, outputSchema: { sum: z.number() } }, ({ n }) => ({ content: [], structuredContent: { sum: n } }));
  const client = await connected(server, Engine.fromString(`{version: "1", default: deny, tools: {sum: {deny_if: [{path: args.n, op: gt, value: 5}]}}}`));
  await client.listTools();
  assert.deepEqual((await client.callTool({ name: "sum", arguments: { n: 5 } })).structuredContent, { sum: 5 });
  const denied = await client.callTool({ name: "sum", arguments: { n: 6 } });
  assert.deepEqual([denied.isError, denied.structuredContent], [true, undefined]);
});

test("a second request under an id that is in flight is refused", async () => {
  const engine = Engine.fromString(`{version: "1", default: deny, tools: {slow: {limits: [{counter: n, window: day, max: 5}]}}}`);
  const server = new Server({ name: "slow", version: "1" }, { capabilities: { tools: {} } });
  let finish = () => {};
  let ran = 0;
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [{ name: "slow", inputSchema: { type: "object" } }] }));
  server.setRequestHandler(CallToolRequestSchema, () => {
    ran += 1;
    return new Promise((resolve) => (finish = () => resolve({ content: [] })));
  });
  guard(server, engine);
  const [near, far] = InMemoryTransport.createLinkedPair();
  const heard: unknown[] = [];
  near.onmessage = (message: JSONRPCMessage) => void heard.push([(message as { id?: unknown }).id, "result" in message ? "result" : "error"]);
  await server.connect(far);
  for (const id of [7, 7, "7"]) await near.send({ jsonrpc: "2.0", id, method: "tools/call", params: { name: "slow" } });
  await settle();
  assert.deepEqual([ran, used(engine, "slow"), heard], [1, "1", [[7, "error"], ["7", "error"]]]);
  finish();
  await settle();
  assert.deepEqual(heard.at(-1), [7, "result"]);
});

test("the guard of a transport asks what is behind it for its tools", async () => {
  const [near, far] = InMemoryTransport.createLinkedPair();
  guardTransport(far, Engine.fromString(`{version: "1", default: deny, tools: {pay: {deny_if: [{path: args.n, op: gt, value: 5}]}}}`));
  const passed: unknown[] = [];
  far.onmessage = (message: JSONRPCMessage) => {
    if (!("method" in message && "id" in message)) return;
    passed.push(message.method);
    const schema = { type: "object", properties: { n: { type: "number" } } };
    const result = message.method === "tools/list" ? { tools: [{ name: "pay", inputSchema: schema }] } : { content: [] };
    void far.send({ jsonrpc: "2.0", id: message.id, result });
  };
  const heard: unknown[] = [];
  near.onmessage = (message: JSONRPCMessage) => void heard.push(message);
  await near.send({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "pay", arguments: { n: "4" } } });
  await settle();
  assert.match(textOf((heard[0] as { result: unknown }).result), /^Arguments are not valid: /);
  assert.deepEqual([passed, heard.length], [["tools/list"], 1]);
});

describe("the reservation of the call that runs", () => {
  const POLICY = `
version: "1"
default: deny
tools:
  pay: {limits: [{counter: sum, window: day, max: 100, increment_from: args.amount}]}
  free: {}
  back: {limits: [{counter: n, window: day, max: 1}]}
`;

  test("settles or gives back inside of a handler, and is nobody else's", async () => {
    const engine = Engine.fromString(POLICY);
    const server = new McpServer({ name: "reservations", version: "1" });
    const seen: (Reservation | null)[] = [];
    const both: (() => void)[] = [];
    server.registerTool("pay", { inputSchema: { amount: z.number() } }, async ({ amount }) => {
      // Two calls at once, each behind an await.
      await new Promise<void>((resolve) => both.push(resolve) === 2 && both.forEach((go) => go()));
      currentReservation()?.settle(amount / 2);
      return { content: [] };
    });
    server.registerTool("free", {}, () => {
      seen.push(currentReservation());
      return { content: [] };
    });
    server.registerTool("back", {}, () => {
      currentReservation()?.finish("not_run");
      return { content: [] };
    });
    const client = await connected(server, engine);
    await Promise.all([10, 40].map((amount) => client.callTool({ name: "pay", arguments: { amount } })));
    assert.equal(engine.explain("pay", { amount: 0 }).decision.counters[0]?.used, "25");
    await client.callTool({ name: "free" });
    for (let n = 0; n < 3; n += 1) assert.equal((await client.callTool({ name: "back" })).isError ?? false, false);
    assert.deepEqual([seen, used(engine, "back"), currentReservation()], [[null], "0", null]);
  });
});

test("the inner call of a dispatcher is decided and charged with the outer one, once", async () => {
  const policy = `
version: "1"
default: deny
dispatchers: {run: {tool: args.name, args: args.arguments}}
tools: {run: {}, pay: {limits: [{counter: n, window: day, max: 9}]}}
`;
  const engine = Engine.fromString(policy);
  const server = new McpServer({ name: "dispatcher", version: "1" });
  const ran: unknown[] = [];
  let times = 1;
  server.registerTool("pay", { inputSchema: { amount: z.number() } }, ({ amount }) => {
    ran.push(amount);
    return { content: [] };
  });
  server.registerTool("run", { inputSchema: { name: z.string(), arguments: z.looseObject({}) } }, async ({ name, arguments: args }) => {
    for (let n = 0; n < times; n += 1) await client.callTool({ name, arguments: args });
    return { content: [] };
  });
  const client: Client = await connected(server, engine);
  const run = () => client.callTool({ name: "run", arguments: { name: "pay", arguments: { amount: 5 } } });
  await run();
  assert.deepEqual([ran, used(engine, "pay")], [[5], "1"]);
  times = 2;
  await run();
  assert.deepEqual([ran, used(engine, "pay")], [[5, 5, 5], "3"], "the second is a call of its own");
  await client.callTool({ name: "pay", arguments: { amount: 5 } });
  assert.equal(used(engine, "pay"), "4");
});

test("a client that tries again as soon as it has the answer finds its charge given back", async () => {
  const engine = Engine.fromString(`{version: "1", default: deny, tools: {fail: {limits: [{counter: n, window: day, max: 1}]}}}`);
  const server = new Server({ name: "fails", version: "1" }, { capabilities: { tools: {} } });
  let ran = 0;
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [{ name: "fail", inputSchema: { type: "object" } }] }));
  server.setRequestHandler(CallToolRequestSchema, () => {
    ran += 1;
    throw new Error("it failed");
  });
  guard(server, engine, { refundOnError: () => true });
  const [near, far] = InMemoryTransport.createLinkedPair();
  const call = (id: number) => near.send({ jsonrpc: "2.0", id, method: "tools/call", params: { name: "fail" } });
  // Within the very send of the answer.
  near.onmessage = (message: JSONRPCMessage) => void ("error" in message && ran < 3 && call(ran));
  await server.connect(far);
  await call(0);
  await settle();
  assert.equal(ran, 3);
});
