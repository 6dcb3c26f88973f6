#!/usr/bin/env node
// Mistakes that the guards are made with, one at a time: a test has to fail for each, and none without one.
//
// In: names of mistakes, all unless given; what `test.sh` built. Out: the test that notices each; 1 where none does. A mistake is a change of the
// text in a copy of `ts/`, which is compiled without a look at its types. What is shipped holds none of it.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { MISTAKES } from "../mistakes.mjs";

const HERE = dirname(dirname(fileURLToPath(import.meta.url)));
const COPY = join(HERE, ".work/mistakes/package");
/** Those of guards, the quick ones first. */
const TESTS = ["guards", "mcp", "messages", "relayed", "exchanges", "transport", "results", "records", "lists", "lock", "waiting", "approvals", "http", "fuzz"];
/** A mistake may leave a test waiting for ever. */
const TIMEOUT_MS = 90_000;

/** A package beside this one, which its tests take for the real one. */
function copied() {
  rmSync(dirname(COPY), { recursive: true, force: true });
  mkdirSync(join(COPY, ".work"), { recursive: true });
  // Tests read the scenarios beside their package.
  symlinkSync(join(HERE, "../spec"), join(COPY, "../spec"));
  symlinkSync(join(HERE, "node_modules"), join(COPY, "node_modules"));
  for (const name of ["dist", "package.json", ...readdirSync(HERE).filter((name) => /^native\.js$|\.node$|\.command$/.test(name))]) cpSync(join(HERE, name), join(COPY, name), { recursive: true });
  cpSync(join(HERE, ".work/tests"), join(COPY, ".work/tests"), { recursive: true });
}

/** Compiles one file of the copy. Stops where it is no TypeScript: a test has to fail, and not the build. */
function compiled(file, text) {
  const { config } = ts.readConfigFile(join(HERE, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, HERE);
  const { outputText, diagnostics } = ts.transpileModule(text, { compilerOptions: { ...options, declaration: false }, fileName: join(HERE, "ts", file), reportDiagnostics: true });
  if (diagnostics.length > 0) throw new Error(`${file}: ${diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")).join("; ")}`);
  writeFileSync(join(COPY, "dist", file.replace(/ts$/, "js")), outputText);
  const { status, stderr } = spawnSync(process.execPath, ["dist/mcp.js"], { cwd: COPY, encoding: "utf8" });
  if (status !== 0) throw new Error(`${file} does not load: ${stderr}`);
}

/** The text with the mistake in it. */
function mistaken({ name, file, from, to }) {
  const parts = readFileSync(join(HERE, "ts", file), "utf8").split(from);
  if (parts.length !== 2) throw new Error(`${name}: what it changes stands ${parts.length - 1} times in ts/${file}`);
  return parts.join(to);
}

/** The first test that fails, or null. */
function failing(tests) {
  for (const test of tests) {
    const file = join(COPY, `.work/tests/test/${test}.test.mjs`);
    const ran = spawnSync(process.execPath, ["--test", "--test-reporter=tap", `--test-timeout=${TIMEOUT_MS}`, file], { cwd: COPY, encoding: "utf8", timeout: 2 * TIMEOUT_MS });
    if (ran.status === 0) continue;
    const names = [...(ran.stdout ?? "").matchAll(/^ *not ok \d+ - (.*)$/gm)].map(([, name]) => name);
    // A file that does not end, or ends early, is named by its path.
    return `${test}: ${names.find((name) => !name.includes("/.work/")) ?? "the file as a whole"}`;
  }
  return null;
}

const given = process.argv.slice(2);
const unknown = given.filter((name) => !MISTAKES.some((mistake) => mistake.name === name));
if (unknown.length > 0) throw new Error(`no such mistake: ${unknown.join(", ")}`);
copied();
for (const mistake of MISTAKES) mistaken(mistake);
const fails = given.length > 0 ? null : failing(TESTS);
if (fails !== null) {
  console.error(`a test fails without a mistake: ${fails}`);
  process.exit(1);
}
const unnoticed = [];
const made = MISTAKES.filter(({ name }) => given.length === 0 || given.includes(name));
for (const mistake of made) {
  const { name, clause, file, test: first } = mistake;
  compiled(file, mistaken(mistake));
  const test = failing([first, ...TESTS.filter((other) => other !== first)]);
  compiled(file, readFileSync(join(HERE, "ts", file), "utf8"));
  if (test === null) unnoticed.push(name);
  console.log(test === null ? `not noticed: ${name} (${clause})` : `${name} (${clause}) is noticed by ${test}`);
}
console.log(`mistakes: ${made.length}, not noticed: ${unnoticed.length}`);
process.exit(unnoticed.length > 0 ? 1 : 0);
