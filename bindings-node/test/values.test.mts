// Values that only JS has: what is read, what is of no type, what is refused; and that nothing of the caller's runs.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { type Decision, Engine, Policy } from "callgate";

const POLICY = `
version: "1"
default: deny
tools:
  pay: {require: [{path: args.amount, op: lte, value: 5}]}
  free: {deny_if: [{path: args.amount, op: gt, value: 5}]}
  has: {require: [{path: args.amount, op: exists, value: true}]}
  lacks: {require: [{path: args.amount, op: exists, value: false}]}
  all: {require: [{path: "args.items[*]", op: eq, value: 1}]}
  text: {require: [{path: args.text, op: eq, value: "é𝒳"}]}
  nested: {require: [{path: args.a.b, op: eq, value: 1}]}
  ask: {rules: [{action: require_approval}]}
  who: {require: [{path: identity.id, op: eq, value: alice}]}
`;
const engine = Engine.fromString(POLICY);
const code = (tool: string, args?: unknown, identity?: string | object | null) => engine.evaluate(tool, args, identity).code;

/** Fails the test if anything of it runs. */
const trap = new Proxy(
  {},
  { get: (_target, name) => () => assert.fail(`the trap ${String(name)} ran`) },
) as ProxyHandler<object>;
const trapped = (target: object) => new Proxy(target, trap);

test("numbers are exact", () => {
  for (const amount of [5, 5n, -0, 4.999999, -1e308, -(2n ** 200n), Number.MIN_VALUE]) assert.equal(code("pay", { amount }), "allowed");
  for (const amount of [5.0000001, 2 ** 53, 2n ** 64n, 10n ** 5000n, 1e308]) {
    assert.equal(code("pay", { amount }), "condition_failed", String(amount));
  }
  for (const amount of [NaN, Infinity, -Infinity]) {
    assert.equal(code("pay", { amount }), "condition_failed", "it has no type");
    assert.equal(code("free", { amount }), "denied", "what is unknown does not pass a block");
    assert.equal(code("has", { amount }), "allowed");
  }
  const exact = Engine.fromString(
    `{"version": "1", "default": "deny", "tools": {"t": {"require": [{"path": "args.n", "op": "eq", "value": 9007199254740993}]}}}`,
  );
  assert.equal(exact.evaluate("t", { n: 9007199254740993n }).code, "allowed");
  assert.equal(exact.evaluate("t", { n: 9007199254740992n }).code, "condition_failed");
  assert.equal(exact.evaluate("t", { n: 9007199254740992 }).code, "condition_failed");
});

/** An engine whose tool reads `args.x` by so many tests, none of which holds. */
function tests(count: number, path = "args.x"): Engine {
  const test = { path, op: "eq", value: 7 };
  const tools = { t: { deny_if: [{ any: Array(count).fill(test) }] } };
  return Engine.fromString(JSON.stringify({ version: "1", default: "deny", tools }));
}

test("an integer of more digits than are converted at once is too large", () => {
  assert.equal(code("pay", { amount: 1n << 32_768n }), "condition_failed");
  for (const amount of [(1n << 32_768n) + 1n, -(1n << 40_000n), 1n << 20_000_000n]) assert.equal(code("pay", { amount }), "invalid_args");
});

test("converting integers again and again denies", () => {
  for (const [digits, few, many] of [[20, 1_000, 20_000], [300, 1_000, 20_000], [4_000, 10, 1_000], [9_000, 5, 1_000]] as const) {
    for (const x of [10n ** BigInt(digits), -(10n ** BigInt(digits))]) {
      assert.equal(tests(few).evaluate("t", { x }).code, "allowed", `${few} times ${digits} digits`);
      const decision = tests(many).evaluate("t", { x });
      assert.equal(decision.code, "invalid_args", `${many} times ${digits} digits`);
      assert.match(decision.message ?? "", /too large/);
    }
  }
});

