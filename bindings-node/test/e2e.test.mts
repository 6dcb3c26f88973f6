// Over stdio, with the official SDK's client: the example server, and published servers, unmodified, behind `callgate proxy`. They run
// from a folder in which the packed package is installed.

import assert from "node:assert/strict";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { z } from "zod";
import { APP, CALLGATE, published } from "./behind.mjs";
import { timeless } from "./cases.mjs";

interface Answer {
  content: { type: string; text: string }[];
  isError?: boolean;
  _meta?: Record<string, unknown>;
}

async function connect(t: TestContext, args: string[], cwd = APP, command = process.execPath): Promise<Client> {
  const client = new Client({ name: "test", version: "1" });
  await client.connect(new StdioClientTransport({ command, args, cwd, stderr: "ignore" }));
  t.after(() => client.close());
  return client;
}

function temporary(t: TestContext): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "callgate-e2e-")));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

/** A published server behind the proxy. */
function behind(t: TestContext, policy: string, name: string, ...args: string[]): Promise<Client> {
  const folder = temporary(t);
  const path = join(folder, "policy.yaml");
  writeFileSync(path, policy);
  const options = ["--store", "memory", "--audit", join(folder, "audit.jsonl")];
  return connect(t, ["proxy", "-p", path, ...options, "--", ...published(name), ...args], APP, CALLGATE);
}

const call = (client: Client, name: string, args: Record<string, unknown> = {}) =>
  client.callTool({ name, arguments: args }) as Promise<Answer>;
const names = async (client: Client) => (await client.listTools()).tools.map(({ name }) => name);

function refused(answer: Answer, message: string): void {
  const content = answer.content.map(({ text, ...rest }) => ({ ...rest, text: timeless(text) }));
  assert.deepEqual([answer.isError, content], [true, [{ type: "text", text: message }]]);
}

describe("the example server", () => {
  const server = (t: TestContext) => connect(t, [join(APP, "dist/server.js"), join(APP, "policy.yaml")]);

  test("allows, denies, hides, limits and asks for approval", async (t) => {
    const client = await server(t);
    assert.deepEqual((await names(client)).sort(), ["create_charge", "list_customers", "refund"]);
    assert.equal((await call(client, "list_customers")).content[0]?.text, "alice, bob");
    const charge = (amount: number) => call(client, "create_charge", { customer: "alice", amount });
    refused(await charge(50001), "Single charge cannot exceed $500.00");
    refused(await call(client, "delete_customer"), `Tool "delete_customer" is hidden by policy`);
    const asked = await charge(20001);
    const key = String(asked._meta?.["callgate/approval_key"]);
    assert.match(key, /^ak1:[0-9a-f]{64}$/);
    refused(asked, `Rule "large charge" needs approval\nApproval key: ${key}`);
    for (let n = 0; n < 3; n += 1) assert.equal((await charge(4200)).content[0]?.text, "charged 4200 to alice");
    refused(await charge(4200), "Rate limit of 3 per hour reached. Try again in S seconds.");
    const refund = (amount: number) => call(client, "refund", { customer: "alice", amount });
    assert.equal((await refund(60)).isError, undefined);
    refused(await refund(41), "No more than $1.00 a day may be refunded");
    assert.equal((await refund(40)).isError, undefined);
  });
});

test("the server of the README", async (t) => {
  const client = await connect(t, ["server.mjs"], join(APP, "quickstart"));
  assert.deepEqual(await names(client), ["create_charge"]);
  const charge = (amount: number) => call(client, "create_charge", { amount });
  assert.equal((await charge(4200)).content[0]?.text, "charged 4200");
  refused(await charge(99999), "Single charge cannot exceed $500.00");
});

test("a server whose host approves calls", async (t) => {
  const path = join(APP, "approving.mjs");
  writeFileSync(
    path,
    `import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { Engine } from "callgate";
import { guard } from "callgate/mcp";
import { z } from "zod";

const policy = '{"version": "1", "default": "deny", "tools": {"pay": {"rules": [{"name": "all", "action": "require_approval"}]}}}';
const server = new McpServer({ name: "pay", version: "1" });
server.registerTool("pay", { inputSchema: { amount: z.number() } }, ({ amount }) => ({ content: [{ type: "text", text: "paid " + amount }] }));
guard(server, Engine.fromString(policy), {
  onApproval: async ({ tool, arguments: { amount }, decision }) => {
    if (tool !== "pay" || decision.code !== "approval_required") throw new Error("not the call");
    return amount < 10 ? "approval-1" : null;
  },
});
await server.connect(new StdioServerTransport());
`,
  );
  const client = await connect(t, [path]);
  const pay = (amount: number) => call(client, "pay", { amount });
  assert.equal((await pay(5)).content[0]?.text, "paid 5");
  assert.match((await pay(6)).content[0]?.text ?? "", /^The approval for rule "all" was already used\n/);
  const asked = await pay(50);
  refused(asked, `Rule "all" needs approval\nApproval key: ${asked._meta?.["callgate/approval_key"]}`);
});

