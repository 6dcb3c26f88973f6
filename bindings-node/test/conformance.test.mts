// Every case of `spec/cases`, from raw text, from host values, and asynchronously with counters in a file; and the decisions,
// byte by byte, beside Rust's.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { ArgsCheck, Engine, Policy, PolicyError } from "callgate";
import type { Actual, Decision, DecisionJson, Diagnostic, McpMeta, McpResult, Observed, Outcome } from "callgate";
import { hostValue } from "./host-value.mjs";
import { type Case, PROJECT, type Step, decisions, invalid, policyOfCase, policyOfLines } from "./cases.mjs";

const START = "2026-11-21T10:00:00.000Z";
type Form = "raw" | "value" | "store";

/** Steps that JS cannot express, with the reason. */
const INEXPRESSIBLE: Record<string, string> = {
  "raw.json|the text null is no identity": "an identity that is null is an absent one in JS, and no identity is raw text",
};

/** Whether time runs back in a case: of such calls 8.4 says something else for stores that processes share. */
function runsBack({ steps }: Case): boolean {
  const times = steps.flatMap(({ at }) => (at === undefined ? [] : [Date.parse(at)]));
  return times.some((time, index) => time < (times[index - 1] ?? Date.parse(START)));
}

interface Finishable {
  finish(outcome: Outcome): void | Promise<void>;
  settle(actual: Actual): void | Promise<void>;
}
interface Decided {
  json: string;
  /** The answer to an MCP client, with what the library gives of it alone. */
  told: [result: McpResult | null, meta: McpMeta | null];
  reservation: Finishable | null;
  observed: Observed | null;
}
type Approved = { key: string; id: string; givenAt?: Date } | undefined;
interface Under {
  decide(step: Step, form: Form, approved: Approved): Promise<Decided>;
  replace(policy: Policy): void;
}

/** What a step calls, and its arguments or params. */
function called({ tool, args, method, params }: Step): { name: string; text: string | undefined; isRequest: boolean } {
  if (tool !== undefined) return { name: tool, text: args, isRequest: false };
  assert.ok(method !== undefined, "a step has a tool or a method");
  return { name: method, text: params, isRequest: true };
}

const parsed = (text: string | undefined): unknown => (text === undefined ? undefined : hostValue(text).value);

/** Whether a step is decided from raw text: where a host value is another one. A BigInt holds what a double changes. */
function isRaw(step: Step, form: Form): boolean {
  if (form === "raw") return true;
  if (step.raw_only === undefined) return false;
  return !(step.raw_only.includes("double") && hostValue(called(step).text ?? "{}").exact);
}

/** Lets the candidate of a case, if it has one, decide beside its policy. */
function observe(engine: Engine, { candidate }: Case): void {
  if (candidate !== undefined) engine.observe(Policy.fromString(candidate.join("\n")));
}

function publicEngine(given: Case, clock: () => number): Under {
  const engine = new Engine(policyOfCase(given), { clock, onWarning: () => {} });
  observe(engine, given);
  return {
    replace: (next) => engine.replace(next),
    decide: async (step, form, approved) => {
      const identity = parsed(step.identity) as object;
      const check = step.check && new ArgsCheck(step.check);
      const { name, text, isRequest } = called(step);
      const raw = () => [name, text ?? "{}", identity, approved, check, step.server] as const;
      const values = () => [name, parsed(text), identity, approved, check, step.server] as const;
      const decide = () => {
        if (isRequest) return isRaw(step, form) ? engine.evaluateRequestJson(...raw()) : engine.evaluateRequest(...values());
        return isRaw(step, form) ? engine.evaluateJson(...raw()) : engine.evaluate(...values());
      };
      const explain = () => (isRaw(step, form) ? engine.explainJson(...raw()) : engine.explain(...values()));
      const decision = step.explain ? explain().decision : decide();
      // These two are read without the JSON.
      const { effect, code } = decision.toJSON();
      assert.deepEqual([decision.effect, decision.code, decision.allowed], [effect, code, effect === "allow"]);
      const { json, reservation } = decision;
      return { json, told: told(decision), reservation, observed: decision.observed() };
    },
  };
}

const told = (decision: Decision): Decided["told"] => [decision.toMcpResult(), decision.toMcpMeta()];

