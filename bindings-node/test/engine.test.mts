// The engine's surface: errors, reservations, approvals, audit records, explanations, reloading.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { inspect } from "node:util";
import * as callgate from "callgate";
import {
  type AuditRecord, CallgateError, Engine, type EngineOptions, MCP_DENIED, Policy, PolicyError, PolicyFileError, ReservationError, StoreError,
} from "callgate";

const POLICY = `version: "1"
default: deny
hide: ["admin_*"]
tools:
  buy:
    limits: [{counter: spend, window: day, max: 100, increment_from: args.amount}]
  ask:
    rules: [{name: large, action: require_approval, conditions: [{path: args.amount, op: gt, value: 5}], x-ignore: {memory_store: a test}}]
  list: {}
`;

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "callgate-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

test("both entry points are one module", () => {
  const required = createRequire(join(process.cwd(), "package.json"))("callgate") as typeof callgate;
  const ways = ["default", "module.exports", "__esModule"];
  assert.deepEqual(Object.keys(callgate).filter((name) => !ways.includes(name)).sort(), Object.keys(required).sort());
  assert.equal(required.Engine, Engine);
  assert.ok(required.Engine.fromString(POLICY) instanceof Engine);
});

describe("errors", () => {
  test("of a policy name file, line and column", (t) => {
    const path = join(folder(t), "policy.yaml");
    writeFileSync(path, `version: "1"\ndefault: deny\ntools:\n  t: {require: [{path: args.a, op: eqq, value: 1}]}\n  u: 5\n`);
    assert.throws(() => Engine.fromFile(path), (error: unknown) => {
      assert.ok(error instanceof PolicyError && error instanceof CallgateError && error instanceof Error);
      assert.equal(error.name, "PolicyError");
      assert.equal(error.code, "invalid_operator");
      assert.deepEqual([error.file, error.line, error.column], [path, 4, 36]);
      assert.ok(error.message.startsWith(`${path}:4:36: error[invalid_operator]: `), error.message);
      assert.ok(error.message.includes(`\n${path}:5:6: error[wrong_type]: `), error.message);
      assert.equal(error.diagnostics.length, 2);
      assert.equal(error.diagnostics[0]?.pointer, "/tools/t/require/0/op");
      return true;
    });
    assert.throws(() => Engine.fromString("tools: 5"), { name: "PolicyError", file: null, line: 1, column: 8, message: /^1:8: error/ });
  });

  test("of a file that cannot be read", (t) => {
    const path = join(folder(t), "none.yaml");
    assert.throws(() => Engine.fromFile(path), (error: unknown) => {
      assert.ok(error instanceof PolicyFileError);
      assert.deepEqual([error.code, error.file], ["unreadable_file", path]);
      assert.ok(error.message.startsWith(`${path}: `), error.message);
      return true;
    });
  });

  test("of a store never name its URL", () => {
    for (const [store, code] of [["hunter2://x", "store_url"], ["", "store_url"]] as const) {
      assert.throws(() => Engine.fromString(POLICY, { store }), (error: unknown) => {
        assert.ok(error instanceof StoreError);
        assert.deepEqual([error.code, error.transient], [code, false]);
        assert.ok(!`${error.message}${error.stack}`.includes("hunter2"));
        return true;
      });
    }
  });

  test("of options that are not known", () => {
    const wrong = (options: object, message: RegExp) =>
      assert.throws(() => Engine.fromString(POLICY, options as EngineOptions), { name: "TypeError", message });
    wrong({ onStoreEror: "allow" }, /unknown option `onStoreEror`/);
    wrong({ onStoreError: "alow" }, /`onStoreError` is one of deny, allow/);
    wrong({ onStoreError: true }, /`onStoreError` is a string/);
    wrong({ argsHash: "md5" }, /`argsHash`/);
    wrong({ watch: true }, /`watch` is one of Engine.fromFile/);
    wrong({ storeTimeoutMs: NaN }, /milliseconds/);
    wrong({ clock: 5 }, /`clock` is a function/);
    assert.throws(() => new Engine({} as Policy), TypeError);
  });

  test("of callbacks that answer too late", () => {
    const late = [async () => {}, function* () {}, async function* () {}];
    for (const callback of late) {
      for (const name of ["onDecision", "clock"]) {
        const message = new RegExp(`\`${name}\` is called and its answer used at once`);
        assert.throws(() => Engine.fromString(POLICY, { [name]: callback } as EngineOptions), { name: "TypeError", message });
      }
    }
    for (const heard of [Promise.resolve(), Promise.reject(new Error("no room")), { then: () => {} }]) {
      const engine = Engine.fromString(POLICY, { onDecision: () => heard as never });
      assert.throws(() => engine.evaluate("list"), { name: "TypeError", message: /`onDecision` answered with a promise/ });
    }
  });

  test("of options are about members of their own", () => {
    const polluted = Object.prototype as Record<string, unknown>;
    const inherited = { clock: () => 0, store: "hunter2://x", onStoreError: "allow", onDecision: () => assert.fail("it was not asked for") };
    Object.assign(polluted, inherited);
    try {
      const engine = Engine.fromString(POLICY);
      assert.notEqual(engine.explain("buy", { amount: 1 }).decision.counters[0]?.resetsAt?.getUTCFullYear(), 1970);
      assert.ok(engine.evaluate("list").allowed);
      Engine.fromString(POLICY, { argsHash: { hmacSha256: Buffer.from("key") } });
    } finally {
      for (const name of Object.keys(inherited)) delete polluted[name];
    }
    assert.ok(Engine.fromString(POLICY, Object.create(inherited) as EngineOptions).evaluate("list").allowed);
    assert.throws(() => Engine.fromString(POLICY, { argsHash: { hmacSha25: Buffer.of(1) } as never }), /unknown option `hmacSha25`/);
  });

  test("of calls that are none", () => {
    const engine = Engine.fromString(POLICY);
    assert.throws(() => engine.evaluate(undefined as unknown as string), TypeError);
    assert.throws(() => engine.evaluateJson("list", {} as string), TypeError);
    assert.throws(() => engine.evaluate("list", {}, null, { key: "k" } as callgate.Approval), TypeError);
    const broken = Engine.fromString(POLICY, { clock: () => NaN });
    assert.throws(() => broken.evaluate("list"), TypeError);
  });
});

