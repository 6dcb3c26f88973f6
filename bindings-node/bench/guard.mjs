// What a guarded call costs in a server of each SDK, beside the same server unguarded, in one run.
//
//     ./bench.sh
//
// In: the built package, the SDKs of its tests. Out: a table, and with `--json FILE` a JSON object for each subject, appended to that. Client and
// server are in one process, so that a call is two messages that no pipe or socket carries. The subjects take turns; each figure is the median of
// the rounds, in processor time of the process, collecting garbage included.

import { appendFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpServer as McpServer2 } from "@modelcontextprotocol/server";
import { z } from "zod";

const ROUNDS = Number(process.env.ROUNDS ?? 31);
const CALLS = 500;

const { values: options, positionals } = parseArgs({ options: { json: { type: "string" } }, allowPositionals: true });
const built = (file) => import(pathToFileURL(resolve(positionals[0] ?? "..", "dist", file)).href);
const { Engine } = await built("index.mjs");
const { guard } = await built("mcp.mjs");
const engine = Engine.fromString(`
version: "1"
default: deny
tools:
  create_charge:
    require:
      - {path: args.amount, op: lte, value: 50000}
      - {path: args.currency, op: in, value: [usd, eur, gbp]}
    limits: [{counter: n, window: day, max: 1000000000}]
`);
const inputSchema = { amount: z.number(), currency: z.string(), customer: z.string(), description: z.string() };

const SDKS = {
  "@modelcontextprotocol/sdk": (run) => {
    const server = new McpServer({ name: "bench", version: "1" });
    server.registerTool("create_charge", { inputSchema }, run);
    return server;
  },
  "@modelcontextprotocol/server": (run) => {
    const server = new McpServer2({ name: "bench", version: "1" });
    server.registerTool("create_charge", { inputSchema: z.object(inputSchema) }, run);
    return server;
  },
};

/** A function that calls so often, one call after the other. */
async function subject(sdk, isGuarded) {
  let ran = 0;
  const server = SDKS[sdk](() => {
    ran += 1;
    return { content: [{ type: "text", text: "charged" }] };
  });
  if (isGuarded) guard(server, engine);
  const [near, far] = InMemoryTransport.createLinkedPair();
  let answered = () => {};
  near.onmessage = (message) => answered(message);
  await server.connect(far);
  let id = 0;
  const request = (method, params) =>
    new Promise((resolve) => {
      answered = resolve;
      near.send({ jsonrpc: "2.0", id: (id += 1), method, params });
    });
  await request("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bench", version: "1" } });
  await near.send({ jsonrpc: "2.0", method: "notifications/initialized" });
  return async (times) => {
    const before = ran;
    for (let n = 0; n < times; n += 1) {
      const args = { amount: 4200 + n, currency: "usd", customer: `cus_${n}`, description: `order ${n}` };
      const { result } = await request("tools/call", { name: "create_charge", arguments: args });
      if (result?.isError === true) throw new Error(result.content[0].text);
    }
    if (ran - before !== times) throw new Error(`${ran - before} of ${times} calls ran`);
  };
}

async function time(calls, times) {
  const start = process.cpuUsage();
  await calls(times);
  const { user, system } = process.cpuUsage(start);
  return ((user + system) * 1_000) / times;
}

const runs = [];
for (const sdk of Object.keys(SDKS)) {
  for (const isGuarded of [false, true]) runs.push({ sdk, isGuarded, calls: await subject(sdk, isGuarded), found: [] });
}
// Until V8 has compiled them.
for (const { calls } of runs) await calls(4 * CALLS);
for (let round = 0; round < ROUNDS; round += 1) {
  for (const { calls, found } of runs) found.push(await time(calls, CALLS));
}
for (const { found } of runs) found.sort((one, other) => one - other);
const at = (found, part) => found[Math.floor((found.length - 1) * part)];
console.table(
  Object.keys(SDKS).map((sdk) => {
    const [bare, guarded] = [false, true].map((isGuarded) => at(runs.find((run) => run.sdk === sdk && run.isGuarded === isGuarded).found, 0.5) / 1_000);
    return { server: sdk, "µs unguarded": bare.toFixed(1), "µs guarded": guarded.toFixed(1), "µs of the guard": (guarded - bare).toFixed(1) };
  }),
);
if (options.json) {
  for (const { sdk, isGuarded, found } of runs) {
    const [value, least, low, high] = [0.5, 0, 0.25, 0.75].map((part) => Number(at(found, part).toFixed(2)));
    // The shape that all benches of the repository share.
    const record = { bench: "node", case: `an MCP call, ${sdk}`, subject: isGuarded ? "callgate" : "unguarded", role: isGuarded ? "ours" : "floor", unit: "ns", x: null, value, least, low, high };
    appendFileSync(options.json, `${JSON.stringify(record)}\n`);
  }
}
