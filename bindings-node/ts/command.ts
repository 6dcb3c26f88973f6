#!/usr/bin/env node
// The command `callgate`, as npm puts it on PATH.
//
// In: the arguments, the standard streams and the signals of a process. Out: what the binary of this platform's package does with them:
// its output, its exit status, the signal that ends it. Must not decide or print anything else.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

const { arch, platform } = process;
const extension = platform === "win32" ? ".exe" : "";

/** Whether this Node runs on glibc, where packages for both of Linux's libraries are installed. */
function glibc(): boolean {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime !== undefined;
}

function find(): string | undefined {
  // In a checkout, where `scripts/command.sh` puts it.
  const built = join(__dirname, "..", `callgate.command${extension}`);
  if (existsSync(built)) return built;
  const abis = platform === "linux" ? ["-gnu", "-musl"] : platform === "win32" ? ["-msvc"] : [""];
  const found = abis.flatMap((abi) => {
    try {
      const file = join(dirname(require.resolve(`@callgate/${platform}-${arch}${abi}/package.json`)), `callgate${extension}`);
      return existsSync(file) ? [file] : [];
    } catch {
      return [];
    }
  });
  return found.length > 1 && !glibc() ? found[1] : found[0];
}

function fail(message: string): never {
  console.error(`error: ${message}`);
  process.exit(2);
}

const command =
  find() ?? fail(`no package with the command \`callgate\` is installed for ${platform} on ${arch}; \`cargo install callgate-cli\` builds it`);
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