test("what takes long to read is too large", () => {
  const list = (length: number) => Array.from({ length }, (_, index) => index + 8);
  for (const [path, x, expected] of [
    ["args.x[*]", list(19_000), "allowed"],
    ["args.x[*]", list(200_000), "invalid_args"],
    ["args.x[*].y", list(5_000).map((y) => ({ y })), "allowed"],
    ["args.x[*].y", list(100_000).map((y) => ({ y })), "invalid_args"],
    ["args.x", "x".repeat(4_000_000), "denied"],
  ] as const) {
    assert.equal(tests(1, path).evaluate("t", { x }).code, expected, `${path} of ${x.length}`);
  }
  assert.equal(tests(1_000).evaluate("t", { x: "x".repeat(4_000_000) }).code, "invalid_args");
  // Each comparison with an object counts its members.
  const object = (length: number) => Object.fromEntries(list(length).map((index) => [`k${index}`, index]));
  const same = (count: number, length: number, value: object = {}) => {
    const test = { path: "args.x", op: "eq", value };
    const tools = { t: { deny_if: [{ any: Array(count).fill(test) }] } };
    return Engine.fromString(JSON.stringify({ version: "1", default: "deny", tools })).evaluate("t", { x: object(length) }).code;
  };
  assert.equal(same(1, 10_000), "allowed");
  assert.equal(same(100, 10_000), "invalid_args");
  assert.equal(same(1, 12_000), "allowed");
  assert.equal(same(1, 20_000), "invalid_args");
  assert.equal(same(1, 2_000, object(2_000)), "denied");
  // What cannot be listed might be the same.
  assert.equal(same(1, 20_000, object(20_000)), "invalid_args");
  const ask = (length: number) => code("ask", object(length));
  assert.equal(ask(5_000), "approval_required");
  assert.equal(ask(13_000), "invalid_args");
});

test("types never coerce", () => {
  for (const amount of ["1", true, null, [1], { valueOf: () => 1 }, new Number(1), [], ""]) {
    assert.equal(code("pay", { amount }), "condition_failed");
  }
});

test("what JSON has no type for is of no type", () => {
  class Money {
    amount = 1;
  }
  for (const amount of [() => 1, Symbol("1"), new Date(1), new Map([["b", 1]]), new Set([1]), new Money(), /1/, Buffer.of(1), new Number(1)]) {
    assert.equal(code("pay", { amount }), "condition_failed");
    assert.equal(code("free", { amount }), "denied");
    assert.equal(code("has", { amount }), "allowed");
    assert.equal(code("nested", { a: amount }), "condition_failed");
  }
  for (const args of [new Money(), new Map([["amount", 1]]), new Date(), () => 1, Symbol("x"), "{}", 1, 1n, true, [1]]) {
    assert.equal(code("pay", args), "invalid_args");
  }
});

test("undefined is absent", () => {
  assert.equal(code("lacks"), "allowed");
  assert.equal(code("lacks", undefined), "allowed");
  assert.equal(code("lacks", null), "allowed");
  assert.equal(code("lacks", { amount: undefined }), "allowed");
  assert.equal(code("lacks", { amount: null }), "allowed");
  assert.equal(code("who", {}, null), "condition_failed");
  assert.equal(code("all", { items: [] }), "allowed");
  assert.equal(code("all", { items: [1, undefined] }), "condition_failed", "an undefined element is null, as in JSON");
  assert.equal(code("all", { items: [1, , 1] }), "condition_failed");
  const key = (args: object) => engine.evaluate("ask", args).approval?.key;
  assert.equal(key({ a: 1, b: undefined }), key({ a: 1 }));
  assert.equal(key({ a: [undefined] }), key({ a: [null] }));
});

test("own members only", () => {
  const polluted = Object.prototype as { amount?: unknown };
  polluted.amount = 1;
  try {
    assert.equal(code("has", {}), "condition_failed");
    assert.equal(code("lacks", {}), "allowed");
  } finally {
    delete polluted.amount;
  }
  assert.equal(code("has", Object.create({ amount: 1 })), "invalid_args", "an instance of something is no plain object");
  assert.equal(code("has", Object.assign(Object.create(null), { amount: 1 })), "allowed");
  const lent = Object.assign(Object.create(null), { amount: 1 });
  assert.equal(code("lacks", Object.create(lent)), "invalid_args", "a prototype without one of its own lends members too");
  assert.equal(code("nested", { a: Object.create(lent) }), "condition_failed");
  assert.equal(code("lacks", Object.create(Object.create(null))), "allowed", "this one has nothing to lend");
  assert.equal(code("has", runInNewContext("({amount: 1})")), "allowed", "an object of another realm");
  assert.equal(code("lacks", runInNewContext("Object.prototype.amount = 1; ({})")), "invalid_args", "its realm lends members");
  const constructor = Policy.fromString(
    `{"version": "1", "default": "deny", "tools": {"t": {"require": [{"path": "args.constructor", "op": "exists", "value": false}, {"path": "args.__proto__", "op": "exists", "value": false}]}}}`,
  );
  const own = new Engine(constructor);
  assert.equal(own.evaluate("t", {}).code, "allowed");
  assert.equal(own.evaluate("t", JSON.parse(`{"__proto__": 1}`)).code, "condition_failed");
});

