// A Redis server for one test.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

async function answers(port: number): Promise<boolean> {
  return new Promise((tell) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      tell(true);
    });
    socket.once("error", () => tell(false));
  });
}

/** Runs `work` with a server of its own. */
export async function withServer(work: (url: string, server: ChildProcess) => Promise<void>, given?: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "callgate-"));
  const port = given ?? (await freePort());
  const listen = ["--bind", "127.0.0.1", "--port", String(port), "--save", "", "--dir", directory];
  const server = spawn("redis-server", listen, { stdio: "ignore" });
  try {
    while (!(await answers(port))) await sleep(10);
    await work(`redis://127.0.0.1:${port}`, server);
  } finally {
    server.kill("SIGKILL");
    rmSync(directory, { recursive: true });
  }
}
