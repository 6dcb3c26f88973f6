// `evaluateAsync` with counters in a SQLite file: no call takes a thread of Node's pool, which file systems and others need.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { Engine } from "callgate";

const POOL = Number(process.env["UV_THREADPOOL_SIZE"] ?? 4);
const POLICY = `{version: "1", default: deny, tools: {t: {limits: [{counter: c, window: 366d, max: 50}]}}}`;

test("calls go on while every thread of Node's pool waits", { timeout: 60_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "callgate-"));
  try {
    const store = `sqlite://${join(directory, "counters.db")}`;
    const engine = Engine.fromString(POLICY, { store, storeTimeoutMs: 30_000 });
    const pipe = join(directory, "pipe");
    execFileSync("mkfifo", [pipe]);
    // Each of these takes a thread until somebody writes there.
    const readers = Array.from({ length: POOL }, () => open(pipe, "r"));
    const decisions = await Promise.all(Array.from({ length: 200 }, () => engine.evaluateAsync("t", {})));
    assert.equal(decisions.filter(({ allowed }) => allowed).length, 50);
    await decisions.find(({ allowed }) => allowed)?.reservation?.finishAsync("not_run");
    assert.ok((await engine.evaluateAsync("t", {})).allowed);
    closeSync(openSync(pipe, "w"));
    await Promise.all(readers.map(async (reader) => (await reader).close()));
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("what certainly was not given back can be given back again", { timeout: 60_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "callgate-"));
  try {
    const file = join(directory, "counters.db");
    const engine = Engine.fromString(POLICY, { store: `sqlite://${file}`, storeTimeoutMs: 100 });
    const used = () => engine.explain("t", {}).decision.counters[0]?.used;
    const charge = () => engine.evaluate("t", {}).reservation ?? assert.fail("nothing was charged");
    const [first, second] = [charge(), charge()];
    // Another process holds the file.
    const program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.read()";
    const holder = spawn("python3", ["-c", program, file], { stdio: ["pipe", "pipe", "inherit"] });
    await once(holder.stdout, "data");
    const unchanged = { name: "StoreError", transient: true, undone: true };
    assert.throws(() => first.finish("not_run"), unchanged);
    await assert.rejects(second.finishAsync("not_run"), unchanged);
    assert.ok(first.open && second.open);
    holder.stdin.end();
    await once(holder, "exit");
    first.finish("not_run");
    await second.finishAsync("not_run");
    assert.ok(!first.open && !second.open);
    assert.equal(used(), "0");
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("what no call can see any more is forgotten without blocking", { timeout: 60_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "callgate-"));
  try {
    let at = 1_800_000_000_000;
    const engine = Engine.fromString(POLICY, { store: `sqlite://${join(directory, "counters.db")}`, clock: () => at });
    assert.ok(engine.evaluate("t", {}).allowed);
    assert.equal(await engine.purgeAsync(), 0);
    at += 2 * 366 * 86_400_000;
    assert.deepEqual([await engine.purgeAsync(), engine.purge()], [1, 0]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
