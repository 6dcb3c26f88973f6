// Locks of definitions: the digests of `spec/lock`, and what a guard says of a lock that it cannot use.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { CallgateError, definitionDigests, Engine } from "callgate";
import { guardTransport, type GuardRecord, type GuardWarning } from "callgate/mcp";
import { PROJECT } from "./cases.mjs";

interface Case {
  name: string;
  replace: [from: string, to: string][];
  also?: string[];
  expect: string;
  fields?: string[];
}
interface File {
  about: string;
  definition: string;
  digests: Record<string, string>;
  cases: Case[];
}

const folder = join(PROJECT, "spec/lock");
for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
  const { definition, digests, cases } = JSON.parse(readFileSync(join(folder, file), "utf8")) as File;
  describe(file, () => {
    test("digests", () => {
      assert.deepEqual(definitionDigests(definition), digests);
      assert.deepEqual(definitionDigests(JSON.parse(definition)), digests);
    });
    for (const { name, replace, also, expect, fields = [] } of cases) {
      test(name, () => {
        const text = replace.reduce((before, [from, to]) => {
          assert.ok(before.includes(from));
          return before.replace(from, () => to);
        }, definition);
        const found = definitionDigests(text);
        if (expect === "refused") return assert.equal(found, null);
        assert.ok(found);
        const names = [...new Set([...Object.keys(found), ...Object.keys(digests)])].filter((field) => field !== "digest").sort();
        assert.deepEqual(names.filter((field) => found[field] !== digests[field]), fields);
        if (also === undefined) assert.equal(found["digest"] === digests["digest"], expect === "same");
      });
    }
  });
}

const place = mkdtempSync(join(tmpdir(), "callgate-lock-"));
const engine = () => Engine.fromString('{version: "1", default: allow}');

/** A lock of the tool `t` on each of these servers. */
function lock(name: string, ...servers: string[]): string {
  const definition = { name: "t", inputSchema: { type: "object" } };
  const { digest, ...fields } = definitionDigests(definition) ?? assert.fail();
  const tools = servers.map((server) => ({ server, name: "t", class: "Unknown", severity: "high", digest, fields, definition }));
  const path = join(place, name);
  writeFileSync(path, JSON.stringify({ version: "1", servers: servers.map((of) => ({ name: of, protocol: "", complete: true, date: "2026-11-30" })), tools }));
  return path;
}

test("a lock that cannot be used begins no guard", () => {
  const [near] = InMemoryTransport.createLinkedPair();
  const two = lock("two.lock", "a", "b");
  const broken = join(place, "broken.lock");
  writeFileSync(broken, readFileSync(two, "utf8").replace("sha256:", "sha255:"));
  for (const [options, words] of [
    [{ lock: join(place, "none.lock") }, /none\.lock/],
    [{ lock: broken }, /line 1: tool `t` has a `digest` that is not/],
    [{ lock: two }, /name one of `a`, `b`/],
    [{ lock: two, serverName: "c" }, /no server `c`/],
  ] as const) {
    const isRight = (error: unknown) => error instanceof CallgateError && error.code === "invalid_lock" && words.test(error.message);
    assert.throws(() => guardTransport(near, engine(), options), isRight);
  }
  assert.throws(() => guardTransport(near, engine(), { lock: two, serverName: "a", onDrift: "ask" as never }), TypeError);
  guardTransport(near, engine(), { lock: two, serverName: "b", onDrift: "deny" });
});

test("a refused call has a record, and is warned of", async () => {
  const records: GuardRecord[] = [];
  const warnings: GuardWarning[] = [];
  const [near, far] = InMemoryTransport.createLinkedPair();
  const guarded = guardTransport(far, engine(), { lock: lock("one.lock", "a"), audit: (record) => void records.push(record), onWarning: (warning) => void warnings.push(warning) });
  guarded.onmessage = (message) => {
    const { id, method } = message as { id?: number; method?: string };
    const tools = ["t", "new"].map((name) => ({ name, inputSchema: { type: "object" } }));
    if (method === "tools/list" && id !== undefined) void guarded.send({ jsonrpc: "2.0", id, result: { tools } });
  };
  const answers: { result: { _meta?: Record<string, unknown>; tools?: { name: string }[] } }[] = [];
  near.onmessage = (message) => void answers.push(message as never);
  await near.send({ jsonrpc: "2.0", method: "notifications/initialized" });
  await near.send({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "new", arguments: {} } });
  await near.send({ jsonrpc: "2.0", id: 2, method: "tools/list", params: {} });
  for (let n = 0; n < 200 && answers.length < 2; n += 1) await pause(5);
  assert.equal(answers[0]?.result._meta?.["callgate/code"], "definition_changed");
  assert.deepEqual(answers[1]?.result.tools?.map(({ name }) => name), ["t"]);
  const refused = records.filter(({ kind }) => kind === "call").map(({ name, refusal, decision, charge }) => ({ name, refusal, decision, charge }));
  assert.deepEqual(refused, [{ name: "new", refusal: "definition_changed", decision: null, charge: "none" }]);
  assert.deepEqual(warnings.filter(({ code }) => code === "definition_changed").length, 1);
});
