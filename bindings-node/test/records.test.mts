// Records of a guard beside the gateway's schema, and spans of the host's tracer. The real SDKs of both.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { UrlElicitationRequiredError } from "@modelcontextprotocol/sdk/types.js";
import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Engine, Policy, Store } from "callgate";
import { approveByStore, guard, type GuardOptions, type GuardRecord, type OnResult } from "callgate/mcp";
import { z } from "zod";
import { PROJECT } from "./cases.mjs";

const POLICY = `version: "1"
default: deny
list: callable
tools:
  pay: {limits: [{counter: sum, window: day, max: 10, increment_from: args.amount}]}
  fail: {limits: [{counter: n, window: day, max: 9, refund: error}]}
  ask: {rules: [{name: large, action: require_approval}]}
  mine: {require: [{path: identity.role, op: eq, value: admin}]}
`;

interface Call extends GuardRecord {
  readonly kind: string;
  readonly seq: number;
  readonly name: string;
  readonly decision: { code: string } | null;
  readonly refusal: string | null;
  readonly upstream: { outcome: string; code: number | null; latency_us: number | null; bytes_out: number; bytes_in: number };
  readonly charge: string;
}

const schema = new Ajv2020({ strict: false, validateFormats: false }).compile(JSON.parse(readFileSync(join(PROJECT, "spec/audit.schema.json"), "utf8")) as object);

async function connected(engine: Engine, options: GuardOptions): Promise<Client> {
  const server = new McpServer({ name: "first", version: "1" });
  const answer = (name: string) => () => ({ content: [{ type: "text" as const, text: name }] });
  server.registerTool("pay", { inputSchema: { amount: z.number(), secret: z.string().optional() } }, answer("pay"));
  server.registerTool("fail", {}, () => {
    throw new UrlElicitationRequiredError([]);
  });
  for (const name of ["ask", "mine"]) server.registerTool(name, {}, answer(name));
  guard(server, engine, options);
  const [near, far] = InMemoryTransport.createLinkedPair();
  await server.connect(far);
  const client = new Client({ name: "test", version: "1" });
  await client.connect(near);
  return client;
}

