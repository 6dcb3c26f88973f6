// The guarded servers that are sent anything: those of both SDKs, and one behind `guardTransport`.
//
// In: a kind, an engine, and who keeps the ledger. Out: connections, each with a way to send a client's message and what it hears. The servers and
// their transports are the SDKs' own; only the handlers are the fuzzer's, which note that they ran.

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { UrlElicitationRequiredError } from "@modelcontextprotocol/sdk/types.js";
import { createMcpHandler, McpServer as McpServer2, UrlElicitationRequiredError as UrlElicitationRequiredError2 } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { currentReservation, type Engine } from "callgate";
import { type AuthInfo, guard, type Guardable, type GuardOptions, guardTransport, type McpTransport } from "callgate/mcp";
import { z } from "zod";
import type { Message, Passed, Records } from "./ledger.mjs";

/** The kinds of servers. `rounds`: they speak 2026-07-28. */
export const KINDS = ["sdk-1", "sdk-2", "transport", "rounds-stream", "rounds-http"] as const;
export type Kind = (typeof KINDS)[number];
export const hasRounds = (kind: Kind) => kind.startsWith("rounds");

export const POLICY = `version: "1"
default: deny
list: callable
hide: [secret]
tools:
  free: {}
  pay: {limits: [{counter: sum, window: ever, max: 1000000000, increment_from: args.amount}]}
  settle: {limits: [{counter: sum, window: ever, max: 1000000000, increment_from: args.amount}]}
  fail: {limits: [{counter: back, window: ever, max: 1000000, refund: error}, {counter: kept, window: ever, max: 1000000}]}
  flaky: {limits: [{counter: back, window: ever, max: 1000000, refund: tool_error}, {counter: kept, window: ever, max: 1000000, refund: error}]}
  busy: {limits: [{in_flight: 3, lease: 1h}, {counter: n, window: ever, max: 1000000}]}
  strict: {limits: [{counter: sum, window: ever, max: 1000000000, increment_from: args.amount}]}
  capped: {rules: [{conditions: [{path: args.amount, op: lte, value: 100}]}], limits: [{counter: n, window: ever, max: 1000000}]}
  mine: {require: [{path: identity.id, op: eq, value: alice}], limits: [{counter: n, window: ever, max: 1000000}]}
  ask: {rules: [{action: require_approval, on_deny: TEXT}], limits: [{counter: n, window: ever, max: 1000000}]}
  book: {limits: [{in_flight: 1000, lease: 1h}, {counter: n, window: ever, max: 1000000}]}
  ask_book: {rules: [{action: require_approval}], limits: [{in_flight: 1000, lease: 1h}, {counter: n, window: ever, max: 1000000}]}
  never: {rules: [{action: deny}]}
`;
export const TOOLS = ["free", "pay", "settle", "fail", "flaky", "busy", "strict", "capped", "mine", "ask", "book", "ask_book", "never", "secret", "unlisted"];

/** The message whose call runs. */
const passing = new AsyncLocalStorage<Passed | undefined>();

export interface Connection {
  /** Sends what may be no message. */
  send(message: unknown, caller: string | undefined): void;
  close(): void;
  readonly isOpen: boolean;
}

type Answer = Record<string, unknown>;
const text = (said: string): Answer => ({ content: [{ type: "text", text: said }] });

/** Handlers that wait, and states that were given. */
export class Handlers {
  /** Those that wait, until they are told to go on. */
  readonly waiting: (() => void)[] = [];
  readonly #states = new Map<string, number>();
  readonly #records: Records;

  constructor(records: Records) {
    this.#records = records;
  }