test("warnings, digest and visibility", () => {
  const policy = Policy.fromString(`tools: {}\nhide: ["admin_*"]`);
  assert.deepEqual(policy.warnings.map(({ code }) => code), ["missing_version", "missing_default"]);
  const engine = new Engine(policy);
  assert.match(policy.digest, /^sha256:[0-9a-f]{64}$/);
  assert.equal(engine.evaluate("x").policy, policy.digest);
  assert.equal(engine.visible("admin_x"), false);
  assert.equal(engine.visible("x"), true);
  const tools = [{ name: "admin_a", n: 1 }, { name: "b", n: 2 }];
  assert.deepEqual(engine.filterTools(tools), [tools[1]]);
});

test("a decision is its JSON", () => {
  const decision = Engine.fromString(POLICY, { clock: () => 0 }).evaluate("buy", { amount: 1.5 });
  assert.equal(JSON.stringify(decision), decision.json);
  assert.equal(`${decision}`, decision.json);
  assert.ok(decision.allowed);
  assert.equal(decision.toMcpResult(), null);
  const [counter] = decision.counters;
  assert.deepEqual(counter, {
    entry: "buy", counter: "spend", scope: "global", window: "day", charged: "1.5", used: "1.5", max: "100",
    resetsAt: new Date(86_400_000), budget: null,
  });
  const denied = Engine.fromString(POLICY).evaluate("buy", { amount: 101 });
  const meta = { "callgate/code": denied.code };
  assert.deepEqual(denied.toMcpResult(), { content: [{ type: "text", text: denied.message }], isError: true, _meta: meta });
  assert.deepEqual([denied.toMcpMeta(), decision.toMcpMeta(), MCP_DENIED], [meta, null, -31000]);
  assert.equal(denied.reservation, null);
  assert.deepEqual(denied.rule, { layer: null, name: null, pointer: "/tools/buy/limits/0", line: 6 });
});

