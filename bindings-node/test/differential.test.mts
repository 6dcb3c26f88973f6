// Generated policies and calls: the same decisions as Rust, from raw text and from host values.

import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { Engine } from "callgate";
import { hostValue } from "./host-value.mjs";

interface Pairs {
  at_ms: number;
  policy: string;
  calls: { tool: string; args: string; identity: string | null; raw_only: boolean; decision: string }[];
}

test("generated policies and calls", async () => {
  let [pairs, values] = [0, 0];
  for await (const line of createInterface({ input: createReadStream(".work/pairs.jsonl") })) {
    const { at_ms, policy, calls } = JSON.parse(line) as Pairs;
    const engine = () => Engine.fromString(policy, { clock: () => at_ms, onWarning: () => {} });
    const raw = engine();
    // Counters are charged once a form: each has an engine of its own, and takes raw text where values would lose something.
    const host = engine();
    for (const { tool, args, identity, raw_only, decision } of calls) {
      const who = identity === null ? undefined : (hostValue(identity).value as object);
      assert.equal(raw.evaluateJson(tool, args, who).json, decision, `${policy}\n${tool} ${args}`);
      const given = raw_only ? { value: null, exact: false } : hostValue(args);
      const made = given.exact ? host.evaluate(tool, given.value, who) : host.evaluateJson(tool, args, who);
      assert.equal(made.json, decision, `${policy}\n${tool} ${args}`);
      pairs += 1;
      if (given.exact) values += 1;
    }
  }
  assert.ok(pairs >= Number(process.env["CALLGATE_PAIRS"] ?? 1), `only ${pairs} pairs`);
  assert.ok(values > pairs / 2, `only ${values} of ${pairs} from host values`);
});