describe("@modelcontextprotocol/server-filesystem behind the proxy", () => {
  test("allows, denies and hides", async (t) => {
    const root = temporary(t);
    writeFileSync(join(root, "a.txt"), "hello");
    const policy = `
version: "1"
default: deny
hide: [move_file]
tools:
  read_text_file: {require: [{path: args.path, op: within, value: ${JSON.stringify(root)}}]}
  write_file:
    rules:
      - action: deny
        on_deny: This folder is not to be written to
  list_directory: {rules: [{rate_limit: 1/day}]}
  list_allowed_directories: {}
  move_file: {}
`;
    const client = await behind(t, policy, "@modelcontextprotocol/server-filesystem", root);
    const listed = await names(client);
    assert.ok(listed.includes("read_text_file") && listed.includes("write_file") && !listed.includes("move_file"));
    assert.equal((await call(client, "read_text_file", { path: join(root, "a.txt") })).content[0]?.text, "hello");
    const outside = await call(client, "read_text_file", { path: `${root}/../b.txt` });
    refused(outside, `Denied by rule "/tools/read_text_file/require/0"`);
    refused(await call(client, "write_file", { path: join(root, "b"), content: "" }), "This folder is not to be written to");
    refused(await call(client, "move_file", {}), `Tool "move_file" is hidden by policy`);
    refused(await call(client, "edit_file", {}), `Tool "edit_file" is not permitted by policy`);
    assert.match((await call(client, "list_directory", { path: root })).content[0]?.text ?? "", /a\.txt/);
    refused(await call(client, "list_directory", { path: root }), "Rate limit of 1 per day reached. Try again in S seconds.");
    assert.match((await call(client, "list_allowed_directories")).content[0]?.text ?? "", new RegExp(root));
  });
});

describe("@modelcontextprotocol/server-everything behind the proxy", () => {
  const policy = `
version: "1"
default: deny
hide: [get-env]
tools:
  echo: {limits: [{counter: n, window: day, max: 1}]}
  get-sum:
    rules:
      - name: large sums
        action: require_approval
        conditions: [{path: args.a, op: gt, value: 100}]
      - rate_limit: 2/hour
  trigger-long-running-operation: {}
`;

  test("limits, asks for approval, and passes everything else on", async (t) => {
    const client = await behind(t, policy, "@modelcontextprotocol/server-everything");
    assert.ok(!(await names(client)).includes("get-env"));
    assert.match((await call(client, "get-sum", { a: 1, b: 2 })).content[0]?.text ?? "", /3/);
    const asked = await call(client, "get-sum", { a: 101, b: 2 });
    assert.ok(asked.isError && asked.content[0]?.text.startsWith('Rule "large sums" needs approval'));
    // A tool's own error is a result: its charge stays.
    const failed = await call(client, "get-sum", { a: 1 });
    assert.equal(failed.isError, true);
    assert.match(failed.content[0]?.text ?? "", /Invalid arguments/);
    refused(await call(client, "get-sum", { a: 1, b: 2 }), "Rate limit of 2 per hour reached. Try again in S seconds.");
    assert.ok((await client.listResources()).resources.length > 0);
    assert.ok((await client.listPrompts()).prompts.length > 0);
    assert.deepEqual(await client.ping(), {});
    const progress: number[] = [];
    const steps = { name: "trigger-long-running-operation", arguments: { duration: 0.2, steps: 2 } };
    await client.callTool(steps, undefined, { onprogress: ({ progress: step }) => progress.push(step) });
    // The SDK's client drops a notification that arrives together with the answer, so only the first is sure.
    assert.equal(progress[0], 1);
  });

  test("keeps the charge where the server answers with a JSON-RPC error", async (t) => {
    const client = await behind(t, policy, "@modelcontextprotocol/server-everything");
    // The policy has nothing against it, but the server's SDK refuses the message.
    const malformed = { method: "tools/call", params: { name: "echo", arguments: { message: "x" }, task: "not a task" } };
    await assert.rejects(client.request(malformed, z.any()), { name: "McpError" });
    refused(await call(client, "echo", { message: "x" }), "Rate limit of 1 per day reached. Try again in S seconds.");
  });
});