test("a decision shows itself", () => {
  const denied = Engine.fromString(POLICY).evaluate("unlisted");
  const shown = inspect(denied);
  for (const part of ["Decision {", "effect: 'deny'", "code: 'not_listed'", `'Tool "unlisted" is not permitted by policy'`]) {
    assert.ok(shown.includes(part), shown);
  }
  assert.ok(inspect({ denied }, { colors: false }).includes("denied: Decision {"));
});

test("nobody changes what a decision tells", () => {
  const engine = Engine.fromString(POLICY);
  const denied = () => engine.evaluate("unlisted").toJSON() as { message: string };
  assert.throws(() => (denied().message = "fine"), TypeError);
  assert.equal(denied().message, `Tool "unlisted" is not permitted by policy`);
  const { counters, rule } = engine.evaluate("buy", { amount: 101 }).toJSON();
  assert.ok([counters, counters[0], rule].every((part) => Object.isFrozen(part)));
});

test("reservations are finished once", async () => {
  const engine = Engine.fromString(POLICY, { clock: () => 0 });
  const used = () => engine.explain("buy", { amount: 0 }).decision.counters[0]?.used;
  const buy = (amount: number) => engine.evaluate("buy", { amount }).reservation ?? assert.fail("nothing was charged");
  const released = buy(60);
  released.finish("not_run");
  assert.equal(used(), "0");
  const again = { name: "ReservationError", code: "finished" };
  assert.throws(() => released.finish("not_run"), again);
  assert.throws(() => released.settle(1), again);
  await assert.rejects(released.finishAsync("not_run"), again);
  assert.throws(() => buy(0).finish("never" as "done"), TypeError);
  const settled = buy(60);
  assert.throws(() => settled.settle(-1), { code: "invalid_amount" });
  assert.throws(() => settled.settle("a"), ReservationError);
  settled.settle("59.000001");
  assert.equal(used(), "59.000001");
  await buy(40).settleAsync(1n);
  assert.equal(used(), "60.000001");
  await buy(39).finishAsync("not_run");
  assert.equal(used(), "60.000001");
  const before = used();
  const open = buy(1);
  assert.throws(() => open.settle({ other: 2 }), { code: "unknown_counter" });
  await assert.rejects(open.settleAsync({ other: 2 }), { code: "unknown_counter" });
  assert.deepEqual([open.givesBack("not_run"), open.givesBack("done")], [true, false]);
  assert.throws(() => open.givesBack("never" as "done"), TypeError);
  open.finish("not_run"); // what was refused has changed nothing
  assert.equal(open.givesBack("not_run"), false);
  assert.equal(used(), before);
  buy(1).settle(100); // no bound refuses what a call really cost
  assert.equal(used(), "160.000001");
  const counted = Engine.fromString(`version: "1"\ndefault: allow\nall_tools: {rules: [{rate_limit: 5/hour}]}`);
  assert.throws(() => counted.evaluate("x").reservation?.settle(0), { code: "nothing_to_settle" });
});

test("approvals let one call through", async () => {
  const engine = Engine.fromString(POLICY);
  const asked = engine.evaluate("ask", { amount: 6 });
  assert.equal(asked.effect, "require_approval");
  const approved = { key: asked.approval?.key ?? "", id: "a-1" };
  assert.equal(engine.evaluate("ask", { amount: 7 }, null, approved).code, "approval_required");
  assert.equal((await engine.evaluateAsync("ask", { amount: 6 }, null, approved)).code, "allowed");
  assert.equal(engine.evaluateJson("ask", `{"amount": 6}`, null, approved).code, "approval_spent");
});

