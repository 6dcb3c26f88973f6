// The recipes of `docs/guide/servers-in-node.md`, in front of real servers.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { Engine } from "callgate";
import { guard, guardTransport } from "callgate/mcp";
import { connect } from "callgate/testing";
import { z } from "zod";
import { PROJECT } from "./cases.mjs";

/** The policies of the page, in their order. */
const page = readFileSync(join(PROJECT, "docs/guide/servers-in-node.md"), "utf8");
const [SEVERAL = "", AMOUNTS = ""] = [...page.matchAll(/<!-- run by bindings-node\/test\/recipes.test.mts -->\n```yaml\n(.*?)```/gs)].map(([, block]) => block);

test("several servers behind one guard", { timeout: 60_000 }, async (t) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "callgate-")));
  writeFileSync(join(folder, "note.txt"), "hello");
  const modules = join(PROJECT, "bindings-node/node_modules/@modelcontextprotocol");
  const start = async (name: string, ...args: string[]) => {
    const client = new Client({ name: "gateway", version: "1" });
    await client.connect(new StdioClientTransport({ command: process.execPath, args: [join(modules, name, "dist/index.js"), ...args], stderr: "ignore" }));
    t.after(() => client.close());
    return client;
  };
  const engine = Engine.fromString(SEVERAL.replace("/data", folder));
  const [near, transport] = InMemoryTransport.createLinkedPair();

  const upstream = new Map([
    ["demo", await start("server-everything")],
    ["files", await start("server-filesystem", folder)],
  ]);
  const gateway = new Server({ name: "gateway", version: "1" }, { capabilities: { tools: {} } });
  gateway.setRequestHandler(ListToolsRequestSchema, async () => {
    const named = async ([server, client]: [string, Client]) => (await client.listTools()).tools.map((tool) => ({ ...tool, name: `${server}_${tool.name}` }));
    return { tools: (await Promise.all([...upstream].map(named))).flat() };
  });
  gateway.setRequestHandler(CallToolRequestSchema, ({ params }) => {
    const [server = "", name = ""] = params.name.split(/_(.*)/s);
    const client = upstream.get(server);
    if (client === undefined) throw new Error(`no server is called ${server}`);
    return client.callTool({ ...params, name });
  });
  await gateway.connect(guardTransport(transport, engine));

  const client = new Client({ name: "test", version: "1" });
  await client.connect(near);
  const names = (await client.listTools()).tools.map(({ name }) => name);
  assert.ok(names.includes("demo_echo") && names.includes("files_read_text_file"), names.join());
  const call = async (name: string, args: Record<string, unknown>) => (await client.callTool({ name, arguments: args })) as { content: { text: string }[]; _meta?: Record<string, unknown> };
  assert.match((await call("demo_echo", { message: "hi" })).content[0]?.text ?? "", /hi/);
  assert.equal((await call("files_read_text_file", { path: join(folder, "note.txt") })).content[0]?.text, "hello");
  assert.equal((await call("files_read_text_file", { path: "/etc/passwd" }))._meta?.["callgate/code"], "condition_failed");
  assert.equal((await call("files_write_file", { path: join(folder, "x"), content: "" }))._meta?.["callgate/code"], "not_listed");
  await call("demo_echo", { message: "hi" });
  assert.equal((await call("files_read_text_file", { path: join(folder, "note.txt") }))._meta?.["callgate/code"], "limit_exceeded", "one limit for all servers");
});

test("defaults and transforms of schemas act after the decision", async () => {
  const got: unknown[] = [];
  const note = (args: unknown) => (got.push(args), { content: [{ type: "text" as const, text: "done" }] });
  const server = new McpServer({ name: "shop", version: "1" });
  const amount = z.coerce.number().default(500);
  const to = z.string().transform((text) => text.trim().toLowerCase());
  for (const name of ["refund", "refund_unless"]) server.registerTool(name, { inputSchema: { amount } }, note);
  for (const name of ["mail", "mail_unless"]) server.registerTool(name, { inputSchema: { to } }, note);
  const client = await connect(guard(server, Engine.fromString(AMOUNTS)));

  // The handler gets what the policy did not see.
  assert.equal((await client.call("refund_unless", {})).code, null);
  assert.equal((await client.call("mail_unless", { to: " Root@example.com " })).code, null);
  assert.deepEqual(got, [{ amount: 500 }, { to: "root@example.com" }]);

  // What must hold stands in `require`: a value that is not there, or another, does not pass.
  assert.equal((await client.call("refund", {})).code, "condition_failed");
  assert.equal((await client.call("mail", { to: " Ann@example.com " })).code, "condition_failed");
  assert.equal((await client.call("refund", { amount: 99 })).code, null);
  assert.equal((await client.call("mail", { to: "ann@example.com" })).code, null);
  assert.equal((await client.call("refund", { amount: "99" })).code, "invalid_args");
  assert.equal(got.length, 4);
});