/** The way of stores that wait: the call is evaluated in place, and its counters are asked elsewhere. */
function storedEngine(given: Case, clock: () => number): Under {
  const engine = new Engine(policyOfCase(given), { clock, store: `sqlite://${join(folder, `${(files += 1)}.db`)}` });
  observe(engine, given);
  return {
    replace: (next) => engine.replace(next),
    decide: async (step, form, approved) => {
      const identity = parsed(step.identity) as object;
      const check = step.check && new ArgsCheck(step.check);
      const { name, text, isRequest } = called(step);
      const raw = () => [name, text ?? "{}", identity, approved, check, step.server] as const;
      const values = () => [name, parsed(text), identity, approved, check, step.server] as const;
      if (step.explain) {
        const explained = await (isRaw(step, form) ? engine.explainJsonAsync(...raw()) : engine.explainAsync(...values()));
        return { json: explained.decision.json, told: told(explained.decision), reservation: null, observed: null };
      }
      const decide = () => {
        if (isRequest) return isRaw(step, form) ? engine.evaluateRequestJsonAsync(...raw()) : engine.evaluateRequestAsync(...values());
        return isRaw(step, form) ? engine.evaluateJsonAsync(...raw()) : engine.evaluateAsync(...values());
      };
      const decision = await decide();
      const { json, reservation } = decision;
      const finishable = reservation && {
        finish: (outcome: Outcome) => reservation.finishAsync(outcome),
        settle: (actual: Actual) => reservation.settleAsync(actual),
      };
      return { json, told: told(decision), reservation: finishable, observed: decision.observed() };
    },
  };
}

// In memory where the system has such a folder: there is a file for each case.
const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "callgate-"));
let files = 0;
after(() => rmSync(folder, { recursive: true }));

function sees(given: Case): void {
  const engine = new Engine(policyOfCase(given), { onWarning: () => {} });
  for (const { identity, server, shown, left_out: leftOut } of given.visible ?? []) {
    const who = parsed(identity ?? undefined) as object;
    const tools = [...shown, ...leftOut];
    for (const of of [engine, engine.policy]) {
      for (const tool of tools) assert.equal(of.visible(tool, who, server), shown.includes(tool), `${identity} ${server} ${tool}`);
      const named = of.filterTools(tools.map((name) => ({ name })), who, server);
      assert.deepEqual(named.map(({ name }) => name), shown);
    }
  }
}

async function run(given: Case, form: Form): Promise<string[]> {
  sees(given);
  let now = Date.parse(START);
  const under = (form === "store" ? storedEngine : publicEngine)(given, () => now);
  const made: string[] = [];
  const open: (Finishable | null)[] = [];
  const finish = async (step: Step, reservation: Finishable | null | undefined) => {
    // A second finish of the same reservation does nothing: it was taken.
    if (!reservation) return;
    const { finish: how, finish_error: code } = step;
    if (how === undefined) return;
    const finished = async () => (typeof how === "string" ? reservation.finish(how) : reservation.settle(how.settle));
    if (code === undefined) await finished();
    else await assert.rejects(finished(), { code });
  };
  for (const [index, step] of given.steps.entries()) {
    if (step.at) now = Date.parse(step.at);
    if (step.reload) under.replace(policyOfLines(step.reload));
    if (step.finish_of !== undefined) {
      await finish(step, open[step.finish_of]);
      if (step.finish_error === undefined) open[step.finish_of] = null;
    }
    const approved = async (): Promise<Approved> => {
      if (!step.approve) return undefined;
      const { id, key, key_of: of, given_at: at } = step.approve;
      const given = at === undefined ? {} : { givenAt: new Date(at) };
      if (key !== undefined) return { id, key, ...given };
      const before = of === undefined ? (await under.decide(step, form, undefined)).json : made[of];
      return { id, ...given, key: (JSON.parse(before ?? "{}") as Partial<DecisionJson>).approval?.key ?? "ak1:none" };
    };
    let decision: Decided | undefined;
    for (let turn = 1; turn <= (step.repeat ?? 1); turn += 1) {
      decision = await under.decide(step, form, await approved());
      if (turn < (step.repeat ?? 1)) assert.equal(JSON.parse(decision.json).effect, "allow", `step ${index}, turn ${turn}`);
    }
    assert.ok(decision);
    const [result, meta] = decision.told;
    const shown = { ...JSON.parse(decision.json), mcp_result: result };
    assert.deepEqual([result === null, result?._meta ?? null], [shown.effect === "allow", meta], `step ${index}`);
    compare(step.expect, shown, `step ${index}: ${decision.json}`);
    if (step.observed !== undefined) {
      const { rule = null, ...observed } = decision.observed ?? {};
      assert.deepEqual({ ...observed, rule: rule?.pointer ?? null }, step.observed, `step ${index}: observed`);
    }
    made.push(decision.json);
    open.push(decision.reservation);
    if (step.finish !== undefined && step.finish_of === undefined) {
      assert.ok(decision.reservation, `step ${index}: there is no reservation to finish`);
      await finish(step, decision.reservation);
      if (step.finish_error === undefined) open[index] = null;
    }
  }
  return made;
}

