// Tests of policies as tests of `node:test`.
//
// In: test files, and folders of them. Out: a suite for each file and a test for each of its tests, with the outcome that `callgate test`
// has for it. Must not decide anything, must not take a run that tested nothing for one that passed, and must not show arguments of calls:
// what tests print is in logs of build servers.

import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { find, missing } from "./binary.js";
import { CallgateError } from "./errors.js";
import { shown } from "./shown.js";

/** What is read of the command's JSON, whose form is stable: fields are only added. */
interface Report {
  readonly files: readonly FileReport[];
}

interface FileReport {
  readonly path: string;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Finding[];
  readonly tests: readonly PolicyTest[];
}

interface Problem {
  readonly path: string;
  readonly message: string;
  readonly diagnostic: Finding | null;
}

interface Finding {
  readonly code: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly help: string | null;
}

interface PolicyTest {
  readonly name: string;
  readonly line: number;
  readonly status: string;
  readonly reason: string | null;
  readonly failures: readonly Failure[];
}

interface Failure {
  readonly line: number;
  readonly column: number;
  readonly pointer: string;
  readonly tool: string;
  readonly turn: number | null;
  readonly differences: readonly { readonly what: string; readonly expected: string; readonly actual: string }[];
  readonly checks: readonly Check[];
}

interface Check {
  readonly pointer: string;
  readonly what: string;
  readonly outcome: string;
  readonly why: string | null;
  readonly checks: readonly Check[];
}

/**
 * Registers a test of `node:test` for each policy test, in a suite for each file. They are run once, here, by the command of the package.
 *
 * `paths` are test files, and folders in which those called `*_test.yaml`, `*_test.yml` or `*_test.json` are looked for. Text is relative
 * to the folder of the process, as for the command.
 *
 * A test that is marked `skip` is skipped. One that is marked `todo` is a `todo`, and fails if it passes. A file that cannot be run has a
 * test that fails.
 *
 * @throws {CallgateError} with the code `not_run` where there is no command, a path leads nowhere, or a folder holds no test file.
 */
export function policyTests(paths: string | URL | readonly (string | URL)[]): void {
  const given: readonly (string | URL)[] = typeof paths === "string" || paths instanceof URL ? [paths] : paths;
  if (!Array.isArray(given) || given.length === 0) throw new TypeError("`paths` is a path, or a list of at least one");
  const report = run(given.map((path: string | URL) => (typeof path === "string" ? path : fileURLToPath(path))));
  for (const file of report.files) {
    describe(shown(file.path), () => {
      for (const warning of file.warnings) process.emitWarning(place(file.path, warning), { type: "CallgateWarning", code: warning.code });
      if (file.problems.length > 0) test("can be run", () => fail(file.problems.map(problem).join("\n")));
      for (const one of file.tests) register(file, one);
    });
  }
}

function run(paths: readonly string[]): Report {
  const command = find();
  if (command === undefined) throw new CallgateError("not_run", missing);
  const done = spawnSync(command, ["test", "--format=json", "--", ...paths], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: Infinity,
    windowsHide: true,
  });
  if (done.error !== undefined) throw new CallgateError("not_run", `${command} cannot run: ${done.error.message}`);
  try {
    // With 2, too, there is a report, unless there is nothing to report of.
    if (done.status !== null && done.status <= 2) return JSON.parse(done.stdout) as Report;
  } catch {
    // It said why, instead.
  }
  throw new CallgateError("not_run", done.stderr.trim() || `${command} ended with ${done.signal ?? `status ${done.status}`}`);
}

function register(file: FileReport, one: PolicyTest): void {
  const name = shown(one.name);
  const reason = shown(one.reason ?? "");
  const here = `${shown(file.path)}:${one.line}`;
  switch (one.status) {
    case "passed":
      test(name, () => {});
      break;
    case "skipped":
      test(name, { skip: reason || true }, () => {});
      break;
    case "todo":
      test(name, { todo: reason || true }, () => fail(`${here}: todo: ${reason}`));
      break;
    case "done":
      test(name, () => fail(`${here}: it passes: remove \`todo: ${reason}\``));
      break;
    // A status of some later version is no success.
    default:
      test(name, () => fail(one.failures.map((failure) => failed(file.path, failure)).join("\n\n") || `${here}: ${shown(one.status)}`));
  }
}

/** Throws an error that is all text: where in this file it was made is no news. */
function fail(text: string): never {
  const error = new Error(text);
  error.stack = text;
  throw error;
}

function failed(path: string, failure: Failure): string {
  const turn = failure.turn === null ? "" : `, repetition ${failure.turn}`;
  const lines = [`${shown(path)}:${failure.line}:${failure.column}: ${shown(failure.tool)} (${shown(failure.pointer)})${turn}`];
  for (const { what, expected, actual } of failure.differences) {
    lines.push(`${what}: expected ${shown(expected)}`, `${what}: actual   ${shown(actual)}`);
  }
  lines.push("checks", ...tree(failure.checks));
  if (failure.checks.length === 0) lines.push("└─ nothing in the policy was checked");
  return lines.join("\n");
}

/** Checks under one another, as `callgate explain` shows them. */
function tree(checks: readonly Check[], indent = "", above = ""): string[] {
  return checks.flatMap((check, index) => {
    const [branch, below] = index + 1 === checks.length ? ["└─ ", "   "] : ["├─ ", "│  "];
    const { pointer, why } = check;
    // Do not repeat what the line above says.
    const where = above !== "" && pointer.startsWith(above) ? `…${pointer.slice(above.length)}` : pointer;
    const parts = [check.what, check.outcome, pointer === above ? "" : where];
    const lines = [indent + branch + parts.filter((part) => part !== "").map(shown).join("  ")];
    if (why !== null) lines.push(indent + below + (check.checks.length > 0 ? "│  " : "   ") + shown(why));
    return [...lines, ...tree(check.checks, indent + below, pointer)];
  });
}

function problem({ path, message, diagnostic }: Problem): string {
  if (diagnostic === null) return shown(message.startsWith(path) ? message : `${path}: ${message}`);
  return place(path, diagnostic) + (diagnostic.help === null ? "" : `\n  help: ${shown(diagnostic.help)}`);
}

function place(path: string, { line, column, message, code }: Finding): string {
  return `${shown(path)}:${line}:${column}: ${shown(message)} [${code}]`;
}