test("an approval says when it was given, and how often it lets calls through", () => {
  let now = 1_000_000_000;
  const terms = "{ignore: [args.note], valid_for: 15m, uses: 2, approvers: [ann]}";
  const engine = Engine.fromString(`{version: "1", default: deny, tools: {pay: {rules: [{action: require_approval, approval: ${terms}}]}}}`, { clock: () => now, onWarning: () => {} });
  const { approval } = engine.evaluate("pay", { note: "a" });
  assert.deepEqual([approval?.ignored, approval?.valid_for, approval?.uses], [["args.note"], 900, 2]);
  assert.deepEqual(approval?.rules.map(({ approvers }) => approvers), [["ann"]]);
  const given = { key: approval?.key ?? "", id: "a-1" };
  assert.equal(engine.evaluate("pay", {}, null, given).code, "approval_required");
  now += 899_000;
  assert.equal(engine.evaluate("pay", { note: "b" }, null, { ...given, givenAt: 1_000_000_000 }).code, "allowed");
  assert.equal(engine.evaluate("pay", {}, null, { ...given, givenAt: new Date(1_000_000_000) }).code, "allowed");
  assert.equal(engine.evaluate("pay", {}, null, { ...given, givenAt: 1_000_000_000 }).code, "approval_spent");
  now += 1_000;
  assert.equal(engine.evaluate("pay", {}, null, { ...given, givenAt: 1_000_000_000 }).code, "approval_required");
  for (const givenAt of [NaN, new Date(NaN), "now" as unknown as number]) assert.throws(() => engine.evaluate("pay", {}, null, { ...given, givenAt }), TypeError);
});

test("an engine with counters in memory warns of what it loses", () => {
  const heard: string[] = [];
  const policy = Policy.fromString(`{version: "1", default: deny, tools: {pay: {limits: [{counter: n, window: ever, max: 5}]}}}`);
  const engine = new Engine(policy, { onWarning: ({ code }) => void heard.push(code) });
  assert.deepEqual([heard, policy.warnings, engine.warnings.map(({ code }) => code)], [["memory_store"], [], ["memory_store"]]);
  assert.equal(engine.evaluate("pay").counters[0]?.resetsAt, null);
  assert.deepEqual(engine.counters().map(({ resetsAt }) => resetsAt), [null]);
});

test("explanations charge nothing", () => {
  const engine = Engine.fromString(POLICY);
  const { decision, checks } = engine.explain("buy", { amount: 100 });
  assert.ok(decision.allowed);
  assert.equal(decision.reservation, null);
  assert.equal(checks[0]?.pointer, "/tools/buy/limits/0");
  assert.ok(engine.explainJson("buy", `{"amount": 100}`).decision.allowed);
  assert.ok(engine.evaluate("buy", { amount: 100 }).allowed);
});

test("audit records name arguments, never values", async () => {
  const heard: [AuditRecord, string][] = [];
  const options: EngineOptions = { onDecision: (record, decision) => heard.push([record, decision.json]) };
  const engine = Engine.fromString(POLICY, options);
  engine.evaluate("list", { b: "secret", a: 1 }, { id: "alice", token: "secret" });
  await engine.evaluateJsonAsync("list", `{"b": "secret", "a": 1}`, "alice");
  engine.evaluateJson("list", `{"secret`, "alice");
  assert.equal(heard.length, 3);
  assert.deepEqual(heard.map(([record]) => record.args.keys), [["a", "b"], ["a", "b"], []]);
  assert.deepEqual(heard.map(([record]) => record.identity), ["alice", "alice", "alice"]);
  assert.ok(heard.every(([record, json]) => JSON.stringify(record.decision) === json && record.args.hash === null));
  assert.ok(!JSON.stringify(heard.slice(0, 2)).includes("secret"));

  const hashes: (string | null)[] = [];
  const hashing = (argsHash: NonNullable<EngineOptions["argsHash"]>) => {
    const one = Engine.fromString(POLICY, { argsHash, onDecision: ({ args }) => hashes.push(args.hash) });
    one.evaluate("list", { a: 1 });
    one.evaluateJson("list", `{"a": 1.0}`);
  };
  hashing("sha256");
  hashing({ hmacSha256: Buffer.from("key") });
  assert.equal(hashes[0], "sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862");
  assert.equal(hashes[1], hashes[0]);
  assert.match(hashes[2] ?? "", /^hmac-sha256:/);
  assert.equal(hashes[3], hashes[2]);

  const failing = Engine.fromString(POLICY, { onDecision: () => { throw new RangeError("no room"); } });
  assert.throws(() => failing.evaluate("list"), RangeError);
  await assert.rejects(failing.evaluateAsync("list"), RangeError);
});

test("the arguments of an asynchronous call are those of its moment", async () => {
  const args = { amount: 60 };
  const engine = Engine.fromString(POLICY);
  const deciding = engine.evaluateAsync("buy", args);
  args.amount = 1;
  assert.equal((await deciding).counters[0]?.used, "60");
});

