// `evaluateAsync` with counters on a real Redis server: JS goes on meanwhile, and no call takes a thread of Node's pool.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { Engine, StoreError } from "callgate";

import { freePort, withServer } from "./redis-server.mjs";

const TIMEOUT = 500;

function engine(store: string, limit: number, storeTimeoutMs = 30_000, onStoreError: "deny" | "allow" = "deny"): Engine {
  const policy = `{version: "1", default: deny, tools: {t: {limits: [{counter: c, window: 366d, max: ${limit}}]}}}`;
  return Engine.fromString(policy, { store, storeTimeoutMs, onStoreError });
}

test("concurrent calls admit exactly the limit", async () => {
  await withServer(async (url) => {
    const limited = engine(url, 50);
    const decisions = await Promise.all(Array.from({ length: 200 }, () => limited.evaluateAsync("t", {})));
    assert.equal(decisions.filter(({ allowed }) => allowed).length, 50);
    assert.deepEqual(new Set(decisions.map(({ code }) => code)), new Set(["allowed", "limit_exceeded"]));
  });
});

test("the decision is the same as without await", async () => {
  await withServer(async (url) => {
    const both = engine(url, 9);
    const awaited = await both.evaluateAsync("t", {});
    const waited = both.evaluate("t", {});
    assert.equal(awaited.json.replace('"used":"1"', '"used":"2"'), waited.json);
    const raw = await both.evaluateJsonAsync("t", "{}");
    assert.equal(raw.json, waited.json.replace('"used":"2"', '"used":"3"'));
    await raw.reservation?.finishAsync("not_run");
    assert.equal(both.evaluate("t", {}).counters[0]?.used, "3");
    const shown = both.explain("t", {});
    assert.equal(shown.decision.counters[0]?.used, "3");
    for (const explained of [await both.explainAsync("t", {}), await both.explainJsonAsync("t", "{}")]) {
      assert.deepEqual([explained.decision.json, explained.checks], [shown.decision.json, shown.checks]);
    }
    const broken = await both.explainJsonAsync("t", "null");
    assert.deepEqual([broken.decision.code, broken.checks], ["invalid_args", both.explainJson("t", "null").checks]);
  });
});

test("charges are given back without blocking, once, and with the errors of what does not wait", async () => {
  await withServer(async (url, server) => {
    const policy = `{version: "1", default: deny, tools: {t: {limits: [
      {counter: c, window: 366d, max: 100, increment_from: args.n}]}}}`;
    const paid = Engine.fromString(policy, { store: url, storeTimeoutMs: TIMEOUT });
    const decisions = await Promise.all(Array.from({ length: 10 }, () => paid.evaluateAsync("t", { n: 10 })));
    const held = decisions.map(({ reservation }) => reservation!);
    assert.equal((await paid.evaluateAsync("t", { n: 1 })).allowed, false);
    await Promise.all(held.map((one, at) => (at < 5 ? one.finishAsync("not_run") : at < 8 ? one.settleAsync("7.5") : null)));
    await assert.rejects(held[0]!.finishAsync("not_run"), { code: "finished" });
    await assert.rejects(held[8]!.settleAsync({ other: 1 }), { code: "unknown_counter" });
    await held[8]!.settleAsync(11);
    assert.equal((await paid.evaluateAsync("t", { n: 0 })).counters[0]?.used, "43.5");
    server.kill("SIGSTOP");
    await assert.rejects(held[9]!.finishAsync("not_run"), StoreError);
    server.kill("SIGCONT");
  });
});

test("JS goes on while the server hangs, and the calls end", async () => {
  await withServer(async (url, server) => {
    const patient = engine(url, 1_000, TIMEOUT);
    assert.equal((await patient.evaluateAsync("t", {})).code, "allowed");
    server.kill("SIGSTOP");
    let ticks = 0;
    const ticking = setInterval(() => (ticks += 1), TIMEOUT / 50);
    // More than the threads of Node's pool: they would wait one after the other.
    const decisions = await Promise.all(Array.from({ length: 20 }, () => patient.evaluateAsync("t", {})));
    assert.ok(ticks >= 5, `${ticks}`);
    ticks = 0;
    const { decision, checks } = await patient.explainAsync("t", {});
    assert.deepEqual([decision.code, checks.at(-1)?.outcome], ["store_unavailable", "unavailable"]);
    assert.ok(ticks >= 5, `${ticks}`);
    clearInterval(ticking);
    server.kill("SIGCONT");
    assert.deepEqual(new Set(decisions.map(({ code }) => code)), new Set(["store_unavailable"]));
    for (let patience = 0; (await patient.evaluateAsync("t", {})).code !== "allowed"; patience += 1) {
      assert.ok(patience < 1_000, "the service does not resume");
      await sleep(20);
    }
  });
});

test("an engine that began without its server counts once it is there", async () => {
  const port = await freePort();
  const store = `redis://127.0.0.1:${port}`;
  const unreachable = { name: "StoreError", code: "store_unavailable", transient: true };
  assert.throws(() => engine(store, 3, TIMEOUT), unreachable);
  const lenient = engine(store, 3, TIMEOUT, "allow");
  assert.throws(() => lenient.purge(), unreachable);
  await assert.rejects(lenient.purgeAsync(), unreachable);
  for (const decision of [lenient.evaluate("t", {}), await lenient.evaluateAsync("t", {})]) {
    assert.deepEqual([decision.effect, decision.code], ["allow", "store_unavailable"]);
  }
  await withServer(async () => {
    const first = async (): Promise<string> => {
      for (let patience = 0; patience < 1_000; patience += 1) {
        const { code } = lenient.evaluate("t", {});
        if (code !== "store_unavailable") return code;
        await sleep(20);
      }
      return "the engine does not find its server";
    };
    const codes = [await first(), lenient.evaluate("t", {}).code];
    for (let n = 0; n < 2; n += 1) codes.push((await lenient.evaluateAsync("t", {})).code);
    // What passed without a server was not counted, and what passes with it is, in both faces.
    assert.deepEqual(codes, ["allowed", "allowed", "allowed", "limit_exceeded"]);
    assert.deepEqual([lenient.purge(), await lenient.purgeAsync()], [0, 0]);
  }, port);
});

test("a process ends once its calls have", async () => {
  await withServer(async (url) => {
    const script = `
      import { Engine } from "callgate";
      const engine = Engine.fromString('{version: "1", default: allow, tools: {t: {limits: [{counter: c, window: hour, max: 9}]}}}',
        { store: "${url}" });
      for (let n = 0; n < 20; n += 1) void engine.evaluateAsync("t", {}).then((d) => process.stdout.write(d.allowed ? "+" : "-"));`;
    const here = fileURLToPath(new URL(".", import.meta.url));
    const options = { cwd: here, encoding: "utf8", timeout: 60_000 } as const;
    const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], options);
    assert.equal([...out].filter((mark) => mark === "+").length, 9);
    assert.equal(out.length, 20);
    const left = spawnSync(process.execPath, ["--input-type=module", "-e", `${script} process.exit(7);`], options);
    assert.equal(left.status, 7, left.stderr);
  });
});
