// What a decision costs in Node, beside floors and peers, in one run.
//
//     ./bench.sh
//
// In: the built package, the built floors, the peers of this folder. Out: a table, and with `--json FILE` a JSON object for
// each subject, appended to that. Every subject does the
// same work on the same arguments, a charge that is allowed unless its name says otherwise. The subjects take turns, so that
// what else the machine does falls on all alike; each figure is the median of the rounds, in processor time of the process,
// collecting garbage included.

import { createRequire } from "node:module";
import { appendFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import * as cedar from "@cedar-policy/cedar-wasm/nodejs";
import { parse } from "@marcbachmann/cel-js";
import Ajv from "ajv";

const ROUNDS = Number(process.env.ROUNDS ?? 31);
const NANOSECONDS_A_ROUND = 20_000_000;

const { values: options, positionals } = parseArgs({ options: { json: { type: "string" } }, allowPositionals: true });
// The folder of another build of the package can be given, to measure that.
const { Engine } = await import(pathToFileURL(resolve(positionals[0] ?? "..", "dist/index.mjs")).href);
const floor = createRequire(import.meta.url)("./floor.node");
const listed = Array.from({ length: 17 }, (_, n) => `  list_${n}: {}\n`).join("");
const engine = Engine.fromString(`
version: "1"
default: deny
tools:
  create_charge:
    require:
      - {path: args.amount, op: lte, value: 50000}
      - {path: args.currency, op: in, value: [usd, eur, gbp]}
  create_refund: {deny_if: [{path: args.amount, op: gt, value: 10000}]}
  counted: {limits: [{counter: n, window: day, max: 1000000000, scope: identity}]}
${listed}`);

// Different objects and strings, so that no subject keeps an answer.
const CALLS = Array.from({ length: 64 }, (_, n) => ({
  amount: 4200 + n, currency: ["usd", "eur", "gbp"][n % 3], customer: `cus_${n}`, description: `order ${n}`, capture: true,
}));

function byHand(tool, args) {
  switch (tool) {
    case "create_charge": {
      const { amount, currency } = args;
      if (typeof amount !== "number" || !(amount <= 50_000)) return "the charge is too large";
      return currency === "usd" || currency === "eur" || currency === "gbp" ? null : "the currency is not taken";
    }
    case "create_refund":
      return typeof args.amount === "number" && args.amount <= 10_000 ? null : "the refund is too large";
    default:
      return /^list_(\d|1[0-6])$/.test(tool) ? null : "the tool is not listed";
  }
}

const cedarPolicies = {
  staticPolicies: `permit(principal, action == Action::"create_charge", resource)
    when { context.amount <= 50000 && ["usd", "eur", "gbp"].contains(context.currency) };`,
};
if (cedar.preparsePolicySet("payments", cedarPolicies).type !== "success") throw new Error("cedar does not take the policy");
const cedarCall = (context) => ({
  principal: { type: "User", id: "alice" }, action: { type: "Action", id: "create_charge" }, resource: { type: "Server", id: "s" },
  context, preparsedPolicySetId: "payments", entities: [],
});
const ajv = new Ajv().compile({
  type: "object", required: ["amount", "currency"],
  properties: { amount: { type: "number", maximum: 50_000 }, currency: { enum: ["usd", "eur", "gbp"] } },
});
const cel = parse(`args.amount <= 50000.0 && args.currency in ["usd", "eur", "gbp"]`);

/** Each subject answers whether the call may run. */
const SUBJECTS = {
  "native no-op": (args) => floor.noop("create_charge", args, "alice") === undefined,
  "native, reads two properties, gives a number": (args) => floor.number("create_charge", args, "alice") === 0,
  "native, reads two properties, gives effect and code": (args) => floor.pair("create_charge", args, "alice").effect === "allow",
  "native, reads two properties, gives all fields": (args) => floor.fields("create_charge", args, "alice").effect === "allow",
  "callgate, two conditions": (args) => engine.evaluate("create_charge", args, "alice").allowed,
  "callgate, no condition": (args) => engine.evaluate("list_3", args, "alice").allowed,
  "callgate, denied by name": (args) => !engine.evaluate("drop_table", args, "alice").allowed,
  "callgate, denied, and its message": (args) => engine.evaluate("drop_table", args, "alice").message !== null,
  "callgate, two conditions, and its JSON": (args) => engine.evaluate("create_charge", args, "alice").json.length > 0,
  "callgate, a counter": (args) => engine.evaluate("counted", args, "alice").allowed,
  "callgate, a counter, and its reservation": (args) => engine.evaluate("counted", args, "alice").reservation !== null,
  "JS by hand": (args) => byHand("create_charge", args) === null,
  "ajv, a schema with the same checks (JS)": (args) => ajv(args),
  "cel-js, an expression with the same checks (JS)": (args) => cel({ args }),
  "cedar-wasm, a policy with the same checks": (args) => cedar.statefulIsAuthorized(cedarCall(args)).response.decision === "allow",
};

function time(subject, times) {
  let allowed = 0;
  const start = process.cpuUsage();
  for (let n = 0; n < times; n += 1) if (subject(CALLS[n & 63])) allowed += 1;
  const { user, system } = process.cpuUsage(start);
  const nanoseconds = (user + system) * 1_000;
  if (allowed !== times) throw new Error(`${subject} gave another answer`);
  return nanoseconds / times;
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}

const runs = Object.entries(SUBJECTS).map(([name, subject]) => {
  // Until V8 has compiled it.
  time(subject, 20_000);
  const times = Math.max(200, Math.ceil(NANOSECONDS_A_ROUND / time(subject, 2_000)));
  return { name, subject, times, found: [] };
});
for (let round = 0; round < ROUNDS; round += 1) {
  for (const { subject, times, found } of runs) found.push(time(subject, times));
}
const medians = Object.fromEntries(runs.map(({ name, found }) => [name, median(found)]));
const FLOORS = {
  "× no-op": "native no-op",
  "× number": "native, reads two properties, gives a number",
  "× pair": "native, reads two properties, gives effect and code",
  "× fields": "native, reads two properties, gives all fields",
};
const table = Object.entries(medians).map(([name, nanoseconds]) => {
  const ratios = Object.entries(FLOORS).map(([to, floor]) => [to, Number((nanoseconds / medians[floor]).toFixed(2))]);
  return { name, ns: Math.round(nanoseconds), ...Object.fromEntries(ratios) };
});
console.table(table);
if (options.json) {
  for (const { name, found } of runs) {
    const [subject, work] = name.startsWith("callgate, ") ? ["callgate", name.slice("callgate, ".length)] : [name, "two conditions"];
    const role = subject === "callgate" ? "ours" : subject.startsWith("native") ? "floor" : "peer";
    const at = (part) => Number(found[Math.floor((found.length - 1) * part)].toFixed(2));
    // The shape that all benches of the repository share. `median` has sorted the rounds.
    const record = { bench: "node", case: work, subject, role, unit: "ns", x: null, value: at(0.5), least: at(0), low: at(0.25), high: at(0.75) };
    appendFileSync(options.json, `${JSON.stringify(record)}\n`);
  }
}
