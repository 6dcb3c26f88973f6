// Over HTTP, a call is its token's: the verified token tells who calls, and nothing else that a client can set does.
// Servers of the official SDKs behind the SDK's own bearer authentication, with sessions and without, asked by its client.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { describe, test, type TestContext } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { InvalidTokenError } from "@modelcontextprotocol/sdk/server/auth/errors.js";
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import type { AuthInfo } from "@modelcontextprotocol/sdk/server/auth/types.js";
import { createMcpExpressApp } from "@modelcontextprotocol/sdk/server/express.js";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { McpServer as McpServer2, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import { Engine } from "callgate";
import { guard, type Guardable, type McpTransport } from "callgate/mcp";
import { z } from "zod";
import { timeless } from "./cases.mjs";

const POLICY = `
version: "1"
default: deny
hide: [secret]
tools:
  search: {limits: [{counter: searches, window: 7d, max: 1, scope: identity}]}
  admin: {require: [{path: identity.roles, op: contains, value: admin}]}
  fail: {limits: [{counter: fails, window: 7d, max: 1, scope: identity}]}
`;
const TOOLS = ["search", "admin", "fail", "secret"];
const TOKENS: Record<string, Record<string, unknown>> = {
  "token-of-alice": { sub: "alice", roles: ["admin"] },
  "lesser-token-of-alice": { sub: "alice", roles: [] },
  "token-of-bob": { sub: "bob", roles: [] },
};
const LIMITED = "Rate limit of 1 per 7d reached. Try again in S seconds.";
const NO_ADMIN = 'Denied by rule "/tools/admin/require/0"';

interface Kind {
  make(): Guardable;
  listen(options: SessionOptions): Listening;
}
interface SessionOptions {
  sessionIdGenerator?: () => string;
  onsessioninitialized?: (id: string) => void;
}
/** A transport, and what gives it a request. */
interface Listening {
  transport: McpTransport;
  handle(request: Incoming, response: ServerResponse): Promise<void>;
}
type Incoming = IncomingMessage & { auth?: AuthInfo; body?: unknown };

const inputSchema = { query: z.string().optional(), identity: z.string().optional() };

function high(): McpServer {
  const server = new McpServer({ name: "high", version: "1" });
  for (const name of TOOLS) server.registerTool(name, { inputSchema }, ({ query }) => ran(name, query));
  return server;
}

function low(): Server {
  const server = new Server({ name: "low", version: "1" }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: TOOLS.map((name) => ({ name, inputSchema: { type: "object" as const } })),
  }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
    if (params.name === "fail") throw new Error("upstream is down");
    return ran(params.name, params.arguments?.["query"]);
  });
  return server;
}

const ran = (name: string, query: unknown) => ({ content: [{ type: "text" as const, text: `${name} ${query ?? "ran"}` }] });

function second(): Guardable {
  const server = new McpServer2({ name: "second", version: "1" });
  for (const name of TOOLS) server.registerTool(name, { inputSchema: z.object(inputSchema) }, ({ query }) => ran(name, query));
  return server;
}

function onNode(options: SessionOptions): Listening {
  const transport = new StreamableHTTPServerTransport(options);
  return { transport, handle: (request, response) => transport.handleRequest(request, response, request.body) };
}

function onTheWeb(options: SessionOptions): Listening {
  const transport = new WebStandardStreamableHTTPServerTransport(options);
  return {
    transport,
    async handle(request, response) {
      const { method = "", headers } = request;
      const asked = new Request("http://127.0.0.1/mcp", { method, headers: headers as Record<string, string> });
      const answer = await transport.handleRequest(asked, { authInfo: request.auth as never, parsedBody: request.body });
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      const body = answer.body === null ? Readable.from([]) : Readable.fromWeb(answer.body as ReadableStream);
      await pipeline(body, response).catch(() => {}); // a client may go before the end
    },
  };
}

const KINDS: Record<string, Kind> = {
  McpServer: { make: high, listen: onNode },
  Server: { make: low, listen: onNode },
  "McpServer of @modelcontextprotocol/server": { make: second, listen: onTheWeb },
};

/** A server for each session, or for each request, all of one engine. Gives its URL. */
async function serve(t: TestContext, kind: Kind, stateful: boolean): Promise<URL> {
  const engine = Engine.fromString(POLICY);
  const sessions = new Map<string, Listening>();
  const open = async () => {
    const listening: Listening = kind.listen(
      stateful ? { sessionIdGenerator: randomUUID, onsessioninitialized: (id) => void sessions.set(id, listening) } : {},
    );
    const server = guard(kind.make(), engine);
    await ("server" in server ? server.server : server).connect(listening.transport as never);
    return listening;
  };
  const verifyAccessToken = async (token: string): Promise<AuthInfo> => {
    const extra = TOKENS[token];
    if (extra === undefined) throw new InvalidTokenError("unknown");
    return { token, clientId: "app", scopes: [], expiresAt: Date.now() / 1000 + 3600, extra };
  };
  const app = createMcpExpressApp();
  app.use("/mcp", requireBearerAuth({ verifier: { verifyAccessToken } }));
  app.all("/mcp", async (request: Incoming, response: ServerResponse) => {
    const listening = sessions.get(String(request.headers["mcp-session-id"])) ?? (await open());
    await listening.handle(request, response);
  });
  const listener = app.listen(0, "127.0.0.1");
  t.after(() => listener.closeAllConnections());
  t.after(() => listener.close());
  await new Promise((resolve) => listener.once("listening", resolve));
  return new URL(`http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`);
}

