// `Store`: one connection for many engines and namespaces, what they share, and what is left once it is closed.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { inspect } from "node:util";

import { Engine, Policy, Store, StoreError } from "callgate";

import { withServer } from "./redis-server.mjs";

const TENANTS = 50;
const CLOSED = { name: "StoreError", code: "store_unavailable", message: /closed/, transient: false, undone: true };

function engine(store: Store | string, limit = 9): Engine {
  return new Engine(Policy.fromString(`{version: "1", default: deny, tools: {t: {limits: [{counter: c, window: 366d, max: ${limit}}]}}}`), { store });
}

function folder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "callgate-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** Runs `work` with a store of each kind. */
async function each(t: TestContext, work: (store: Store, t: TestContext) => Promise<void>): Promise<void> {
  await t.test("memory", (t) => work(new Store("memory"), t));
  await t.test("sqlite", (t) => work(new Store(`sqlite://${join(folder(t), "counters.db")}`, { timeoutMs: 30_000 }), t));
  await t.test("redis", (t) => withServer((url) => work(new Store(url, { timeoutMs: 30_000 }), t)));
}

const codes = (engines: Engine[]) => engines.map((engine) => engine.evaluate("t").code);
const used = (subject: Store | Engine) => subject.counters().map(({ used }) => used);

test("engines share counters by the name of their namespace", async (t) => {
  await each(t, async (store) => {
    const [one, other] = [store.namespaced("one"), store.namespaced("other")];
    assert.deepEqual(codes([store, one, other].map((store) => engine(store, 1))), ["allowed", "allowed", "allowed"]);
    for (const again of [one, store.namespaced("one"), other.namespaced("one")]) {
      assert.equal(engine(again, 1).evaluate("t").code, "limit_exceeded");
      assert.equal((await engine(again, 1).evaluateAsync("t")).code, "limit_exceeded");
    }
    // The name that a store has by itself is one as any other.
    assert.equal(store.namespace, "callgate");
    assert.equal(engine(one.namespaced("callgate"), 1).evaluate("t").code, "limit_exceeded");
  });
});

test("each memory URL has counters of its own", () => {
  assert.deepEqual(codes([engine("memory", 1), engine("memory", 1)]), ["allowed", "allowed"]);
  const [shared, apart] = [new Store("memory"), new Store("memory")];
  assert.deepEqual(codes([engine(shared, 1), engine(shared, 1), engine(apart, 1)]), ["allowed", "limit_exceeded", "allowed"]);
});

test("counters are listed and reset by stores and engines", async (t) => {
  await each(t, async (store) => {
    const tenant = store.namespaced("tenant");
    const [first, second] = [engine(tenant), engine(store)];
    assert.deepEqual(codes([first, first, second, second, second]), Array(5).fill("allowed"));
    assert.deepEqual([used(tenant), used(store), used(first)], [["2"], ["3"], ["2"]]);
    assert.deepEqual((await tenant.countersAsync()).map(({ used }) => used), ["2"]);
    const [listed] = tenant.counters();
    assert.ok(listed !== undefined);
    assert.deepEqual([listed.entry, listed.counter, listed.scope, listed.window, listed.algorithm], ["t", "c", "global", "31622400s", "fixed"]);
    assert.deepEqual([tenant.resetCounter(listed), await tenant.resetCounterAsync(listed)], [true, false]);
    assert.deepEqual([used(tenant), used(first), used(store)], [[], [], ["3"]]);
    assert.ok(await store.resetCounterAsync({ key: listed.key }));
    assert.deepEqual(used(second), []);
    for (const key of ["", "x".repeat(32), listed.key.slice(1)]) assert.throws(() => store.resetCounter({ key }), TypeError);
  });
});

test("what is asked of a closed store is certainly not done", async (t) => {
  await each(t, async (store) => {
    const tenant = store.namespaced("tenant");
    const engines = [engine(store), engine(tenant), engine(store.namespaced("tenant"))];
    const held = engines.map((engine) => engine.evaluate("t").reservation);
    // An engine does not close a store that it was given.
    engines[0]?.close();
    assert.deepEqual(codes(engines), ["allowed", "allowed", "allowed"]);
    // A namespace is closed alone.
    tenant.close();
    assert.deepEqual(codes(engines), ["allowed", "store_unavailable", "allowed"]);
    store.close();
    for (let round = 0; round < 2; round += 1) {
      for (const [index, engine] of engines.entries()) {
        assert.equal(engine.evaluate("t").code, "store_unavailable");
        assert.equal((await engine.evaluateAsync("t")).code, "store_unavailable");
        for (const work of [() => engine.counters(), () => engine.purge(), () => held[index]?.finish("not_run")]) assert.throws(work, CLOSED);
        for (const work of [() => engine.countersAsync(), () => engine.purgeAsync(), async () => held[index]?.finishAsync("not_run")]) {
          await assert.rejects(work, CLOSED);
        }
      }
      for (const work of [() => store.counters(), () => store.namespaced("another"), () => store.resetCounter({ key: "0".repeat(32) })]) {
        assert.throws(work, CLOSED);
      }
      store.close();
    }
  });
});