  register(server: McpServer, Url: typeof UrlElicitationRequiredError): void {
    for (const name of TOOLS) {
      const inputSchema = name === "strict" ? z.looseObject({ amount: z.number().max(9) }) : z.looseObject({});
      server.registerTool(name, { inputSchema }, ((args: Answer, extra: { mcpReq?: { requestState(): string | undefined } }) => this.#run(name, args, extra, Url)) as never);
    }
  }

  #run(tool: string, args: Answer, extra: { mcpReq?: { requestState(): string | undefined } }, Url: typeof UrlElicitationRequiredError): unknown {
    this.#records.ran(passing.getStore(), tool, args);
    switch (tool) {
      case "fail":
        throw new Url([]);
      case "flaky":
        return { ...text("flaky"), isError: true };
      case "busy":
        return new Promise((resolve) => this.waiting.push(() => resolve(text("busy"))));
      case "settle":
        currentReservation()?.settle(Number(args["amount"]) / 2);
        return text("settle");
      case "book":
      case "ask_book": {
        const round = this.#states.get(String(extra.mcpReq?.requestState?.())) ?? 0;
        if (round >= Number(args["rounds"] ?? 0)) return text(tool);
        // A server may give several calls the same state.
        const requestState = args["same"] === true ? `same ${round}` : `state ${this.#states.size}`;
        this.#states.set(requestState, round + 1);
        const params = { mode: "form", message: "Which?", requestedSchema: { type: "object", properties: {} } };
        return { resultType: "input_required", inputRequests: { which: { method: "elicitation/create", params } }, requestState };
      }
      default:
        return text(tool);
    }
  }
}

/** Who calls, as a verified token says it. */
function authOf(caller: string | undefined): AuthInfo | undefined {
  return caller === undefined ? undefined : { token: "t", clientId: "app", scopes: [], extra: { sub: caller } };
}

/** Has the ledger see what passes between a guarded transport and its server. */
function hook(transport: object, records: Records, { link, caller: fixed }: About): void {
  const receives = Object.getOwnPropertyDescriptor(transport, "onmessage") ?? assert.fail("it is not guarded");
  const logged = (receiver: ((message: Message, extra?: { authInfo?: AuthInfo }) => void) | undefined) =>
    receiver &&
    ((message: Message, extra?: { authInfo?: AuthInfo }) => {
      const caller = extra?.authInfo === undefined ? fixed : (extra.authInfo.extra?.["sub"] as string);
      passing.run(records.passed(link, message, caller), () => receiver(message, extra));
    });
  Object.defineProperty(transport, "onmessage", { ...receives, set: (receiver: never) => receives.set?.call(transport, logged(receiver)) });
  const closes = Object.getOwnPropertyDescriptor(transport, "onclose") ?? assert.fail("it is not guarded");
  const closed = (callback?: () => void) => () => {
    records.closed(link);
    callback?.();
  };
  Object.defineProperty(transport, "onclose", { ...closes, set: (callback?: () => void) => closes.set?.call(transport, closed(callback)) });
  const peer = transport as { send(message: Message, options?: unknown): Promise<void> };
  const { send } = peer;
  peer.send = (message, options) => {
    records.answered(link, message);
    return send.call(peer, message, options);
  };
}

/** What is known of a connection: over HTTP, of a request. */
interface About {
  readonly link: object;
  /** Who calls where the message does not say so. */
  readonly caller: string | undefined;
}

interface Inner {
  connect(transport: McpTransport): Promise<void>;
}

export class Served {
  readonly handlers: Handlers;
  readonly #kind: Kind;
  readonly #engine: Engine;
  readonly #options: GuardOptions;
  readonly #records: Records;
  readonly #http: ReturnType<typeof createMcpHandler>;
  /** Servers whose connection is closed, for another one. */
  readonly #free: Inner[] = [];
  /** What is known of a transport, or of the request that brings one. */
  readonly #about = new WeakMap<object, About>();

  constructor(kind: Kind, engine: Engine, options: GuardOptions, records: Records) {
    this.#kind = kind;
    this.#engine = engine;
    this.#options = options;
    this.#records = records;
    this.handlers = new Handlers(records);
    const made = ({ requestInfo }: { requestInfo?: Request }) => this.#guarded(this.#made(), this.#about.get(requestInfo ?? {})) as never;
    this.#http = createMcpHandler(made as never, { legacy: "reject" });
  }