test("a policy is replaced, and counters go on", () => {
  const engine = Engine.fromString(POLICY);
  engine.evaluate("buy", { amount: 60 });
  engine.replace(Policy.fromString(POLICY.replace("max: 100", "max: 200")));
  assert.equal(engine.evaluate("buy", { amount: 100 }).counters[0]?.used, "160");
});

test("what no call can see any more is forgotten", async () => {
  let at = 1_800_000_000_000;
  const limit = (window: string) => `{limits: [{counter: n, window: ${window}, max: 9, scope: identity}]}`;
  const policy = `{version: "1", default: deny, tools: {brief: ${limit("hour")}, long: ${limit("day")}}}`;
  const engine = Engine.fromString(policy, { clock: () => at });
  const rush = () => {
    for (let caller = 0; caller < 1_000; caller += 1) assert.ok(engine.evaluate("brief", {}, `caller ${caller}`).allowed);
  };
  rush();
  assert.ok(engine.evaluate("long", {}, "alice").allowed);
  assert.equal(engine.purge(), 0, "all of it is live");
  at += 3_600_000;
  assert.deepEqual([engine.purge(), engine.purge()], [1_000, 0]);
  rush();
  at += 3_600_000;
  assert.equal(await engine.purgeAsync(), 1_000);
  assert.equal(engine.evaluate("long", {}, "alice").counters[0]?.used, "2");
  at = NaN;
  assert.throws(() => engine.purge(), TypeError);
});

test("a decision stays that of the policy that made it", () => {
  const engine = Engine.fromString(POLICY);
  const [before, free] = [engine.evaluate("buy", { amount: 60 }), engine.evaluate("list")];
  const old = engine.policy.digest;
  engine.replace(Policy.fromString(POLICY.replace("max: 100", "max: 50").replace("args.amount", "args.price")));
  const after = engine.evaluate("buy", { amount: 60 });
  assert.equal(after.code, "invalid_amount", "the new policy reads another argument");
  assert.equal(engine.evaluate("buy", { price: 1 }).code, "limit_exceeded");
  assert.deepEqual([before.policy, free.policy], [old, old]);
  assert.notEqual(after.policy, old);
  assert.equal(before.counters[0]?.used, "60");
  before.reservation?.finish("not_run");
  assert.equal(engine.evaluate("buy", { price: 50 }).counters[0]?.used, "50");
});

test("any number of tools, of any name, is decided", () => {
  const engine = Engine.fromString(`version: "1"\ndefault: deny\ntools: {"t*": {require: [{path: args.n, op: eq, value: 1}]}}`);
  const names = Array.from({ length: 2_500 }, (_, n) => `t${n}`).concat("t".repeat(300), "t".repeat(1_024));
  for (let turn = 0; turn < 2; turn += 1) {
    for (const name of names) {
      const [allowed, denied] = [engine.evaluate(name, { n: 1 }), engine.evaluate(name, { n: 2 })];
      assert.deepEqual([allowed.code, allowed.tool, denied.code], ["allowed", name, "condition_failed"]);
    }
  }
  assert.equal(engine.evaluate("t".repeat(1_025), { n: 1 }).code, "invalid_tool");
});

test("a request has a method and no tool", async (t) => {
  for (const store of ["memory", `sqlite://${join(folder(t), "counters.db")}`]) {
    const records: AuditRecord[] = [];
    const engine = Engine.fromString(POLICY, { store, onDecision: (record) => records.push(record) });
    const params = { uri: "file:///a" };
    const made = [
      engine.evaluateRequest("resources/read", params, "alice"),
      engine.evaluateRequestJson("resources/read", JSON.stringify(params), "alice"),
      await engine.evaluateRequestAsync("resources/read", params, "alice"),
      await engine.evaluateRequestJsonAsync("resources/read", JSON.stringify(params), "alice"),
    ];
    assert.equal(records.length, made.length);
    for (const [index, decision] of made.entries()) {
      assert.deepEqual([decision.allowed, decision.tool, decision.method], [true, null, "resources/read"]);
      const { decision: told, identity, args } = records[index] as AuditRecord;
      assert.deepEqual([told, identity, args.keys], [decision.toJSON(), "alice", ["uri"]]);
    }
    assert.equal(engine.evaluateRequest("tools/call", { name: "buy" }).code, "invalid_method");
    assert.equal(engine.evaluate("list").method, "tools/call");
    // A tool and a method of one name are two.
    assert.deepEqual([engine.evaluateRequest("list").tool, engine.evaluate("list").tool], [null, "list"]);
    engine.replace(Policy.fromString(`version: "1"\ndefault: allow\n`));
    assert.notEqual(engine.evaluateRequest("resources/read").policy, made[0]?.policy);
    assert.throws(() => engine.evaluateRequest(5 as unknown as string), TypeError);
    engine.close();
  }
});

