// Several policies as one: what a stack decides, and what a watched one does with a file that breaks.

import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type CallgateError, Engine, Policy, PolicyError, PolicyFileError, StackError } from "callgate";

const BASE = `version: "1"
name: base
default: deny
hide: [drop_table]
tools:
  pay: {rules: [{name: small, conditions: [{path: args.amount, op: lte, value: 100}]}]}
  drop_table: {}
`;
const TEAM = `version: "1"
name: team
default: deny
tools:
  pay: {limits: [{counter: paid, window: day, max: 1}]}
  drop_table: {}
  refund: {}
`;

/** The two files, in a folder of the test's own. */
function files(t: TestContext): [base: string, team: string] {
  const folder = mkdtempSync(join(tmpdir(), "callgate-stack-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const paths = [join(folder, "base.yaml"), join(folder, "team.yaml")] as [string, string];
  writeFileSync(paths[0], BASE);
  writeFileSync(paths[1], TEAM);
  return paths;
}

test("a call runs where every policy lets it", (t) => {
  const engine = Engine.fromFile(files(t), { clock: () => 0 });
  assert.deepEqual(engine.policy.layers, ["base", "team"]);
  const large = engine.evaluate("pay", { amount: 500 });
  assert.deepEqual([large.rule?.layer, large.rule?.name], ["base", "small"]);
  assert.ok(engine.evaluate("pay", { amount: 5 }).allowed);
  const second = engine.evaluate("pay", { amount: 5 });
  assert.deepEqual([second.code, second.rule?.layer], ["limit_exceeded", "team"]);
  assert.deepEqual(["drop_table", "refund"].map((tool) => engine.evaluate(tool).code), ["hidden", "not_listed"]);
  assert.deepEqual([...engine.filterTools([{ name: "pay" }, { name: "drop_table" }])], [{ name: "pay" }]);
});

test("a stack of one is that policy", (t) => {
  const [base, team] = files(t);
  const alone = Policy.fromFile(base);
  assert.equal(Policy.fromFile([base]).digest, alone.digest);
  assert.equal(Policy.stack([alone]).digest, alone.digest);
  const both = Policy.stack([alone, Policy.fromFile(team)]);
  assert.equal(both.digest, Policy.fromFile([base, team]).digest);
  assert.notEqual(both.digest, alone.digest);
  assert.deepEqual(Policy.stack([both]).layers, ["base", "team"]);
  assert.deepEqual(Policy.stack([Policy.fromString(BASE.replace("name: base\n", ""))]).layers, [null]);
});

test("policies that do not go together are an error that names the file", (t) => {
  const [base, team] = files(t);
  const unnamed = `${team}.unnamed.yaml`;
  writeFileSync(unnamed, TEAM.replace("name: team\n", ""));
  const cases: [string[], string, string, RegExp][] = [
    [[base, unnamed], unnamed, "unnamed_layer", /policy 2 of the stack has no name/],
    [[base, team, base], base, "duplicate_layer", /both named "base"/],
    [Array<string>(17).fill(base), base, "layer_count", /not 17/],
  ];
  for (const [paths, file, code, why] of cases) {
    for (const load of [() => Policy.fromFile(paths), () => Engine.fromFile(paths)]) {
      assert.throws(load, (error: unknown) => {
        assert.ok(error instanceof StackError && error instanceof PolicyError);
        assert.deepEqual([error.code, error.file, error.diagnostics], [code, file, []]);
        assert.ok(error.message.startsWith(`${file}: `));
        assert.match(error.message, why);
        return true;
      });
    }
  }
  const refused = (load: () => unknown, of: object) => assert.throws(load, of);
  refused(() => Policy.fromFile([]), { code: "layer_count", file: null });
  const first = Policy.fromString(BASE);
  refused(() => Policy.stack([first, first]), { code: "duplicate_layer", file: null });
  writeFileSync(team, TEAM.replace("default", "defualt"));
  refused(() => Policy.fromFile([base, team]), { code: "unknown_field", file: team });
  unlinkSync(team);
  assert.throws(() => Policy.fromFile([base, team]), (error) => error instanceof PolicyFileError && error.file === team);
  for (const odd of [3, [3], null]) assert.throws(() => Policy.fromFile(odd as unknown as string), TypeError);
  for (const odd of [first, [TEAM], null]) assert.throws(() => Policy.stack(odd as unknown as Policy[]), TypeError);
});

test("a watched stack outlives a file that breaks", async (t) => {
  const [base, team] = files(t);
  let hear: (change: Policy | CallgateError) => void = () => {};
  const engine = Engine.fromFile([base, team], {
    watch: { intervalMs: 10 },
    onReload: (policy) => hear(policy),
    onReloadError: (error) => hear(error),
  });
  const replace = (path: string, text: string) => {
    const heard = new Promise<Policy | CallgateError>((resolve) => (hear = resolve));
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
    // The watcher keeps no process alive.
    const alive = setTimeout(() => assert.fail("nothing was heard"), 30_000);
    return heard.finally(() => clearTimeout(alive));
  };
  const old = engine.policy.digest;
  const broken: [string, string][] = [
    [TEAM.replace("default: deny", "default: alow"), "invalid_default"],
    [TEAM.replace(`version: "1"\n`, ""), "missing_version"],
    [TEAM.replace("name: team\n", ""), "unnamed_layer"],
  ];
  for (const [text, code] of broken) {
    const error = await replace(team, text);
    assert.ok(error instanceof PolicyError);
    assert.deepEqual([error.code, error.file], [code, team]);
    assert.equal(engine.policy.digest, old);
  }
  // The other file changes: the team's is still the one that is wrong.
  const again = await replace(base, `${BASE}# again\n`);
  assert.ok(again instanceof PolicyError && again.file === team);
  const mended = await replace(team, TEAM.replace("refund", "pay_back"));
  assert.ok(mended instanceof Policy);
  assert.equal(engine.policy.digest, mended.digest);
  assert.equal(mended.digest, Policy.fromFile([base, team]).digest);
  engine.close();
});

test("warnings name the file of their layer", (t) => {
  const [base, team] = files(t);
  writeFileSync(base, `${BASE}  Pay: {}\n`);
  writeFileSync(team, `${TEAM}  Refund: {}\n  gone: {limits: [{counter: all_time, window: ever, max: 3}]}\n`);
  const expected = [
    ["confusable_name", base], ["confusable_name", base],
    ["confusable_name", team], ["confusable_name", team], ["memory_store", team],
  ];
  const heard: [string, string | null][] = [];
  const onWarning = ({ code }: { code: string }, file: string | null) => void heard.push([code, file]);
  Engine.fromFile([base, team], { onWarning });
  assert.deepEqual(heard.splice(0), expected);
  new Engine(Policy.stack([Policy.fromFile(base), Policy.fromFile(team)]), { onWarning });
  assert.deepEqual(heard, expected);
});
