// What a guard says of policies beside its server and its callers, and engines by call. Clients and servers of the official SDKs.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { Client as Client2, StreamableHTTPClientTransport as HttpClient2 } from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { createMcpHandler, McpServer as McpServer2, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import { Engine, Policy } from "callgate";
import { type EngineOf, guard, type GuardOptions, type GuardWarning } from "callgate/mcp";

const POLICY = `version: "1"
default: deny
requests: {default: allow}
hide: [secret]
tools:
  create_charges: {rules: [{rate_limit: 5/day, name: charges}]}
  "get_*": {}
`;
const RIGHT = POLICY.replace("create_charges", "create_charge");
const NAMES = ["create_charge", "get_balance", "secret"];

/** A server whose list has two pages. */
function paged(ran: string[], names = NAMES): Server {
  const server = new Server({ name: "paged", version: "1" }, { capabilities: { tools: { listChanged: true } } });
  const tool = (name: string) => ({ name, inputSchema: { type: "object" as const } });
  server.setRequestHandler(ListToolsRequestSchema, ({ params }) =>
    params?.cursor === undefined ? { tools: names.slice(0, 1).map(tool), nextCursor: "2" } : { tools: names.slice(1).map(tool) },
  );
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
    ran.push(params.name);
    return { content: [{ type: "text", text: params.name }] };
  });
  return server;
}

async function connected(server: { connect(transport: InMemoryTransport): Promise<void> }): Promise<Client> {
  const [near, far] = InMemoryTransport.createLinkedPair();
  await server.connect(far);
  const client = new Client({ name: "test", version: "1" });
  await client.connect(near);
  return client;
}

const code = (answer: object) => (answer as { _meta?: Record<string, unknown> })._meta?.["callgate/code"];
const text = (answer: object) => (answer as { content: { text: string }[] }).content[0]?.text ?? "";