test("getters and proxies are refused where a check meets them, and never run", () => {
  const getter = () => Object.defineProperty({}, "amount", { enumerable: true, get: () => assert.fail("the getter ran") });
  assert.equal(code("pay", getter()), "invalid_args");
  assert.equal(code("pay", trapped({ amount: 1 })), "invalid_args");
  assert.equal(code("nested", { a: trapped({ b: 1 }) }), "invalid_args");
  assert.equal(code("all", { items: trapped([1]) }), "invalid_args");
  assert.equal(code("all", { items: Object.defineProperty([1], 0, { get: () => assert.fail("the getter ran") }) }), "invalid_args");
  assert.equal(code("pay", Object.setPrototypeOf({ amount: 1 }, trapped({}))), "invalid_args");
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  assert.equal(code("pay", proxy), "invalid_args");
  assert.equal(code("who", {}, trapped({ id: "alice" })), "invalid_identity");
  assert.equal(code("who", {}, Object.defineProperty({}, "id", { get: () => assert.fail("the getter ran") })), "invalid_args");
  // Where no check looks, nothing is read.
  assert.equal(code("pay", { amount: 1, other: getter(), more: trapped({}) }), "allowed");
  // An approval is over all of the call.
  assert.equal(code("ask", { other: getter() }), "invalid_args");
  assert.equal(code("ask", { other: trapped({}) }), "invalid_args");
  assert.equal(code("pay", { amount: 1, toJSON: () => assert.fail("toJSON ran") }), "allowed");
});

test("lone surrogates are refused where a check meets them", () => {
  assert.equal(code("text", { text: "é𝒳" }), "allowed");
  assert.equal(code("text", { text: "é\ud835" }), "invalid_args");
  assert.equal(code("text", { text: "é𝒳", other: "\udcb3" }), "allowed");
  assert.equal(code("ask", { "\ud835": 1 }), "invalid_args");
  assert.equal(code("who", {}, "\ud835"), "invalid_identity");
  assert.equal(code("who", {}, { id: "\ud835" }), "invalid_args");
  assert.equal(engine.evaluateJson("pay", `{"amount": 1, "x": "\ud835"}`).code, "invalid_args");
  assert.equal(code("p\ud835y"), "not_listed");
  const open = Engine.fromString(`version: "1"\ndefault: allow\nhide: ["h?"]`);
  assert.equal(open.evaluate("\ud835").code, "invalid_args");
  assert.equal(open.evaluate("h\ud835").code, "hidden");
});

test("any number of paths, of any depth, is read", () => {
  const paths = ["a", "a.b", "a.b.c", "a.c", "list", ...Array.from({ length: 30 }, (_, n) => `n${n}`)];
  const require = paths.map((path) => ({ path: `args.${path}`, op: "exists", value: true }));
  const claims = [{ path: "identity.role.name", op: "eq", value: "admin" }, { path: "args.list[*].x.y", op: "eq", value: 1 }];
  const policy = { version: "1", default: "deny", tools: { t: { require: [...require, ...claims] } } };
  const many = Engine.fromString(JSON.stringify(policy));
  const flat = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`n${n}`, 0]));
  const args = () => ({ ...flat, a: { b: { c: 0 }, c: "" }, list: [{ x: { y: 1 } }, { x: { y: 1n } }] });
  const admin = { role: { name: "admin" } };
  assert.equal(many.evaluate("t", args(), admin).code, "allowed");
  assert.equal(many.evaluate("t", { ...args(), n29: undefined }, admin).rule?.pointer, "/tools/t/require/34");
  assert.equal(many.evaluate("t", { ...args(), a: { b: [], c: 1 } }, admin).rule?.pointer, "/tools/t/require/2");
  assert.equal(many.evaluate("t", { ...args(), a: 5 }, admin).rule?.pointer, "/tools/t/require/1");
  assert.equal(many.evaluate("t", { ...args(), list: [{ x: trapped({ y: 1 }) }] }, admin).code, "invalid_args");
  assert.equal(many.evaluate("t", args(), { role: trapped(admin.role) }).code, "invalid_args");
  assert.equal(many.evaluate("t", args(), { role: "admin" }).rule?.pointer, "/tools/t/require/35");
  assert.equal(many.evaluate("t", args(), "admin").rule?.pointer, "/tools/t/require/35");
});

