// `callgate/test` in real runs of `node --test`, from the packed tarballs: the names and outcomes are those of the command.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { test, type TestContext } from "node:test";

import { CallgateError } from "callgate";
import { policyTests } from "callgate/test";

const app = resolve(".work/app");
// Nothing may show the amount of the call that fails.
const amount = 73123;
const policy = `
version: "1"
default: deny
tools:
  pay:
    rules:
      - name: cap
        conditions: [{path: args.amount, op: lte, value: 50000}]
      - rate_limit: 2/minute
`;
const all = `\
policy: policy.yaml
tests:
  - name: caps one payment
    each:
      - {tool: pay, args: {amount: 4200}, expect: allow}
      - {tool: pay, args: {amount: ${amount}}, expect: allow}
  - name: pays twice a minute
    steps:
      - {tool: pay, args: {amount: 1}, repeat: 3, expect: allow}
      - {tool: refund, args: {amount: 1}, expect: allow, unlisted: true}
  - name: waits for refunds
    skip: there are none yet
    steps: [{tool: pay, args: {amount: 1}, expect: allow}]
  - name: a known bug
    todo: needs a rule
    steps: [{tool: pay, args: {amount: ${amount}}, expect: allow}]
  - name: a bug that is gone
    todo: needed a rule
    steps: [{tool: pay, args: {amount: 1}, expect: allow}]
`;
const passing = `\
policy: ../policy.yaml
calls: {unused: {tool: pay}}
tests:
  - {name: "a name: with / and [x]\\n\\a", steps: [{tool: pay, args: {amount: 1}, expect: allow}]}
  - {name: waits, skip: for it, steps: [{tool: pay, args: {amount: 1}, expect: allow}]}
  - {name: is known, todo: later, steps: [{tool: pay, expect: allow}]}
`;
const broken = "policy: ../gone.yaml\ntests: [{name: a, steps: [{tool: pay, expect: allow}]}]\n";
// Writes what happens as it is told to reporters.
const reporter = `
export default async function* (events) {
  for await (const { type, data } of events) {
    if (type === "test:stdout" || type === "test:stderr") process.stderr.write(data.message);
    if (type !== "test:pass" && type !== "test:fail") continue;
    const { name, nesting, skip, todo, details } = data;
    yield JSON.stringify({ name, nesting, skip, todo, failed: type === "test:fail", suite: details.type === "suite", text: details.error?.cause?.message }) + "\\n";
  }
}
`;

interface Event {
  readonly name: string;
  readonly nesting: number;
  readonly skip?: string;
  readonly todo?: string;
  readonly failed: boolean;
  readonly suite: boolean;
  readonly text?: string;
}