describe("names that the server does not have", () => {
  const WARNING = { code: "unmatched_name", message: "line 6: `create_charges` matches no tool of the server; did you mean `create_charge`?", help: null };

  test("are told once, with the nearest, as soon as the whole list is known", async () => {
    const warnings: GuardWarning[] = [];
    const engine = Engine.fromString(POLICY);
    for (const checkArgs of [true, false]) {
      const client = await connected(guard(paged([]), engine, { checkArgs, onWarning: (warning) => void warnings.push(warning) }));
      await client.listTools();
    }
    assert.deepEqual(warnings, [WARNING]);
    engine.replace(Policy.fromString(POLICY.replace("get_*", "put_*")));
    assert.deepEqual(warnings.map(({ message }) => message.split(" ")[1]), ["6:", "6:", "7:"], "of another policy, at once");
  });

  test("refuse every call, if the host says so, before any list", async () => {
    const ran: string[] = [];
    const warnings: GuardWarning[] = [];
    const engine = Engine.fromString(POLICY);
    const client = await connected(guard(paged(ran), engine, { unmatched: "refuse", onWarning: (warning) => void warnings.push(warning) }));
    const answer = await client.callTool({ name: "get_balance" });
    assert.deepEqual([answer.isError, text(answer), ran], [true, "The call could not be checked against the policy", []]);
    assert.deepEqual(warnings, [WARNING]);
    engine.replace(Policy.fromString(RIGHT));
    assert.equal(text(await client.callTool({ name: "get_balance" })), "get_balance");
  });

  test("a policy with right names is decided, and the list is asked for anew when it changes", async () => {
    const [ran, names]: [string[], string[]] = [[], [...NAMES]];
    const server = paged(ran, names);
    const client = await connected(guard(server, Engine.fromString(RIGHT), { unmatched: "refuse", onWarning: () => {} }));
    const heard: unknown[] = [];
    client.onerror = (error) => heard.push(error);
    assert.equal(text(await client.callTool({ name: "create_charge" })), "create_charge");
    names.shift();
    await server.sendToolListChanged();
    assert.match(text(await client.callTool({ name: "get_balance" })), /could not be checked against the policy/);
    assert.deepEqual([ran, heard], [["create_charge"], []], "the client sees nothing of the guard's own list");
  });

  test("a server that cannot list its tools has none of its calls decided under `refuse`", async () => {
    const ran: string[] = [];
    const errors: unknown[] = [];
    const server = paged(ran);
    server.setRequestHandler(ListToolsRequestSchema, () => {
      throw new Error("down");
    });
    const client = await connected(guard(server, Engine.fromString(RIGHT), { unmatched: "refuse", onError: (error) => errors.push(error) }));
    assert.equal((await client.callTool({ name: "get_balance" })).isError, true);
    assert.deepEqual(ran, []);
    assert.match(errors.map(String).join(), /the server's tools are not known/);
  });

  test("an option that is neither is an error", () => {
    assert.throws(() => guard(paged([]), Engine.fromString(RIGHT), { unmatched: "ignore" as never }), /one of warn, refuse/);
  });
});

const CALLERS = `version: "1"
default: deny
requests: {default: allow}
tools:
  mine: {require: [{path: identity.role, op: eq, value: admin}]}
  often: {rules: [{rate_limit: 5/day}]}
  chat: {limits: [{counter: n, window: day, max: 5, scope: session}]}
`;
const URL_ = new URL("http://127.0.0.1/mcp");

function named(name: string): McpServer2 {
  const server = new McpServer2({ name, version: "1" });
  for (const tool of ["mine", "often", "chat"]) server.registerTool(tool, {}, () => ({ content: [{ type: "text", text: tool }] }));
  return server;
}

/** A client of a server behind streamable HTTP with sessions, without a network. */
async function overHttp(engine: Engine | EngineOf, options: GuardOptions, authInfo?: object): Promise<Client> {
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
  const fetch = async (url: unknown, init?: RequestInit) => {
    const request = new Request(String(url), init);
    let transport = sessions.get(request.headers.get("mcp-session-id") ?? "");
    if (transport === undefined) {
      const opened = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized: (id) => void sessions.set(id, opened) });
      await guard(named("http"), engine, options).connect((transport = opened));
    }
    return transport.handleRequest(request, { ...(authInfo === undefined ? {} : { authInfo: authInfo as never }) });
  };
  const client = new Client({ name: "test", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(URL_, { fetch: fetch as never }) as never);
  return client;
}

