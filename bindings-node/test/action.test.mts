// `scripts/action.sh`, which the action of the repository runs, as on a runner: with the packed tarballs in place of npm's registry.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";

const script = resolve("../scripts/action.sh");
const tarballs = readdirSync(".work/tarballs").map((name) => resolve(".work/tarballs", name));
const main = tarballs.find((path) => /\/callgate-\d/.test(path)) ?? assert.fail("there is no package");
const policy = 'version: "1"\ndefault: deny\ntools: {pay: {rules: [{conditions: [{path: args.amount, op: lte, value: 9}]}]}}\n';
const tests = (amount: number) => `policy: policy.yaml\ntests: [{name: pays, steps: [{tool: pay, args: {amount: ${amount}}, expect: allow}]}]\n`;

test("the action tells the log and the summary, and ends as the command does", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "callgate action-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const files = { "policy.yaml": policy, "good_test.yaml": tests(9), "bad one_test.yaml": tests(10) };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const temporary = join(folder, "temp");
  // The platform's package, which npm would take from the registry.
  execFileSync("npm", ["install", "--offline", "--silent", "--prefix", join(temporary, "callgate"), ...tarballs.filter((path) => path !== main)]);

  const summary = join(folder, "summary.md");
  const run = (paths: string, more: Record<string, string> = {}) => {
    const env = {
      ...process.env,
      npm_config_offline: "true",
      RUNNER_TEMP: temporary,
      GITHUB_STEP_SUMMARY: summary,
      CALLGATE_PATHS: paths,
      CALLGATE_VERSION: `file:${main}`,
      CALLGATE_MIN_COVERAGE: "",
      ...more,
    };
    writeFileSync(summary, "what was there\n");
    const done = spawnSync("bash", [script], { cwd: folder, env, encoding: "utf8", timeout: 60_000 });
    return { ...done, said: done.stdout + done.stderr, summary: readFileSync(summary, "utf8") };
  };

  const good = run("good_test.yaml\n\n");
  assert.equal(good.status, 0, good.said);
  assert.match(good.stdout, /^good_test\.yaml {2}1 passed$/m);
  assert.match(good.summary, /^what was there\n### ✅ Policy tests: 1 passed\n/);

  const bad = run("good_test.yaml\nbad one_test.yaml\n");
  assert.equal(bad.status, 1, bad.said);
  assert.match(bad.stdout, /error: failed: pays\n/);
  assert.match(bad.summary, /### ❌ Policy tests: 1 passed, 1 failed\n/);

  // Of the condition's outcomes, no test sees both.
  const least = run("good_test.yaml", { CALLGATE_MIN_COVERAGE: "100" });
  assert.equal(least.status, 1, least.said);
  assert.match(least.stderr, /^error: coverage is less than 100 %: policy\.yaml: /m);
  assert.match(least.summary, /1 passed\n[^]*\n\| policy \| covered \| not covered \|\n/);

  const lost = run("nowhere");
  assert.equal(lost.status, 2, lost.said);
  assert.equal(lost.summary, "what was there\n### ❌ Policy tests: not run\n\n    error: nowhere: No such file or directory (os error 2)\n");

  // A version that npm cannot find ends it before any test; nothing in an input is code.
  const old = run("good_test.yaml", { CALLGATE_VERSION: "9.9.9; exit 0" });
  assert.notEqual(old.status, 0);
  assert.equal(old.stdout, "");
});

test("the action calls the script with its inputs, and takes the version that it has itself", () => {
  const action = readFileSync("../action.yml", "utf8");
  assert.match(action, /^ {6}run: bash "\$GITHUB_ACTION_PATH\/scripts\/action\.sh"$/m);
  const named = [...readFileSync(script, "utf8").matchAll(/\$\{?(CALLGATE_[A-Z_]+)/g)].map(([, name]) => name);
  const given = [...action.matchAll(/^ {8}(CALLGATE_[A-Z_]+): \$\{\{ inputs\.([a-z-]+) \}\}$/gm)];
  assert.deepEqual(new Set(given.map(([, name]) => name)), new Set(named));
  assert.deepEqual(given.map(([, , input]) => input), [...action.matchAll(/^ {2}([a-z-]+):\n {4}description/gm)].map(([, input]) => input));
  const read = spawnSync("sed", ["-n", 's/^  "version": "\\(.*\\)",$/\\1/p', "package.json"], { encoding: "utf8" }).stdout;
  assert.equal(`${(JSON.parse(readFileSync("package.json", "utf8")) as { version: string }).version}\n`, read);
});
