// A guarded server as a program that serves scenarios of `spec/guards`, for clients of any SDK: what `tests/clients.py` runs.
//
//     scenario-server.mjs GUARD JOBS          every job over streamable HTTP; a JSON list of their URLs is printed
//     scenario-server.mjs GUARD JOBS NUMBER   this job over stdio
//
// In: a file of jobs, a JSON list, each with a `scenario` and a path `host`. There the program listens on a unix socket for what happens on
// the server's side: a step of the scenario as JSON, one line a connection, and a line in answer.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { createServer as listen, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { setImmediate as turn, setTimeout as pause } from "node:timers/promises";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { createMcpHandler, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import type { Identity } from "callgate";
import { type Change, Hosted, type PolicyText, type Setting, type Waiting } from "./hosted.mjs";

interface Job {
  scenario: Setting;
  host: string;
}
interface HostStep {
  begins?: string | null;
  identity?: Identity | null;
  began?: string;
  left?: true;
  finish?: string;
  reload?: PolicyText;
  change?: Record<string, Change>;
  ran?: Record<string, number>;
  used?: Record<string, string>;
  approve?: string;
  refuse?: string;
  filed?: string;
}
type Handle = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** What happens on the server's side of one job. */
class Host {
  readonly hosted: Hosted;
  readonly #calls = new Map<string, Waiting>();

  constructor(kind: string, { scenario, host }: Job) {
    this.hosted = new Hosted(kind, scenario);
    // A client may start its server twice: once to ask which revisions it speaks.
    rmSync(host, { force: true });
    // It does not keep the program running.
    createServer((socket) => void this.#take(socket)).listen(host).unref();
  }

  async #take(socket: Socket): Promise<void> {
    socket.on("error", () => {}); // a client may not wait for the answer
    let said = "";
    for await (const part of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      said += part.toString();
      if (said.endsWith("\n")) break;
    }
    const answer = await this.#answer(JSON.parse(said) as HostStep, socket).catch((error: Error) => ({ failed: error.message }));
    socket.end(`${JSON.stringify(answer)}\n`);
  }

  async #answer(step: HostStep, socket: Socket): Promise<object> {
    const { hosted } = this;
    if (step.begins !== undefined) {
      hosted.identity = step.identity ?? hosted.known;
      hosted.sending = {};
      if (step.begins !== null) this.#calls.set(step.begins, hosted.sending);
    } else if (step.began !== undefined) {
      const call = this.#of(step.began);
      while (call.approve === undefined && call.finish === undefined && !socket.readableEnded) await pause(2);
    } else if (step.left === true) {
      // Nothing tells when a guard has noticed it. It takes a moment.
      await pause(100);
    } else if (step.finish !== undefined) (this.#of(step.finish).finish ?? assert.fail("its handler does not wait"))();
    else if (step.reload !== undefined) hosted.reload(step.reload);
    else if (step.change !== undefined) hosted.change(step.change);
    else if (step.ran !== undefined) return { ran: Object.fromEntries(Object.keys(step.ran).map((name) => [name, hosted.ran(name)])) };
    else if (step.used !== undefined) return { used: Object.fromEntries(Object.keys(step.used).map((name) => [name, hosted.used(name)])) };
    else if (hosted.approvals === "store") await hosted.answerInStore(step.filed ?? assert.fail("it is not filed"), step.approve !== undefined);
    else (this.#of(step.approve ?? step.refuse ?? "").approve ?? assert.fail("no approval was asked for"))(step.approve !== undefined);
    // What comes of it here takes a few turns.
    for (let n = 0; n < 25; n += 1) await turn();
    return {};
  }

  #of(name: string): Waiting {
    return this.#calls.get(name) ?? assert.fail(`no call is named ${name}`);
  }
}

async function serve(kind: string, job: Job): Promise<void> {
  const { hosted } = new Host(kind, job);
  await hosted.approve();
  if (kind === "node") await hosted.server().connect(new StdioServerTransport());
  else serveStdio(() => hosted.server() as never);
}

/** A handler of requests, with a session for each client in 2025-11-25. */
function handle(kind: string, hosted: Hosted, era: string | undefined): Handle {
  if (era !== undefined) {
    const handler = createMcpHandler(() => hosted.server() as never, { legacy: "reject" });
    return (request, response) => onTheWeb((asked) => handler.fetch(asked), request, response);
  }
  const sessions = new Map<string, Handle>();
  const open = async (): Promise<Handle> => {
    const options = { sessionIdGenerator: randomUUID, onsessioninitialized: (id: string) => void sessions.set(id, opened) };
    const transport = kind === "node" ? new StreamableHTTPServerTransport(options) : new WebStandardStreamableHTTPServerTransport(options);
    const opened: Handle = (request, response) =>
      transport instanceof StreamableHTTPServerTransport
        ? transport.handleRequest(request, response)
        : onTheWeb((asked) => transport.handleRequest(asked), request, response);
    await hosted.server().connect(transport);
    return opened;
  };
  return async (request, response) => (sessions.get(String(request.headers["mcp-session-id"])) ?? (await open()))(request, response);
}

async function onTheWeb(answers: (request: Request) => Promise<Response>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = "", headers } = request;
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  const body = parts.length === 0 ? null : Buffer.concat(parts);
  const asked = new Request("http://127.0.0.1/mcp", { method, headers: headers as Record<string, string>, body, signal: gone.signal });
  const answer = await answers(asked);
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  const stream = answer.body === null ? Readable.from([]) : Readable.fromWeb(answer.body as ReadableStream);
  await pipeline(stream, response).catch(() => {}); // a client may go before the end
}

/** Until the input of this program ends. */
async function serveHttp(kind: string, jobs: Job[]): Promise<void> {
  const made = async (job: Job) => {
    const { hosted } = new Host(kind, job);
    await hosted.approve();
    return handle(kind, hosted, job.scenario.era);
  };
  const handles = await Promise.all(jobs.map(made));
  const listener = listen((request, response) => {
    const number = Number(/^\/(\d+)\/mcp$/.exec(request.url ?? "")?.[1]);
    void handles[number]?.(request, response).catch((error: Error) => {
      console.error(error);
      response.destroy();
    });
  });
  await new Promise<void>((resolve) => void listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  console.log(JSON.stringify(jobs.map((_, number) => `http://127.0.0.1:${port}/${number}/mcp`)));
  process.stdin.resume().once("end", () => process.exit(0));
}

const [kind = "", file = "", number] = process.argv.slice(2);
const jobs = JSON.parse(readFileSync(file, "utf8")) as Job[];
if (number === undefined) await serveHttp(kind, jobs);
else await serve(kind, jobs[Number(number)] ?? assert.fail("there is no such job"));
