#!/usr/bin/env node
// The command `callgate`, as npm puts it on PATH.
//
// In: the arguments, the standard streams and the signals of a process. Out: what the binary of this platform's package does with them:
// its output, its exit status, the signal that ends it. Must not decide or print anything else.

import { spawn } from "node:child_process";

import { find, missing } from "./binary.js";

function fail(message: string): never {
  console.error(`error: ${message}`);
  process.exit(2);
}

const command = find() ?? fail(missing);
const child = spawn(command, process.argv.slice(2), { stdio: "inherit" });

// Who stops this process means the command. From a terminal it has the signal already, and a second one does no harm.
const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
for (const signal of signals) process.on(signal, () => child.kill(signal));

child.on("error", (error) => fail(`${command} cannot run: ${error.message}`));
child.on("exit", (code, signal) => {
  for (const name of signals) process.removeAllListeners(name);
  if (signal === null) process.exitCode = code ?? 2;
  else process.kill(process.pid, signal);
});