test("a watched file is put in force, and a broken one is reported", async (t) => {
  const path = join(folder(t), "policy.yaml");
  const write = (text: string) => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };
  write(POLICY);
  let hear: (change: Policy | CallgateError) => void = () => {};
  const next = () => new Promise<Policy | CallgateError>((resolve) => (hear = resolve));
  const engine = Engine.fromFile(path, { watch: { intervalMs: 10 }, onReload: (change) => hear(change), onReloadError: (error) => hear(error) });
  // The watcher does not keep the process alive, but this test must live until it reports.
  const alive = setInterval(() => {}, 1_000);
  t.after(() => clearInterval(alive));
  t.after(() => engine.close());
  const first = engine.policy.digest;
  let change = next();
  write("tools: 5");
  const error = await change;
  assert.ok(error instanceof PolicyError);
  assert.ok(error.message.startsWith(`${path}:1:8: error[wrong_type]`), error.message);
  assert.equal(engine.policy.digest, first);
  change = next();
  write(`version: "1"\ndefault: allow\n`);
  const policy = await change;
  assert.ok(policy instanceof Policy);
  assert.equal(engine.policy.digest, policy.digest);
  assert.ok(engine.evaluate("anything").allowed);
});

test("a callback of watching that fails is a warning of the process, and no more", async (t) => {
  const path = join(folder(t), "policy.yaml");
  const write = (text: string) => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };
  const alive = setInterval(() => {}, 1_000);
  t.after(() => clearInterval(alive));
  const fails: (() => void)[] = [
    () => {
      throw new Error("from a callback");
    },
    () => Promise.reject(new Error("from a callback")),
  ];
  for (const fail of fails) {
    for (const [name, text] of [["onReload", `version: "1"\ndefault: allow\n`], ["onReloadError", "tools: 5"]] as const) {
      write(POLICY);
      const engine = Engine.fromFile(path, { watch: { intervalMs: 10 }, [name]: fail });
      const warned = new Promise<Error & { code?: string }>((resolve) => {
        const hear = (warning: Error & { code?: string }) => {
          if (warning.code !== "callback_failed") return;
          process.off("warning", hear);
          resolve(warning);
        };
        process.on("warning", hear);
      });
      write(text);
      assert.equal((await warned).message, `\`${name}\` failed: Error: from a callback`);
      engine.close();
    }
  }
});

const WARNED = `version: "1"\ndefault: deny\ntools:\n  pay: {}\n  Pay: {}\n`;

/** What the process is warned of while `act` runs. */
async function processWarnings(act: () => void | Promise<void>): Promise<string[]> {
  const heard: string[] = [];
  const hear = (warning: Error & { code?: string }) => heard.push(`${warning.name} ${warning.code}: ${warning.message}`);
  process.on("warning", hear);
  await act();
  // They are emitted in a later turn of the loop.
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", hear);
  return heard;
}