describe("records", () => {
  test("tell of each call once, in the gateway's form, and of no argument's value", async () => {
    const records: Call[] = [];
    const store = new Store("memory");
    const engine = Engine.fromString(POLICY, { store });
    const client = await connected(engine, { audit: (record) => void records.push(record as Call), serverName: "bank", identity: () => ({ id: "alice", role: "user" }), onApproval: approveByStore() });
    await client.listTools();
    await client.callTool({ name: "pay", arguments: { secret: "hunter2", amount: 3 } });
    await client.callTool({ name: "pay", arguments: { amount: 8 } });
    await assert.rejects(client.callTool({ name: "fail" }));
    await client.callTool({ name: "ask" });
    await store.grantApproval((await store.approvals())[0]?.id ?? "", { by: "ann" });
    await client.callTool({ name: "ask" });
    engine.replace(Policy.fromString(POLICY.replace("max: 9", "max: 8")));
    for (const record of records) assert.ok(schema(record), JSON.stringify([record, schema.errors]));
    assert.deepEqual(records.map(({ seq }) => seq), records.map((_, index) => index + 1));
    assert.equal(JSON.stringify(records).includes("hunter2"), false);
    const told = records.map(({ kind, name, decision, upstream, charge, ...rest }) => (kind === "call" ? [name, decision?.code, upstream.outcome, upstream.code, charge] : [kind, rest["outcome"] ?? rest["hidden"] ?? rest["target"]]));
    assert.deepEqual(told, [
      ["list_filtered", 1],
      ["pay", "allowed", "done", null, "kept"],
      ["pay", "limit_exceeded", "not_run", null, "none"],
      ["fail", "allowed", "error", -32042, "released"],
      ["approval", "asked"],
      ["ask", "approval_required", "not_run", null, "none"],
      ["approval", "asked"],
      ["approval", "used"],
      ["ask", "allowed", "done", null, "none"],
      ["reload", "policy"],
    ]);
    const pay = records[1] ?? assert.fail();
    assert.deepEqual([pay["args"], pay["principal"], pay["server"], pay["transport"], pay["protocol"]], [{ keys: ["amount", "secret"], hash: null }, { id: "alice", grant: null }, "bank", "stdio", "2025-11-25"]);
    assert.ok((pay.upstream.latency_us ?? 0) > 0 && pay.upstream.bytes_out > 50 && pay.upstream.bytes_in > 50, JSON.stringify(pay));
    assert.deepEqual(records[2]?.upstream, { outcome: "not_run", code: null, latency_us: null, bytes_out: 0, bytes_in: 0 });
  });

  test("tell what was settled, and of calls that nobody decided", async () => {
    const records: Call[] = [];
    const engine = Engine.fromString(POLICY);
    const options: GuardOptions = { audit: (record) => void records.push(record as Call), onError: () => {}, onResult: (decision) => decision.reservation?.settle(1) };
    const client = await connected(engine, { ...options, onApproval: () => Promise.reject(new Error("down")) });
    await client.callTool({ name: "pay", arguments: { amount: 3 } });
    await client.callTool({ name: "ask" });
    await client.callTool({ name: "x".repeat(2_000), arguments: Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`${n}`.padStart(200, "é"), n])) });
    const many = records.pop() ?? assert.fail();
    assert.ok(schema(many), JSON.stringify(schema.errors));
    const { keys } = many["args"] as { keys: string[] };
    assert.deepEqual([keys.length, Math.max(...keys.map((key) => Buffer.byteLength(key))), many.name.length], [64, 128, 1_024]);
    assert.deepEqual(records.filter(({ kind }) => kind === "call").map(({ charge, decision, refusal }) => [charge, decision?.code, refusal]), [["settled", "allowed", null], ["none", undefined, "undecided"]]);
    for (const record of records) assert.ok(schema(record), JSON.stringify([record, schema.errors]));
  });

  test("go on in a file that is there, which others may not read", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "callgate-")), "bank.jsonl");
    writeFileSync(file, `${JSON.stringify({ v: 1, seq: 41 })}\n{"half`, { mode: 0o600 });
    const engine = Engine.fromString(POLICY);
    for (let session = 0; session < 2; session += 1) await (await connected(engine, { audit: file })).callTool({ name: "pay", arguments: { amount: 1 } });
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    assert.deepEqual(lines.slice(2).map((line) => (JSON.parse(line) as Call).seq), [42, 43]);
    const fresh = `${file}.other`;
    await (await connected(engine, { audit: fresh })).callTool({ name: "pay", arguments: { amount: 1 } });
    assert.equal(statSync(fresh).mode & 0o777, 0o600);
  });

  test("are in the file that the host names, a line each", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "callgate-")), "bank.jsonl");
    const engine = Engine.fromString(POLICY);
    const server = new McpServer({ name: "first", version: "1" });
    server.registerTool("pay", { inputSchema: { amount: z.number() } }, () => ({ content: [] }));
    guard(server, engine, { audit: file, serverName: "bank" });
    const [near, far] = InMemoryTransport.createLinkedPair();
    await server.connect(far);
    const client = new Client({ name: "test", version: "1" });
    await client.connect(near);
    for (const amount of [5, 500]) await client.callTool({ name: "pay", arguments: { amount } });
    const records = readFileSync(file, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as Call);
    for (const record of records) assert.ok(schema(record), JSON.stringify([record, schema.errors]));
    assert.deepEqual(records.map(({ seq, decision, upstream, ...rest }) => [seq, rest["server"], decision?.code, upstream.outcome]), [[1, "bank", "allowed", "done"], [2, "bank", "limit_exceeded", "not_run"]]);
  });

  test("that cannot be written fail no call", async () => {
    const errors: unknown[] = [];
    const audit = () => {
      throw new Error("no disk");
    };
    const client = await connected(Engine.fromString(POLICY), { audit, onError: (error) => errors.push(error) });
    assert.equal((await client.callTool({ name: "pay", arguments: { amount: 1 } })).isError, undefined);
    assert.deepEqual(errors.map(String), ["Error: no disk"]);
    await assert.rejects(connected(Engine.fromString(POLICY), { audit: 5 as never }), /path of a file, or a function/);
  });
});

test("counts of calls, as Prometheus reads them", async () => {
  const counts = new Map<string, number>();
  const onResult: OnResult = (decision, { outcome }) => {
    // A tool that is refused may have any name, so it is none of the labels.
    const tool = decision.allowed ? decision.tool : "";
    const labels = `tool=${JSON.stringify(tool)},code="${decision.code}",outcome="${outcome}"`;
    counts.set(labels, (counts.get(labels) ?? 0) + 1);
  };
  const metrics = () => [...counts].map(([labels, count]) => `mcp_calls_total{${labels}} ${count}`).join("\n");
  const client = await connected(Engine.fromString(POLICY), { onResult });
  for (const amount of [3, 4, 5]) await client.callTool({ name: "pay", arguments: { amount } });
  assert.equal(metrics(), 'mcp_calls_total{tool="pay",code="allowed",outcome="done"} 2\nmcp_calls_total{tool="",code="limit_exceeded",outcome="not_run"} 1');
});

test("a decision is on the span that is active, and its trace in the record", async () => {
  const exporter = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const records: Call[] = [];
  const client = await connected(Engine.fromString(POLICY), { audit: (record) => void records.push(record as Call), identity: async () => (await sleep(1), "alice") });
  const traced = trace.getTracer("test").startActiveSpan("request", async (span) => {
    await client.callTool({ name: "ask" });
    span.end();
    return span.spanContext().traceId;
  });
  const traceId = await traced;
  const span = exporter.getFinishedSpans().find(({ name }) => name === "request") ?? assert.fail();
  assert.deepEqual(span.attributes, { "callgate.effect": "require_approval", "callgate.code": "approval_required", "callgate.tool": "ask", "callgate.rule": "large" });
  assert.deepEqual(records.filter(({ kind }) => kind === "call").map(({ trace }) => trace), [traceId]);
});
