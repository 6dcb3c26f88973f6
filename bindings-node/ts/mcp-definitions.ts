// What a server says of its tools' arguments.
//
// In: the server's own answers to `tools/list`, before anything is left out of them. Out: what is checked in a call of a tool. Must
// not guess: a tool that the server did not name has no schema.

import { randomUUID } from "node:crypto";
import { ArgsCheck } from "./args-check.js";
import { type Id, type Message, isObject, member } from "./mcp-message.js";
import type { MessageExtra } from "./mcp.js";

/** JSON-RPC's code for a method that a server does not have. */
const METHOD_NOT_FOUND = -32601;
/** Where a request says that it belongs to a task. */
const RELATED_TASK = "io.modelcontextprotocol/related-task";
/** Pages of a list that are asked for. */
const PAGES = 1_000;
/** How long the guard waits for a page. A call that needs it is refused then; the next one asks again. */
const TIMEOUT_MS = 10_000;
/** Tools that are kept. */
const TOOLS = 10_000;

/** Gives a request to the server. */
export type Ask = (request: Message, extra: MessageExtra | undefined) => void;

/** @internal Those of one connection. */
export class Definitions {
  readonly #ask: Ask | null;
  readonly #asked = new Map<Id, (answer: Message) => void>();
  /** How the ids of the guard's own requests begin. Nobody else can know it, so it also tells answers that come too late. */
  readonly #own = `callgate-${randomUUID()}-`;
  #requests = 0;
  readonly #unknown = new ArgsCheck();
  #checks = new Map<string, ArgsCheck | Error>();
  /** Whether nothing was said since that may have changed the list. */
  #fresh = false;
  #asking: Promise<void> | null = null;

  /** Without `ask`, the server is never asked: only answers to the client tell something. */
  constructor(ask: Ask | null) {
    this.#ask = ask;
  }

  /** What is checked in a call of this tool. Rejects where the server does not say what it should. */
  async of(tool: string, meta: unknown, extra: MessageExtra | undefined): Promise<ArgsCheck> {
    if (this.#ask !== null && !(this.#fresh && this.#checks.has(tool))) {
      this.#asking ??= this.#list(this.#ask, meta, extra).finally(() => (this.#asking = null));
      try {
        await this.#asking;
      } catch (error) {
        this.#fresh = false;
        throw error;
      }
    }
    const check = this.#checks.get(tool) ?? this.#unknown;
    if (check instanceof Error) throw check;
    return check;
  }

  /** Whether an answer of the server is to a request of the guard's own, which nobody else may see. */
  answered(id: Id, answer: Message): boolean {
    this.#asked.get(id)?.(answer);
    return typeof id === "string" && id.startsWith(this.#own);
  }

  /** The server answered a client's request for the list, which nothing else can be meant by, with these tools. */
  listed(tools: readonly unknown[]): void {
    if (this.#ask === null) learn(this.#checks, tools);
    else this.#fresh = false;
  }

  /** The server says that its list is another one. */
  changed(): void {
    this.#fresh = false;
  }

  async #list(ask: Ask, meta: unknown, extra: MessageExtra | undefined): Promise<void> {
    const checks = new Map<string, ArgsCheck | Error>();
    // Before: what is said meanwhile counts.
    this.#fresh = true;
    let cursor: unknown;
    for (let page = 0; page < PAGES; page += 1) {
      const { error, result } = await this.#request(ask, cursor, meta, extra);
      if (isObject(error)) {
        if (error["code"] !== METHOD_NOT_FOUND) throw new Error(`the server does not list its tools: ${String(error["message"])}`);
        break;
      }
      if (!isObject(result) || !Array.isArray(result["tools"])) throw new Error("the server's list of tools is none");
      learn(checks, result["tools"]);
      cursor = result["nextCursor"];
      if (typeof cursor !== "string") break;
    }
    if (typeof cursor === "string") throw new Error(`the server's list of tools has more than ${PAGES} pages`);
    this.#checks = checks;
  }

  async #request(ask: Ask, cursor: unknown, meta: unknown, extra: MessageExtra | undefined): Promise<Message> {
    const id = `${this.#own}${(this.#requests += 1)}`;
    let timer: NodeJS.Timeout | undefined;
    const params: Message = {};
    if (cursor !== undefined) params["cursor"] = cursor;
    // What the revisions of the protocol want in every request; but no progress is to be told of this one, and its answer belongs to
    // no task: the SDK would keep it for the task's own client.
    if (isObject(meta)) params["_meta"] = { ...meta, progressToken: undefined, [RELATED_TASK]: undefined };
    try {
      return await new Promise((resolve, reject) => {
        this.#asked.set(id, resolve);
        timer = setTimeout(() => reject(new Error(`the server did not list its tools within ${TIMEOUT_MS / 1_000} seconds`)), TIMEOUT_MS);
        // A process that has nothing else to do ends, and the call with it.
        timer.unref?.();
        ask({ jsonrpc: "2.0", id, method: "tools/list", params }, extra);
      });
    } finally {
      clearTimeout(timer);
      this.#asked.delete(id);
    }
  }
}

function learn(checks: Map<string, ArgsCheck | Error>, tools: readonly unknown[]): void {
  for (const tool of tools) {
    const name = isObject(tool) ? member(tool, "name") : undefined;
    if (typeof name !== "string") continue;
    if (checks.size >= TOOLS) checks.clear();
    checks.set(name, checkOf(member(tool as Message, "inputSchema")));
  }
}

function checkOf(schema: unknown): ArgsCheck | Error {
  try {
    return isObject(schema) ? new ArgsCheck({ schema }) : new ArgsCheck();
  } catch (error) {
    return error instanceof Error ? error : new TypeError("a schema that cannot be read");
  }
}
