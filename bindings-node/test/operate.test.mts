// What a host does beside deciding: it lints a policy, lists and resets counters, and closes an engine.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { Engine, lint, PolicyError, StoreError } from "callgate";

const POLICY = `
version: "1"
default: deny
all_tools: {limits: [{counter: calls, window: day, max: 100}]}
tools:
  pay:
    limits: [{counter: spent, window: day, max: 50, increment_from: args.n, scope: identity}]
  read: {deny_if: [{path: args.n, op: gt, value: 5}]}
`;
/** 2026-01-01, midday. */
const NOON = Date.UTC(2026, 0, 1, 12);

function folder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "callgate-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** An engine for each kind of store that needs no server. */
function engines(t: TestContext): Engine[] {
  const clock = () => NOON;
  return ["memory", `sqlite://${join(folder(t), "counters.db")}`].map((store) => Engine.fromString(POLICY, { store, clock }));
}

test("lints a policy against the tools of a server", () => {
  const text = `{version: "1", default: deny, tools: {pay: {deny_if: [{path: args.amonut, op: gt, value: 5}]}, raed: {}}}`;
  const tools = [
    { name: "pay", inputSchema: { type: "object", properties: { amount: { type: "number" } }, additionalProperties: false } },
    { name: "read" },
  ];
  for (const given of [tools, { tools }]) {
    const found = lint(text, given);
    assert.deepEqual(found.map(({ severity, code }) => [severity, code]), [["warning", "unknown_argument"], ["warning", "unmatched_entry"]]);
    assert.deepEqual([found[1]?.pointer, found[1]?.help], ["/tools/raed", "did you mean `read`?"]);
  }
  assert.deepEqual(lint(text.replace("amonut", "amount").replace("raed", "read"), tools), []);
  assert.throws(() => lint("{version: 2}", tools), PolicyError);
  for (const none of [undefined, null, {}, "pay", { tools: "pay" }]) assert.throws(() => lint(text, none as never), TypeError);
});

test("lists the counters that hold something, and resets one", async (t) => {
  for (const engine of engines(t)) {
    assert.deepEqual([engine.counters(), await engine.countersAsync()], [[], []]);
    const held = engine.evaluate("pay", { n: 2.5 }, "alice").reservation;
    await engine.evaluateAsync("pay", { n: 4 }, { id: "bob" });
    const found = engine.counters().sort((a, b) => (a.scopeValue < b.scopeValue ? -1 : 1));
    const common = { window: "day", algorithm: "fixed", resetsAt: new Date("2026-01-02T00:00:00Z") };
    const spent = { entry: "pay", counter: "spent", scope: "identity", ...common };
    assert.deepEqual(found.map(({ key: _, ...rest }) => rest), [
      { entry: null, counter: "calls", scope: "global", scopeValue: "-", used: "2", ...common },
      { ...spent, scopeValue: 'id "alice"', used: "2.5" },
      { ...spent, scopeValue: 'id "bob"', used: "4" },
    ]);
    const sorted = (await engine.countersAsync()).sort((a, b) => (a.scopeValue < b.scopeValue ? -1 : 1));
    assert.deepEqual(sorted, found);
    const [, alice, bob] = found as [object, { key: string }, { key: string }];
    assert.ok(engine.resetCounter(alice));
    assert.deepEqual([engine.resetCounter(alice), await engine.resetCounterAsync(alice)], [false, false]);
    assert.ok(await engine.resetCounterAsync({ key: bob.key }));
    // A charge made before is not given back after.
    held?.finish("not_run");
    assert.deepEqual(engine.counters().map(({ counter, used }) => [counter, used]), [["calls", "1"]]);
    assert.equal(engine.evaluate("pay", { n: 50 }, "alice").code, "allowed");
    for (const none of [undefined, null, {}, { key: 5 }]) assert.throws(() => engine.resetCounter(none as never), TypeError);
    for (const key of ["", "00", `${alice.key}0`, `${alice.key}zz`, "é".repeat(16)]) {
      assert.throws(() => engine.resetCounter({ key }), TypeError);
      await assert.rejects(engine.resetCounterAsync({ key }), TypeError);
    }
  }
});

/** Files of a folder that this process has open. */
const openFiles = (directory: string): string[] =>
  (existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd") : []).flatMap((fd) => {
    try {
      const file = readlinkSync(`/proc/self/fd/${fd}`);
      return file.startsWith(directory) ? [file] : [];
    } catch {
      return [];
    }
  });

test("closes the store that it opened", async (t) => {
  const directory = folder(t);
  const store = `sqlite://${join(directory, "counters.db")}`;
  const [engine, open] = [Engine.fromString(POLICY, { store }), Engine.fromString(POLICY, { store, onStoreError: "allow" })];
  const { reservation } = engine.evaluate("pay", { n: 1 }, "alice");
  if (existsSync("/proc/self/fd")) assert.notDeepEqual(openFiles(directory), []);
  const waiting = engine.evaluateAsync("pay", { n: 1 }, "alice");
  for (const closed of [engine, open]) {
    closed.close();
    closed.close();
  }
  assert.equal((await waiting).code, "allowed", "what waits for the store gets its answer");
  for (const decide of [engine.evaluate("pay", { n: 1 }, "bob"), await engine.evaluateAsync("pay", { n: 1 }, "bob")]) {
    assert.deepEqual([decide.effect, decide.code], ["deny", "store_unavailable"]);
  }
  for (const { decision } of [engine.explain("pay", { n: 1 }, "bob"), await engine.explainAsync("pay", { n: 1 }, "bob")]) {
    assert.equal(decision.code, "store_unavailable");
  }
  const unchanged = { name: "StoreError", message: /closed/, transient: false, undone: true };
  assert.throws(() => reservation?.finish("not_run"), unchanged);
  await assert.rejects(reservation?.finishAsync("not_run") ?? Promise.resolve(), unchanged);
  for (const work of [() => engine.purge(), () => engine.counters(), () => engine.resetCounter({ key: "0".repeat(32) })]) {
    assert.throws(work, StoreError);
  }
  for (const work of [() => engine.purgeAsync(), () => engine.countersAsync(), () => engine.resetCounterAsync({ key: "0".repeat(32) })]) {
    await assert.rejects(work, StoreError);
  }
  assert.deepEqual([open.evaluate("pay", { n: 1 }).code, open.evaluate("pay", { n: 1 }, "bob").effect], ["identity_required", "allow"]);
  // What no counter decides goes on.
  assert.equal(engine.evaluate("nothing", {}).code, "not_listed");
  for (let patience = 0; openFiles(directory).length > 0; patience += 1) {
    assert.ok(patience < 500, openFiles(directory).join());
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});

test("counters in memory go on after a close", () => {
  const engine = Engine.fromString(POLICY);
  engine.evaluate("pay", { n: 1 }, "alice");
  engine.close();
  assert.deepEqual(engine.evaluate("pay", { n: 2 }, "alice").counters.map(({ used }) => used), ["3", "2"]);
});