describe("callers whom nobody knows", () => {
  const lines = (warnings: GuardWarning[]) => warnings.map(({ message }) => message);
  const heard = () => {
    const warnings: GuardWarning[] = [];
    return { warnings, options: { onWarning: (warning: GuardWarning) => void warnings.push(warning) } };
  };

  test("over HTTP without a token, each rule that needs to know is told once, with what to write instead", async () => {
    const { warnings, options } = heard();
    const engine = Engine.fromString(CALLERS);
    for (let session = 0; session < 2; session += 1) {
      const client = await overHttp(engine, options);
      await client.callTool({ name: "often" });
      await client.callTool({ name: "often" });
      await client.close();
    }
    assert.deepEqual(lines(warnings), ["line 5: `identity.role` needs an identity", "line 6: `rate_limit` needs a session or an identity"]);
    assert.deepEqual(warnings.map((warning) => warning.code), ["unknown_caller", "unknown_caller"]);
    assert.match(warnings[1]?.help ?? "", /scope: global/);
    engine.replace(Policy.fromString(CALLERS.replace("identity.role", "identity.team")));
    await (await overHttp(engine, options)).callTool({ name: "often" });
    assert.deepEqual(lines(warnings).slice(2), ["line 5: `identity.team` needs an identity", "line 6: `rate_limit` needs a session or an identity"]);
  });

  test("nothing is told where the token is verified, where the host says who calls, and in memory", async () => {
    const { warnings, options } = heard();
    for (const client of [
      await overHttp(Engine.fromString(CALLERS), options, { token: "t", clientId: "app", scopes: [] }),
      await overHttp(Engine.fromString(CALLERS), { ...options, identity: () => undefined }),
      await connected(guard(named("memory"), Engine.fromString(CALLERS), options) as never),
    ]) {
      await client.callTool({ name: "often" });
      await client.close();
    }
    assert.deepEqual(warnings, []);
  });

  test("where the protocol has no sessions, rules that count by session are told", async () => {
    const { warnings, options } = heard();
    const engine = Engine.fromString(CALLERS);
    const handler = createMcpHandler(() => guard(named("modern"), engine, { ...options, identity: () => ({ id: "alice" }) }), { legacy: "reject" });
    const client = new Client2({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
    await client.connect(new HttpClient2(URL_, { fetch: ((url: unknown, init?: RequestInit) => handler.fetch(new Request(String(url), init))) as never }));
    await client.callTool({ name: "often" });
    await client.callTool({ name: "often" });
    assert.deepEqual(lines(warnings), ["line 7: `scope: session` needs a session"]);
    assert.match(warnings[0]?.help ?? "", /`scope: identity`/);
    await client.close();
  });
});

describe("an engine by call", () => {
  const tenants: Record<string, Engine> = {
    a: Engine.fromString(`{version: "1", default: deny, tools: {often: {rules: [{rate_limit: 1/day}]}}}`),
    b: Engine.fromString(`{version: "1", default: deny, list: callable, tools: {often: {}, chat: {}}}`),
  };
  const of: EngineOf = async ({ authInfo }) => tenants[String(authInfo?.clientId)] ?? assert.fail("no such tenant");

  test("decides for its tenant, and shows what it lets be called", async () => {
    const client = (clientId: string) => overHttp(of, { onWarning: () => {} }, { token: "t", clientId, scopes: [] });
    const [a, b] = [await client("a"), await client("b")];
    for (const [tenant, codes] of [[a, [undefined, "limit_exceeded"]], [b, [undefined, undefined]]] as const) {
      for (const expected of codes) assert.equal(code(await tenant.callTool({ name: "often" })), expected);
    }
    assert.equal(code(await a.callTool({ name: "chat" })), "not_listed");
    assert.equal(text(await b.callTool({ name: "chat" })), "chat");
    assert.deepEqual((await b.listTools()).tools.map(({ name }) => name), ["often", "chat"]);
    await a.close();
    await b.close();
  });

  test("where there is none, no call runs", async () => {
    const errors: unknown[] = [];
    for (const gives of [() => Promise.reject(new Error("no such tenant")), () => undefined as never]) {
      const client = await overHttp(gives, { onError: (error) => errors.push(error), identity: () => Promise.reject(new Error("nor caller")) });
      assert.equal((await client.callTool({ name: "often" })).isError, true);
      await client.close();
    }
    assert.equal(errors.length, 2);
  });
});

test("that other requests pass is said of a policy that denies by default, once", async () => {
  const warnings: GuardWarning[] = [];
  const engine = Engine.fromString(`{version: "1", default: deny, tools: {}}`);
  for (let session = 0; session < 2; session += 1) await connected(guard(paged([]), engine, { onWarning: (warning) => void warnings.push(warning) }));
  for (const silent of ["default: allow", "default: deny, requests: {default: deny}"]) {
    await connected(guard(paged([]), Engine.fromString(`{version: "1", ${silent}, tools: {}}`), { onWarning: (warning) => void warnings.push(warning) }));
  }
  const told = { code: "requests_pass", message: "resources, prompts and other requests pass: the policy has no `requests`", help: "write `requests: {default: allow}` if that is meant" };
  assert.deepEqual(warnings, [told]);
});

test("warnings that nobody hears are process warnings", async () => {
  const warned = new Promise<Error & { code?: string }>((resolve) => process.once("warning", resolve));
  const server = new McpServer({ name: "first", version: "1" });
  server.registerTool("get_balance", {}, () => ({ content: [] }));
  const client = await connected(guard(server, Engine.fromString(`{version: "1", default: deny, requests: {default: allow}, tools: {get_balanc: {}}}`)));
  await client.listTools();
  const { name, code: told, message } = await warned;
  assert.deepEqual([name, told], ["CallgateWarning", "unmatched_name"]);
  assert.match(message, /`get_balanc` matches no tool of the server; did you mean `get_balance`/);
});