test("stores and engines are closed where their block ends", (t) => {
  const directory = folder(t);
  const store = new Store(`sqlite://${join(directory, "counters.db")}`);
  const own = engine(`sqlite://${join(directory, "counters.db")}`);
  store[Symbol.dispose]();
  own[Symbol.dispose]();
  assert.throws(() => store.counters(), CLOSED);
  assert.throws(() => own.counters(), CLOSED);
});

test("a store is given with its own namespace and time-out", () => {
  const [store, policy] = [new Store("memory"), Policy.fromString("{version: '1', default: deny, tools: {t: }}")];
  assert.throws(() => new Engine(policy, { store, storeNamespace: "other" }), /`storeNamespace`/);
  assert.throws(() => new Engine(policy, { store, storeTimeoutMs: 5 }), /`storeTimeoutMs`/);
  for (const none of [7, {}, null, { native: {} }]) assert.throws(() => new Engine(policy, { store: none as never }), TypeError);
  for (const none of [undefined, 7, {}]) {
    assert.throws(() => new Store(none as never), TypeError);
    assert.throws(() => store.namespaced(none as never), TypeError);
  }
  assert.throws(() => new Store("memory", { storeNamespace: "x" } as never), /unknown option/);
  for (const timeoutMs of [0, -1, NaN]) assert.throws(() => new Store("memory", { timeoutMs }), TypeError);
});

test("a store shows neither its path nor its password", (t) => {
  assert.throws(() => new Store("http://alice:hunter2@internal"), { code: "store_url" });
  assert.throws(() => new Store(`sqlite://${join(folder(t), "missing", "counters.db")}`), StoreError);
  const store = new Store(`sqlite://${join(folder(t), "hunter2.db")}`, { namespace: "a:b" });
  assert.equal(inspect(store), "Store { sqlite, namespace: 'a:b' }");
  assert.doesNotMatch(`${JSON.stringify(store)} ${inspect(store, { showHidden: true, depth: 9 })}`, /hunter2/);
});

test("engines of many tenants that call at once pass exactly the limit", async (t) => {
  await each(t, async (store) => {
    const tenants = Array.from({ length: 4 }, (_, number) => store.namespaced(`tenant-${number}`));
    const engines = Array.from({ length: 4 }, () => tenants.map((tenant) => engine(tenant, 50))).flat();
    const calls = Array.from({ length: 50 }, () => engines.map((engine) => engine.evaluateAsync("t"))).flat();
    assert.equal((await Promise.all(calls)).filter(({ allowed }) => allowed).length, 50 * tenants.length);
    assert.deepEqual(tenants.map(used), Array(4).fill(["50"]));
  });
});

/** How many descriptors of this process lead to a file, or to one beside it. */
const descriptors = (path: string): number =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(path);
    } catch {
      return false;
    }
  }).length;

test("fifty tenants have one open file and one thread", { skip: !existsSync("/proc/self/fd") }, async (t) => {
  const path = join(folder(t), "counters.db");
  const store = new Store(`sqlite://${path}`, { timeoutMs: 30_000 });
  const first = engine(store);
  assert.deepEqual([first.evaluate("t").code, (await first.evaluateAsync("t")).code], ["allowed", "allowed"]);
  const [alone, threads] = [descriptors(path), readdirSync("/proc/self/task").length];
  assert.ok(alone > 0);
  const engines = Array.from({ length: TENANTS }, (_, number) => engine(store.namespaced(`tenant-${number}`)));
  assert.deepEqual(codes(engines), Array(TENANTS).fill("allowed"));
  const decisions = await Promise.all(engines.map((engine) => engine.evaluateAsync("t")));
  assert.deepEqual(decisions.map(({ counters }) => counters[0]?.used), Array(TENANTS).fill("2"));
  assert.deepEqual([descriptors(path), readdirSync("/proc/self/task").length], [alone, threads]);
  store.close();
  assert.equal(descriptors(path), 0);
});

test("fifty tenants have one connection of each kind", async () => {
  await withServer(async (url) => {
    const port = new URL(url).port;
    const clients = () => {
      const lines = execFileSync("redis-cli", ["-p", port, "CLIENT", "LIST"], { encoding: "utf8" }).trim().split("\n");
      return lines.filter((line) => !line.includes("cmd=client")).length;
    };
    const store = new Store(url, { timeoutMs: 30_000 });
    const engines = Array.from({ length: TENANTS }, (_, number) => engine(store.namespaced(`tenant-${number}`)));
    assert.deepEqual(codes(engines), Array(TENANTS).fill("allowed"));
    assert.equal(clients(), 1);
    const decisions = await Promise.all(engines.map((engine) => engine.evaluateAsync("t")));
    assert.deepEqual(decisions.map(({ counters }) => counters[0]?.used), Array(TENANTS).fill("2"));
    assert.equal(clients(), 2);
    store.close();
    for (let patience = 0; clients() > 0; patience += 1) assert.ok(patience < 500, "a connection stays open");
  });
});