async function connect(t: TestContext, url: URL, token: string, headers: Record<string, string> = {}): Promise<Client> {
  const client = new Client({ name: "alice", version: "1" });
  const requestInit = { headers: { Authorization: `Bearer ${token}`, ...headers } };
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit }) as never);
  t.after(() => client.close());
  return client;
}

/** The text of the answer. All of a client's claims say that it is Alice. */
async function call(client: Client, name: string, args: Record<string, unknown> = {}): Promise<string> {
  const claims = { client_id: "alice", identity: "alice", sub: "alice", id: "alice" };
  const answer = await client.callTool({ name, arguments: { identity: "alice", ...args }, _meta: claims });
  return timeless((answer["content"] as { text: string }[])[0]?.text ?? "");
}

/** A message as any client might send it. */
async function post(url: URL, token: string | undefined, message: object, session?: string): Promise<Response> {
  const headers = new Headers({ "content-type": "application/json", accept: "application/json, text/event-stream" });
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  if (session !== undefined) headers.set("mcp-session-id", session);
  return fetch(url, { method: "POST", headers, body: JSON.stringify({ jsonrpc: "2.0", ...message }) });
}

for (const [what, kind] of Object.entries(KINDS)) {
  for (const mode of ["with sessions", "without sessions"]) {
    const stateful = mode === "with sessions";
    describe(`${what} behind HTTP, ${mode}`, () => {
      test("each token has a budget of its own", async (t) => {
        const url = await serve(t, kind, stateful);
        const alice = await connect(t, url, "token-of-alice");
        assert.deepEqual((await alice.listTools()).tools.map(({ name }) => name), ["search", "admin", "fail"]);
        assert.equal(await call(alice, "search", { query: "x" }), "search x");
        assert.equal(await call(alice, "search", { query: "x" }), LIMITED);
        assert.equal(await call(alice, "secret"), 'Tool "secret" is hidden by policy');
        // Another session of the same token is the same caller; another token is not.
        assert.equal(await call(await connect(t, url, "token-of-alice"), "search"), LIMITED);
        assert.equal(await call(await connect(t, url, "token-of-bob"), "search"), "search ran");
      });

      test("what a client claims about itself is no identity", async (t) => {
        const url = await serve(t, kind, stateful);
        const bob = await connect(t, url, "token-of-bob", { "X-Identity": "alice" });
        assert.equal(await call(bob, "search"), "search ran");
        assert.equal(await call(await connect(t, url, "token-of-bob", { "X-User": "alice" }), "search"), LIMITED);
        assert.equal(await call(bob, "admin"), NO_ADMIN);
        const alice = await connect(t, url, "token-of-alice");
        assert.equal(await call(alice, "search"), "search ran", "nobody spent what is alice's");
        assert.equal(await call(alice, "admin"), "admin ran");
      });

      test("without a token that verifies nobody is let in", async (t) => {
        const url = await serve(t, kind, stateful);
        for (const token of [undefined, "token-of-nobody"]) {
          assert.equal((await post(url, token, {})).status, 401);
        }
        await assert.rejects(connect(t, url, "token-of-nobody"), /unknown|Unauthorized|401/);
      });

      if (!stateful) return;
      test("a session makes no caller", async (t) => {
        const url = await serve(t, kind, stateful);
        const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "alice", version: "1" } };
        const opened = await post(url, "token-of-alice", { id: 1, method: "initialize", params });
        await opened.text();
        const session = opened.headers.get("mcp-session-id") ?? assert.fail("no session");
        await post(url, "token-of-alice", { method: "notifications/initialized" }, session);
        const ask = async (token: string, name: string) => {
          const answer = await post(url, token, { id: 2, method: "tools/call", params: { name, arguments: {} } }, session);
          const data = (await answer.text()).split("\n").find((line) => line.startsWith("data:")) ?? assert.fail("no answer");
          const { result } = JSON.parse(data.slice(5)) as { result: { content: { text: string }[] } };
          return timeless(result.content[0]?.text ?? "");
        };
        assert.equal(await ask("token-of-alice", "admin"), "admin ran");
        assert.equal(await ask("lesser-token-of-alice", "admin"), NO_ADMIN);
        assert.equal(await ask("token-of-bob", "admin"), NO_ADMIN);
        assert.equal(await ask("token-of-bob", "search"), "search ran");
        assert.equal(await ask("token-of-alice", "search"), "search ran");
        assert.equal(await ask("lesser-token-of-alice", "search"), LIMITED);
      });
    });
  }
}

test("over HTTP, too, a JSON-RPC error gives nothing back", async (t) => {
  const url = await serve(t, { make: low, listen: onNode }, true);
  const alice = await connect(t, url, "token-of-alice");
  await assert.rejects(call(alice, "fail"), /upstream is down/);
  assert.equal(await call(alice, "fail"), LIMITED);
});