test("a store never changes a decision, whatever stands beside what the checks read", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "callgate-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const text = `
version: "1"
default: deny
tools:
  items: {rules: [{conditions: [{path: "args.items[*]", op: lte, value: 100}]}, {rate_limit: 999/hour}]}
  who: {rules: [{conditions: [{path: identity.role, op: eq, value: admin}]}, {rate_limit: 999/hour, scope: identity}]}
  free: {rules: [{rate_limit: 999/hour}]}
  ask: {rules: [{action: require_approval}]}
`;
  const clock = () => 1_800_000_000_000;
  const memory = Engine.fromString(text, { clock });
  const file = Engine.fromString(text, { clock, store: `sqlite://${join(folder, "counters.db")}` });
  let deep: unknown = 1;
  for (let n = 0; n < 100_000; n += 1) deep = { a: deep };
  let graph: unknown = [1];
  for (let n = 0; n < 40; n += 1) graph = [graph, graph];
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`k${n}`, n]));
  const odd = [Array(30_000).fill(1), deep, graph, cycle, wide, "x".repeat(14_000_000), trapped({}), () => 1, "\ud800"];
  for (const [index, blob] of odd.entries()) {
    for (const [tool, args, identity] of [
      ["items", { blob, items: [1] }, "a"], ["items", { items: [1], blob }, "a"], ["items", { blob, items: [101] }, "a"], ["items", { items: blob }, "a"],
      ["who", { blob }, { blob, role: "admin", id: "a" }], ["who", {}, { role: "user", blob }], ["free", { blob }, "a"], ["free", blob, "a"], ["ask", { blob }, "a"],
    ] as const) {
      const expected = memory.evaluate(tool, args, identity as object).json;
      assert.equal((await file.evaluateAsync(tool, args, identity as object)).json, expected, `${tool}, beside value ${index}`);
    }
  }
});

test("U+FFFD is text like any other", () => {
  assert.equal(code("text", { text: "\ufffd" }), "condition_failed");
  assert.equal(code("text", { text: "\ufffd\ud835" }), "invalid_args");
  assert.equal(code("who", {}, "\ufffd"), "condition_failed");
});

test("cycles and endless arrays end", () => {
  const cycle: Record<string, unknown> = { amount: 1 };
  cycle["left"] = cycle["right"] = [cycle, cycle];
  assert.equal(code("pay", cycle), "allowed");
  assert.equal(code("ask", cycle), "invalid_args");
  assert.equal(code("all", { items: new Array(4_000_000_000) }), "invalid_args", "more than can be checked");
  assert.equal(code("ask", { items: new Array(4_000_000_000) }), "invalid_args");
});

test("strings with NUL and of every length arrive whole", () => {
  const eq = (value: string) => {
    const policy = { version: "1", default: "deny", tools: { t: { require: [{ path: "args.s", op: "eq", value }] } } };
    return (s: string): Decision => Engine.fromString(JSON.stringify(policy)).evaluate("t", { s });
  };
  for (const text of ["", "\0", "a\0b", "x".repeat(100_000), "𝒳".repeat(999)]) {
    assert.equal(eq(text)(text).code, "allowed");
    assert.equal(eq(text)(`${text}\0`).code, "condition_failed");
  }
});

test("functions of the language that were replaced are not used", () => {
  const fail = () => assert.fail("a replaced function ran");
  const places: [object, string][] = [
    [Object, "getOwnPropertyDescriptor"], [Object, "getPrototypeOf"], [Object, "hasOwn"], [Array, "isArray"], [Reflect, "ownKeys"],
    [Reflect, "apply"], [Function.prototype, "call"], [Function.prototype, "apply"], [String.prototype, "charCodeAt"], [Map.prototype, "get"],
    [Map.prototype, "set"], [JSON, "parse"], [Object, "freeze"],
  ];
  const before = places.map(([holder, name]) => (holder as Record<string, unknown>)[name]);
  const seen: unknown[] = [];
  for (const [holder, name] of places) (holder as Record<string, unknown>)[name] = fail;
  try {
    for (const [tool, args] of [["all", { items: [1] }], ["all", { items: [2] }], ["pay", { amount: 6 }], ["ask", { items: [1] }]] as const) {
      const decision = engine.evaluate(tool, args);
      const { allowed, code: said } = decision;
      seen[seen.length] = [allowed, said, decision.toJSON().code];
    }
  } finally {
    for (let index = 0; index < places.length; index += 1) {
      const [holder, name] = places[index] as [object, string];
      (holder as Record<string, unknown>)[name] = before[index];
    }
  }
  const expected = [[true, "allowed"], [false, "condition_failed"], [false, "condition_failed"], [false, "approval_required"]];
  assert.deepEqual(seen, expected.map(([allowed, said]) => [allowed, said, said]));
});