/** A folder from which the installed package is found. */
function project(t: TestContext, files: Record<string, string>): string {
  const folder = mkdtempSync(join(app, "policy-tests-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

// The run that this one is part of is none of theirs.
const { NODE_TEST_CONTEXT: _, ...env } = process.env;

function run(cwd: string, file: string) {
  writeFileSync(join(cwd, "reporter.mjs"), reporter);
  const args = ["--test", "--test-reporter=./reporter.mjs", "--test-reporter-destination=stdout", file];
  const done = spawnSync(process.execPath, args, { cwd, env, encoding: "utf8", timeout: 60_000 });
  const events = done.stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line) as Event);
  return { status: done.status, events, said: done.stdout + done.stderr };
}

const escaped = (name: string) => name.replaceAll("\n", "\\u{a}").replaceAll("\u0007", "\\u{7}");

/** A line for each test, by the command alone. */
function expected(cwd: string, ...paths: string[]): string[] {
  const done = spawnSync(join(app, "node_modules/.bin/callgate"), ["test", "--format", "json", ...paths], { cwd, encoding: "utf8", timeout: 60_000 });
  const { files } = JSON.parse(done.stdout) as {
    files: { path: string; problems: unknown[]; tests: { name: string; status: string; reason: string | null }[] }[];
  };
  return files.flatMap(({ path, problems, tests }) => [
    ...(problems.length > 0 ? [`${path}: can be run: failed`] : []),
    ...tests.map(({ name, status, reason }) => {
      const outcome = { passed: "passed", failed: "failed", done: "failed", skipped: `skipped ${reason}`, todo: `todo ${reason}` }[status];
      return `${path}: ${escaped(name)}: ${outcome}`;
    }),
  ]);
}

/** The same, by what `node:test` says. */
function outcomes(events: readonly Event[]): string[] {
  const lines: string[] = [];
  let open: string[] = [];
  for (const { name, suite, skip, todo, failed } of events) {
    if (suite) {
      lines.push(...open.map((line) => `${name}: ${line}`));
      open = [];
    } else {
      // One that is marked to fail has failed, as is known.
      if (todo !== undefined) assert.ok(failed);
      const outcome = skip !== undefined ? `skipped ${skip}` : todo !== undefined ? `todo ${todo}` : failed ? "failed" : "passed";
      open.push(`${name}: ${outcome}`);
    }
  }
  return lines;
}

const forms = {
  "esm.test.mjs": 'import { policyTests } from "callgate/test";\npolicyTests(".");\n',
  "cjs.test.cjs": 'require("callgate/test").policyTests(["all_test.yaml", "deeper"]);\n',
};

for (const [file, code] of Object.entries(forms)) {
  test(`${file}: names and outcomes are those of the command`, (t) => {
    const cwd = project(t, { "policy.yaml": policy, "all_test.yaml": all, "deeper/passing_test.yml": passing, "deeper/broken_test.json": broken, [file]: code });
    const { status, events, said } = run(cwd, file);
    assert.equal(status, 1, said);
    const wanted = expected(cwd);
    assert.equal(wanted.length, 10, said);
    assert.deepEqual(outcomes(events), wanted);

    const text = (name: string) => events.find((event) => event.name === name)?.text;
    assert.equal(
      text("caps one payment / #2"),
      `all_test.yaml:6:9: pay (/tests/0/each/1)
decision: expected allow
decision: actual   deny (condition_failed)
checks
└─ permit "cap"  denies  /tools/pay/rules/0
   └─ args.amount lte 50000  fails  …/conditions/0`,
    );
    assert.match(text("pays twice a minute") ?? "", /^all_test.yaml:9:9: pay \(\/tests\/1\/steps\/0\), repetition 3\n[^]*\n\nall_test.yaml:10:9: refund [^]*\n└─ nothing in the policy was checked$/);
    assert.equal(text("a bug that is gone"), "all_test.yaml:17: it passes: remove `todo: needed a rule`");
    assert.match(text("can be run") ?? "", /^deeper\/broken_test\.json:1:9: `\.\.\/gone\.yaml` cannot be read: [^]* \[unreadable_file\]\n  help: paths are relative to this file$/);
    assert.match(said, /deeper\/passing_test\.yml:2:9: no test uses the call `unused` \[unused_call\]/);
    assert.ok(!said.includes(String(amount)) && !said.includes("\u0007"), said);
  });
}

test("what is skipped or known to fail does not fail the run, whose paths may be URLs", (t) => {
  const code = 'import { policyTests } from "callgate/test";\npolicyTests(new URL("deeper/", import.meta.url));\n';
  const cwd = project(t, { "policy.yaml": policy, "deeper/passing_test.yml": passing, "esm.test.mjs": code });
  const { status, events, said } = run(cwd, "esm.test.mjs");
  assert.equal(status, 0, said);
  assert.deepEqual(outcomes(events), expected(cwd, join(cwd, "deeper")));
});

test("where nothing can be run, an error says so", (t) => {
  const cwd = project(t, { "policy.yaml": policy });
  const told = (message: RegExp) => (error: unknown) => error instanceof CallgateError && error.code === "not_run" && message.test(error.message);
  assert.throws(() => policyTests(join(cwd, "nowhere")), told(/nowhere: No such file/));
  assert.throws(() => policyTests([cwd]), told(/no test file found/));
  // A path is never taken for an option.
  assert.throws(() => policyTests("--verbose"), told(/--verbose: No such file/));
  assert.throws(() => policyTests([]), TypeError);

  // The package without that of the platform, as `npm install --omit=optional` leaves it, where no folder above has one.
  const alone = mkdtempSync(join(tmpdir(), "callgate-alone-"));
  t.after(() => rmSync(alone, { recursive: true }));
  const main = readdirSync(".work/tarballs").find((name) => /^callgate-\d/.test(name)) ?? assert.fail("there is no package");
  mkdirSync(join(alone, "node_modules/callgate"), { recursive: true });
  execFileSync("tar", ["-xzf", resolve(".work/tarballs", main), "--strip-components=1", "-C", join(alone, "node_modules/callgate")]);
  writeFileSync(join(alone, "esm.test.mjs"), forms["esm.test.mjs"]);
  const { status, said } = run(alone, "esm.test.mjs");
  assert.equal(status, 1, said);
  assert.match(said, /no package with the command `callgate` is installed for .*; `cargo install callgate-cli` builds it/);
});

test("the lines of the README", (t) => {
  const readme = readFileSync("README.md", "utf8");
  const section = readme.slice(readme.indexOf("## Tests of policies"));
  const block = (text: string, language: string) => new RegExp("```" + language + "\n([^`]*)```").exec(text)?.[1] ?? assert.fail(`no ${language}`);
  const cwd = project(t, { "policies/policy.yaml": block(readme, "yaml"), "policies/policy_test.yaml": block(section, "yaml"), "policies.test.mjs": block(section, "js") });
  const { status, events, said } = run(cwd, "policies.test.mjs");
  assert.equal(status, 0, said);
  assert.equal(outcomes(events).length, 3);
});
