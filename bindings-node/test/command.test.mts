// The command `callgate` of the installed packages: its output, its exit status, and signals, which it has as if npm's script were not there.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";

import { Engine } from "callgate";

const app = resolve(".work/app");
const command = join(app, "node_modules/.bin/callgate");

function policies(t: { after(end: () => void): void }): { good: string; broken: string } {
  const folder = mkdtempSync(join(tmpdir(), "callgate-command-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [good, broken] = [join(folder, "policy.yaml"), join(folder, "broken.yaml")];
  writeFileSync(good, 'version: "1"\ndefault: deny\ntools: {t: {}}\n');
  writeFileSync(broken, "defualt: deny\n");
  return { good, broken };
}

test("npx callgate answers, and keeps the exit status", (t) => {
  const { good, broken } = policies(t);
  const run = (...args: string[]) =>
    spawnSync("npx", ["--no-install", "callgate", ...args], { cwd: app, encoding: "utf8", input: "", timeout: 60_000 });
  const version = run("--version");
  assert.equal(version.status, 0, version.stderr);
  const { version: own } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  assert.match(version.stdout, new RegExp(`^callgate ${own.replaceAll(".", "\\.")}\ntime zones \\d{4}[a-z]\ncommit .*\nstores memory, sqlite, redis\n$`));
  assert.equal(run("check", good).status, 0);
  const found = run("check", broken);
  assert.equal(found.status, 1);
  assert.match(found.stdout + found.stderr, /defualt/);
  assert.equal(run("no-such-command").status, 2);
});

test("standard input reaches the command", (t) => {
  const { good } = policies(t);
  const args = ["eval", "-p", good, "--calls", "-", "--format", "json"];
  const run = spawnSync(command, args, { input: '{"tool": "t"}\n{"tool": "u"}\n', encoding: "utf8", timeout: 60_000 });
  assert.equal(run.status, 0, run.stderr);
  assert.equal(run.stdout.trim().split("\n").length, 2);
});

test("the command shows the counters of a file as an engine does, and sees one reset", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "callgate-command-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const store = `sqlite://${join(folder, "counters.db")}`;
  const engine = Engine.fromString('{version: "1", default: deny, tools: {t: {limits: [{counter: n, window: 366d, max: 9, scope: [identity.org, args.n]}]}}}', { store });
  for (const org of ["eu", "us"]) engine.evaluate("t", { n: 7 }, { org });
  const shown = () => {
    const run = spawnSync(command, ["counters", "list", "--store", store, "--format", "json"], { encoding: "utf8", timeout: 60_000 });
    assert.equal(run.status, 0, run.stderr);
    const lines = run.stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>);
    // What the command shows beside: here there is neither a budget, nor a stack, nor a calendar.
    return lines.map(({ budget, layer, time_zone, week_start, ...rest }) => {
      assert.deepEqual([budget, layer, time_zone, week_start], [null, null, null, "monday"]);
      return rest;
    });
  };
  const own = () =>
    engine.counters().map(({ entry, counter, window, algorithm, scope, scopeValue, used, resetsAt }) => ({
      tool: entry, counter, window, algorithm, scope, for: scopeValue, used, resets_at: resetsAt?.toISOString(),
    }));
  const listed = (counters: Record<string, unknown>[]) =>
    counters.map((counter) => ({ ...counter, resets_at: new Date(String(counter["resets_at"])).toISOString() })).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  assert.deepEqual(listed(own()), listed(shown()));
  const eu = engine.counters().find(({ scopeValue }) => scopeValue === '"eu", 7') ?? assert.fail("it is not listed");
  assert.ok(engine.resetCounter(eu));
  assert.deepEqual(shown().map((counter) => counter["for"]), ['"us", 7']);
});

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  test(`${signal} ends the command, and what started it`, async (t) => {
    const { good } = policies(t);
    const args = ["eval", "-p", good, "--calls", "-", "--format", "json"];
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    child.stdin.write('{"tool": "t"}\n');
    const [answer] = (await once(child.stdout, "data")) as [Buffer];
    assert.match(answer.toString(), /"allow"/); // It runs, and waits for more.
    // The command holds the same standard output: that ends only when both have.
    const ended = once(child.stdout, "end");
    child.stdout.resume();
    child.kill(signal);
    assert.deepEqual(await once(child, "exit"), [null, signal]);
    await ended;
  });
}

test("npm pack in the package's folder says how packages are made", () => {
  const run = spawnSync("npm", ["pack", "--dry-run"], { encoding: "utf8", timeout: 60_000 });
  assert.notEqual(run.status, 0);
  assert.match(run.stderr + run.stdout, /scripts\/pack\.sh/);
});