  #made(): McpServer {
    const isFirst = this.#kind === "sdk-1" || this.#kind === "transport";
    const server = isFirst ? new McpServer({ name: "fuzz", version: "1" }) : (new McpServer2({ name: "fuzz", version: "1" }) as unknown as McpServer);
    this.handlers.register(server, isFirst ? UrlElicitationRequiredError : (UrlElicitationRequiredError2 as never));
    return server;
  }

  #guarded(made: McpServer, always?: About): Guardable {
    const inner = made.server as unknown as Inner;
    const connect = inner.connect.bind(inner);
    // The guard has the transport by then, and the server has not.
    inner.connect = (transport) => {
      hook(transport, this.#records, always ?? this.#about.get(transport) ?? assert.fail("nobody connects it"));
      return connect(transport);
    };
    return guard(made as unknown as Guardable, this.#engine, this.#options);
  }

  /** A client of the server, which hears by `heard`. `caller` is who calls where no message says so. */
  connect(caller: string | undefined, heard: (message: Message) => void): Connection {
    return this.#kind === "rounds-http" ? this.#overHttp(heard) : this.#inMemory(caller, heard);
  }

  #inMemory(caller: string | undefined, heard: (message: Message) => void): Connection {
    const [near, far] = InMemoryTransport.createLinkedPair();
    const link = {};
    // This entry of the SDK hands on no token: its guard's callback says who calls.
    const about = { link, caller: this.#kind === "rounds-stream" ? caller : undefined };
    this.#about.set(far, about);
    let isOpen = true;
    near.onmessage = (message) => heard(message as Message);
    near.onclose = () => void (isOpen = false);
    let closed = () => {};
    if (this.#kind === "rounds-stream") {
      serveStdio(() => this.#guarded(this.#made(), about) as never, { transport: far as never });
    } else if (this.#kind === "transport") {
      guardTransport(far as unknown as McpTransport, this.#engine, this.#options);
      hook(far, this.#records, about);
      void (this.#made() as unknown as Inner).connect(far as unknown as McpTransport);
    } else {
      const server = this.#free.pop() ?? (this.#guarded(this.#made()) as Inner);
      closed = () => void this.#free.push(server);
      void server.connect(far as unknown as McpTransport);
    }
    return {
      send: (message, by) => void near.send(message as never, { authInfo: authOf(by) } as never).catch(() => {}),
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        void near.close().then(closed);
      },
      get isOpen() {
        return isOpen;
      },
    };
  }

  #overHttp(heard: (message: Message) => void): Connection {
    const open = new Set<AbortController>();
    let isOpen = true;
    const post = async (message: unknown, caller: string | undefined) => {
      const { method, params } = (message ?? {}) as { method?: unknown; params?: Message };
      const named = typeof params?.["name"] === "string" ? { "mcp-name": `=?base64?${Buffer.from(params["name"]).toString("base64")}?=` } : {};
      const headers = { "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28", "mcp-method": encodeURI(String(method)), ...named };
      const gone = new AbortController();
      const link = {};
      open.add(gone);
      const request = new Request("http://127.0.0.1/mcp", { method: "POST", headers, body: JSON.stringify(message) ?? "", signal: gone.signal });
      this.#about.set(request, { link, caller: undefined });
      const authInfo = authOf(caller);
      const answer = await this.#http.fetch(request, authInfo === undefined ? {} : { authInfo: authInfo as never });
      const body = await answer.text();
      for (const line of body.split("\n")) {
        const data = line.startsWith("data: ") ? line.slice(6) : line.startsWith("{") ? line : "";
        if (data !== "") heard(JSON.parse(data) as Message);
      }
      open.delete(gone);
    };
    return {
      send: (message, caller) => void post(message, caller).catch(() => {}),
      close: () => {
        isOpen = false;
        for (const gone of open) gone.abort();
      },
      get isOpen() {
        return isOpen;
      },
    };
  }
}
