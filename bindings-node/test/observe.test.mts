// A candidate policy beside the one in force: it changes no decision, whatever it says and whatever its store does.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Engine, Policy, Store } from "callgate";
import { type Case, decisions, policyOfCase, policyOfLines } from "./cases.mjs";
import { hostValue } from "./host-value.mjs";
import { withServer } from "./redis-server.mjs";

const DENIES = "{version: '1', default: deny, tools: {}}";
const COUNTS = "{version: '1', default: allow, tools: {}, all_tools: {rules: [{rate_limit: 3/hour}]}}";
const limited = (max: number) => `{version: '1', default: deny, tools: {t: {limits: [{counter: n, window: hour, max: ${max}}]}}}`;
const folder = mkdtempSync(join(tmpdir(), "callgate-observe-"));
after(() => rmSync(folder, { recursive: true }));

/** The decisions of a case's calls, without what its steps do beside. */
function decided(given: Case, candidate?: string, store?: Store): string[] {
  let now = Date.parse("2026-11-21T10:00:00.000Z");
  const engine = new Engine(policyOfCase(given), { clock: () => now, onWarning: () => {} });
  if (candidate !== undefined) engine.observe(Policy.fromString(candidate), store === undefined ? {} : { store });
  return given.steps.map((step) => {
    if (step.at) now = Date.parse(step.at);
    if (step.reload) engine.replace(policyOfLines(step.reload));
    const identity = step.identity === undefined ? undefined : (hostValue(step.identity).value as object);
    if (step.method !== undefined) return engine.evaluateRequestJson(step.method, step.params ?? "{}", identity).json;
    const decision = engine.evaluateJson(step.tool ?? "", step.args ?? "{}", identity);
    if (step.finish === "not_run") decision.reservation?.finish("not_run");
    return decision.json;
  });
}

test("no candidate changes a decision of any case", async () => {
  await withServer(async (url, server) => {
    const hangs = new Store(url, { timeoutMs: 60_000 });
    server.kill("SIGSTOP");
    let count = 0;
    for (const [, cases] of decisions()) {
      for (const given of cases) {
        const without = decided(given);
        assert.deepEqual(decided(given, DENIES), without, given.name);
        assert.deepEqual(decided(given, COUNTS), without, given.name);
        assert.deepEqual(decided(given, COUNTS, hangs), without, given.name);
        count += without.length;
      }
    }
    assert.ok(count > 500);
    server.kill("SIGCONT");
  });
});

test("a store that hangs is waited for by nobody", async () => {
  await withServer(async (url, server) => {
    const engine = Engine.fromString(limited(9));
    engine.observe(Policy.fromString(limited(1)), { store: new Store(url, { timeoutMs: 60_000 }) });
    server.kill("SIGSTOP");
    const made = [engine.evaluate("t"), await engine.evaluateAsync("t")];
    assert.deepEqual(made.map((decision) => [decision.allowed, decision.observed()]), [[true, null], [true, null]]);
    server.kill("SIGCONT");
    while (made.some((decision) => decision.observed() === null)) await sleep(5);
    assert.equal(made[1]?.observed()?.flip, "tighter");
  });
});

test("charges are the candidate's own, and a call that only it charged gives them back", () => {
  const engine = Engine.fromString(limited(9));
  assert.equal(engine.observations(), null);
  engine.observe(Policy.fromString(limited(1)));
  const flips = [1, 2].map(() => engine.evaluate("t").observed()?.flip);
  assert.deepEqual(flips, ["none", "tighter"]);
  const { calls, failed, omitted, rows } = engine.observations() ?? assert.fail();
  assert.deepEqual([calls, failed, omitted, rows.map(({ tool, flip, count }) => [tool, flip, count])], [2, 0, 0, [["t", "none", 1], ["t", "tighter", 1]]]);
  engine.observe(null);
  assert.deepEqual([engine.evaluate("t").observed(), engine.observations()], [null, null]);
});

test("the engine's own counters are refused, and those of another namespace are asked later", async () => {
  const store = new Store(`sqlite://${join(folder, "s.db")}`);
  const engine = Engine.fromString(limited(9), { store });
  assert.throws(() => engine.observe(Policy.fromString(limited(1)), { store }), TypeError);
  assert.throws(() => engine.observe(limited(1) as unknown as Policy), TypeError);
  engine.observe(Policy.fromString(limited(1)), { store: store.namespaced("next") });
  const made = [await engine.evaluateAsync("t"), await engine.evaluateAsync("t")];
  while (made.some((decision) => decision.observed() === null)) await sleep(5);
  assert.deepEqual(made.map((decision) => [decision.allowed, decision.observed()?.flip]), [[true, "none"], [true, "tighter"]]);
  await made[0]?.reservation?.finishAsync("not_run");
  const third = engine.evaluate("t");
  while (third.observed() === null) await sleep(5);
  assert.equal(third.observed()?.effect, "allow", "one was given back");
  engine.observe(null);
  store.close();
});
