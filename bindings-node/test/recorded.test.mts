// Real clients of both generations of the SDK, in front of real servers: through `callgate proxy` with a policy that allows all, and
// without one, every message is the same, byte for byte, as without it. What passes is recorded at the client's side.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Client as Client2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioClientTransport2 } from "@modelcontextprotocol/client/stdio";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { APP, CALLGATE, published } from "./behind.mjs";
import { PROJECT } from "./cases.mjs";

const RECORDING = join(PROJECT, "tests/recording.py");
const MODERN = "2026-07-28";
const ALLOW = 'version: "1"\ndefault: allow\n';
const POLICIES: Record<string, string | null> = {
  allow: ALLOW,
  // Its rules read arguments, so that calls wait for the list that the proxy asks for; they deny nothing.
  reads: `${ALLOW}tools: {"*": {deny_if: [{path: args.never, op: exists, value: true}]}}\n`,
  none: null,
};

/** What the clients of both generations have. */
interface Caller {
  listTools(): Promise<unknown>;
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  listPrompts(): Promise<unknown>;
  listResources(): Promise<unknown>;
  close(): Promise<void>;
}
type Script = (client: Caller) => Promise<void>;

/** Says that it speaks an older revision than it would by itself. */
class Older extends StdioClientTransport {
  revision = "";
  override send(message: JSONRPCMessage): Promise<void> {
    if ("method" in message && message.method === "initialize" && message.params) message.params["protocolVersion"] = this.revision;
    return super.send(message);
  }
}

/** Asks a server for its revisions where it runs: the SDK's own starts another one for that, which would be recorded too. */
class InPlace extends StdioClientTransport2 {}

async function first(revision: string, args: string[]): Promise<Caller> {
  const client = new Client({ name: "test", version: "1" });
  const transport = new Older({ command: "python3", args, stderr: "ignore" });
  transport.revision = revision;
  await client.connect(transport);
  return client;
}

async function second(revision: string, args: string[]): Promise<Caller> {
  const options = revision < MODERN ? { supportedProtocolVersions: [revision] } : { versionNegotiation: { mode: { pin: revision } } };
  const client = new Client2({ name: "test", version: "1" }, options);
  await client.connect(new InPlace({ command: "python3", args, stderr: "ignore" }));
  return client;
}

const clients = { "@modelcontextprotocol/sdk": first, "@modelcontextprotocol/client": second };

function temporary(t: TestContext): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "callgate-recorded-")));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

/** `callgate proxy` in front of what follows. */
function through(folder: string, name: string, policy: string | null): string[] {
  const options = ["--name", "server", "--store", "memory", "--audit", join(folder, "audit.jsonl"), "--without-schema", "allow"];
  if (policy !== null) {
    writeFileSync(join(folder, `${name}.yaml`), policy);
    options.push("-p", join(folder, `${name}.yaml`));
  }
  return [CALLGATE, "proxy", ...options, "--"];
}

type Connect = (revision: string, args: string[]) => Promise<Caller>;

async function record(prefix: string, connect: Connect, revision: string, command: string[], script: Script): Promise<void> {
  const client = await connect(revision, [RECORDING, "tee", prefix, ...command]);
  await script(client);
  await client.close();
}

async function isEqual(t: TestContext, connect: Connect, revision: string, server: string[], script: Script): Promise<void> {
  const folder = temporary(t);
  const direct = join(folder, "direct");
  await record(direct, connect, revision, server, script);
  const said = readFileSync(`${direct}.client`, "utf8") + (revision < MODERN ? readFileSync(`${direct}.server`, "utf8") : "");
  assert.ok(said.split(`"${revision}"`).length > 2, said);
  for (const [name, policy] of Object.entries(POLICIES)) {
    const relayed = join(folder, name);
    await record(relayed, connect, revision, [...through(folder, name, policy), ...server], script);
    const found = spawnSync("python3", [RECORDING, "compare", direct, relayed], { encoding: "utf8" });
    assert.equal(found.status, 0, `${name}: ${found.stdout}${found.stderr}`);
  }
}

/** Calls a tool; how that ends is in the recording. */
const call = (client: Caller, name: string, args: Record<string, unknown> = {}) =>
  client.callTool({ name, arguments: args }).then(
    () => undefined,
    () => undefined,
  );

for (const [name, connect] of Object.entries(clients)) {
  for (const revision of ["2025-06-18", "2025-11-25"]) {
    test(`${name} and server-filesystem at ${revision}`, async (t) => {
      const root = temporary(t);
      const content = 'Ünïcödé \u2028 😀 1e5 \\ " \u0000\n';
      writeFileSync(join(root, "a.txt"), content);
      await isEqual(t, connect, revision, [...published("@modelcontextprotocol/server-filesystem"), root], async (client) => {
        await client.listTools();
        await call(client, "read_text_file", { path: join(root, "a.txt") });
        await call(client, "read_text_file", { path: "/outside" });
        await call(client, "list_directory", { path: root });
        await call(client, "write_file", { path: join(root, "a.txt"), content });
        await call(client, "missing", { deep: [[{ a: 12345678901234567890 }]] });
      });
    });

    test(`${name} and server-everything at ${revision}`, async (t) => {
      await isEqual(t, connect, revision, published("@modelcontextprotocol/server-everything"), async (client) => {
        await client.listTools();
        await call(client, "echo", { message: "hello" });
        await call(client, "get-sum", { a: 1e-7, b: 2 });
        await call(client, "get-sum", { a: "1" });
        await call(client, "missing");
        await client.listPrompts();
        await call(client, "get-tiny-image");
      });
    });
  }
}

test(`@modelcontextprotocol/client and a server of @modelcontextprotocol/server at ${MODERN}`, async (t) => {
  const server = join(APP, "modern.mjs");
  writeFileSync(
    server,
    `import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

serveStdio(() => {
  const server = new McpServer({ name: "pay", version: "1" });
  const inputSchema = z.object({ amount: z.number() });
  server.registerTool("pay", { inputSchema }, ({ amount }) => ({ content: [{ type: "text", text: "paid " + amount }] }));
  server.registerTool("fail", {}, () => { throw new Error("it is closed"); });
  server.registerPrompt("greet", {}, () => ({ messages: [] }));
  return server;
});
`,
  );
  await isEqual(t, second, MODERN, [process.execPath, server], async (client) => {
    await client.listTools();
    await call(client, "pay", { amount: 4200 });
    await call(client, "pay", { amount: "4200" });
    await call(client, "fail");
    await call(client, "missing");
    await client.listPrompts();
  });
});

test("a difference is found", async (t) => {
  const folder = temporary(t);
  const server = published("@modelcontextprotocol/server-everything");
  const script: Script = (client) => call(client, "echo", { message: "hello" });
  await record(join(folder, "direct"), first, "2025-11-25", server, script);
  const policy = `${ALLOW}tools: {echo: {rules: [{action: deny}]}}\n`;
  await record(join(folder, "denied"), first, "2025-11-25", [...through(folder, "denied", policy), ...server], script);
  const compare = (other: string) => execFileSync("python3", [RECORDING, "compare", join(folder, "direct"), join(folder, other)]);
  compare("direct");
  assert.throws(() => compare("denied"), /Command failed/);
});