function compare(expect: Record<string, unknown>, decision: Record<string, unknown>, what: string): void {
  assert.ok("effect" in expect && "code" in expect, "a step must expect effect and code");
  const rule = decision["rule"] as { layer: string | null; pointer: string; name: string | null; line: number } | null;
  for (const [field, wanted] of Object.entries(expect)) {
    if (field === "rule") assert.deepEqual(rule?.pointer ?? null, wanted, what);
    else if (field === "rule_name") assert.deepEqual(rule?.name ?? null, wanted, what);
    else if (field === "layer") assert.deepEqual(rule?.layer ?? null, wanted, what);
    else if (field === "line") assert.deepEqual(rule?.line ?? null, wanted, what);
    else if (field === "approval_rules") {
      const approval = decision["approval"] as { rules: { pointer: string }[] } | null;
      assert.deepEqual(approval?.rules.map(({ pointer }) => pointer), wanted, what);
    } else if (field === "approval") {
      const approval = decision["approval"] as { rules: { approvers: string[] }[] } & Record<string, unknown>;
      const told: Record<string, unknown> = { ...approval, approvers: approval.rules.map(({ approvers }) => approvers) };
      for (const [name, value] of Object.entries(wanted as object)) assert.deepEqual(told[name], value, `${what} ${name}`);
    } else if (field === "counters") {
      const [all, found] = [wanted as object[], decision["counters"] as Record<string, unknown>[]];
      assert.equal(found.length, all.length, what);
      for (const [index, one] of all.entries()) {
        for (const [name, value] of Object.entries(one)) assert.deepEqual(found[index]?.[name], value, `${what} ${name}`);
      }
    } else {
      assert.ok(field in decision, `unknown expectation ${field}`);
      assert.deepEqual(decision[field], wanted, what);
    }
  }
}

describe("decisions", () => {
  const lines: string[] = [];
  const rust = new Map<string, string>();
  for (const line of readFileSync(".work/decisions-rust.jsonl", "utf8").trim().split("\n")) {
    const { file, case: name, step, form, decision } = JSON.parse(line);
    rust.set(JSON.stringify([file, name, step, form]), decision);
  }
  let compared = 0;
  for (const [file, cases] of decisions()) {
    for (const given of cases) {
      for (const form of ["raw", "value", "store"] as const) {
        const id = `${file}|${given.name}`;
        const skip = INEXPRESSIBLE[id] ?? (form === "store" && runsBack(given));
        test(`${file}: ${given.name} (${form})`, { skip }, async () => {
          for (const [step, decision] of (await run(given, form)).entries()) {
            const like = form === "store" ? "value" : form;
            assert.equal(decision, rust.get(JSON.stringify([file, given.name, step, like])), "not what Rust writes");
            if (form === "store") continue;
            compared += 1;
            lines.push(JSON.stringify({ file, case: given.name, step, form, decision }));
          }
        });
      }
    }
  }
  after(() => {
    const missing = 2 * Object.keys(INEXPRESSIBLE).length;
    assert.equal(compared + missing, rust.size, "every decision that Rust makes was made here");
    mkdirSync(join(PROJECT, "target"), { recursive: true });
    writeFileSync(join(PROJECT, "target/decisions-node.jsonl"), `${lines.join("\n")}\n`);
  });
});

describe("invalid documents", () => {
  for (const [file, cases] of invalid()) {
    for (const given of cases) {
      test(`${file}: ${given.name}`, () => {
        const { repeat, times, before = "", after: rest = "" } = given.generate ?? { repeat: "", times: 0 };
        const text = given.policy?.join("\n") ?? `${before}${repeat.repeat(times)}${rest}`;
        let found: readonly Diagnostic[];
        try {
          found = Policy.fromString(text).warnings;
        } catch (error) {
          assert.ok(error instanceof PolicyError);
          found = error.diagnostics;
        }
        const shown = found.filter(({ severity }) => given.warnings === true || severity === "error");
        assert.equal(shown.length, given.expect.length, shown.join("\n"));
        for (const [index, { help, message, ...exact }] of given.expect.entries()) {
          const diagnostic = shown[index];
          assert.ok(diagnostic);
          for (const [name, wanted] of Object.entries(exact)) {
            assert.deepEqual(diagnostic[name as keyof Diagnostic], wanted, `${name} of ${diagnostic}`);
          }
          if (help !== undefined) assert.ok(diagnostic.help?.includes(help), String(diagnostic));
          if (message !== undefined) assert.ok(diagnostic.message.includes(message), String(diagnostic));
        }
      });
    }
  }
});