test("the warnings of a policy reach the process, or the host that asks for them", async (t) => {
  const path = join(folder(t), "policy.yaml");
  writeFileSync(path, WARNED);
  const text = await processWarnings(() => void Engine.fromString(WARNED));
  assert.equal(text.length, 2);
  assert.match(text[0]!, /^CallgateWarning confusable_name: 4:3: warning\[confusable_name\]: .*\n  help: names compare exactly/);
  const file = await processWarnings(() => void Engine.fromFile(path));
  assert.deepEqual(file, text.map((line) => line.replace(/: (?=\d)/, `: ${path}:`)));
  assert.deepEqual(await processWarnings(() => void new Engine(Policy.fromFile(path))), file);
  const plain = Engine.fromString(POLICY);
  assert.deepEqual(await processWarnings(() => plain.replace(Policy.fromFile(path))), file);
  assert.deepEqual(await processWarnings(() => void Engine.fromString(POLICY)), []);

  const heard: unknown[] = [];
  const onWarning = (warning: callgate.Diagnostic, from: string | null) => heard.push([warning.code, warning.line, from]);
  const silent = await processWarnings(() => {
    Engine.fromFile(path, { onWarning }).replace(Policy.fromString(WARNED));
  });
  assert.deepEqual(silent, []);
  assert.deepEqual(heard, [path, path, null, null].map((from, at) => ["confusable_name", 4 + (at % 2), from]));
  const failing = await processWarnings(() => {
    assert.ok(Engine.fromString(WARNED, { onWarning: () => { throw new RangeError("no room"); } }).policy);
  });
  assert.deepEqual(failing, Array(2).fill("CallgateWarning callback_failed: `onWarning` failed: RangeError: no room"));
});

test("half a file is refused and reported, and other warnings are reported and refuse nothing (trap 41)", async (t) => {
  const path = join(folder(t), "policy.yaml");
  writeFileSync(path, POLICY);
  let hear: (change: Policy | CallgateError) => void = () => {};
  const warnings: string[] = [];
  const engine = Engine.fromFile(path, {
    watch: { intervalMs: 10 },
    onReload: (policy) => hear(policy),
    onReloadError: (error) => hear(error),
    onWarning: (warning, from) => warnings.push(`${from}:${warning.line}`),
  });
  const alive = setInterval(() => {}, 1_000);
  t.after(() => clearInterval(alive));
  t.after(() => engine.close());
  const replace = (text: string) =>
    new Promise<Policy | CallgateError>((resolve) => {
      hear = resolve;
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    });
  const old = engine.policy.digest;
  for (const [text, code] of [
    ["", "empty_policy"],
    [`version: "1"\n`, "empty_policy"],
    ["default: deny\n", "missing_version"],
    [`version: "1"\nhide: [secret]\n`, "missing_default"],
    [`version: "1"\ndefault: deny\ntools: {pay: }\n`, "null_entry"],
    [`version: "1"\ndefault: deny\ntools: {pay: {rules: }}\n`, "null_rules"],
  ] as const) {
    const error = await replace(text);
    assert.ok(error instanceof PolicyError && error.code === code && error.file === path, `${code}: ${error}`);
    assert.equal(engine.policy.digest, old);
  }
  assert.deepEqual(warnings, []);
  const policy = await replace(WARNED);
  assert.ok(policy instanceof Policy && policy.digest === engine.policy.digest && policy.digest !== old);
  assert.deepEqual(policy.warnings.map(({ code }) => code), ["confusable_name", "confusable_name"]);
  assert.deepEqual(warnings, [`${path}:4`, `${path}:5`]);
});

test("a watching engine lets its process end", async (t) => {
  const path = join(folder(t), "policy.yaml");
  writeFileSync(path, POLICY);
  const { execFile } = await import("node:child_process");
  const code = `require("callgate").Engine.fromFile(${JSON.stringify(path)}, { watch: true }); console.log("done")`;
  const output = await new Promise<string>((resolve, reject) =>
    execFile(process.execPath, ["-e", code], { timeout: 20_000 }, (error, out) => (error ? reject(error) : resolve(out))),
  );
  assert.equal(output.trim(), "done");
});

test("counters in a SQLite file are shared by all who open it", async (t) => {
  const store = `sqlite://${join(folder(t), "counters.db")}`;
  const open = () => Engine.fromString(POLICY, { store, clock: () => 1_800_000_000_000 });
  const [one, other] = [open(), open()];
  assert.ok(one.evaluate("buy", { amount: 60 }).allowed);
  assert.equal((await other.evaluateAsync("buy", { amount: 50 })).code, "limit_exceeded");
  assert.ok((await other.evaluateAsync("buy", { amount: 40 })).allowed);
  assert.ok(!one.evaluate("buy", { amount: 0.000001 }).allowed);
});
