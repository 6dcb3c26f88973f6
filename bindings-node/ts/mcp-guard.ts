// The guard of one transport: what `callgate/mcp` puts between a connection and its server.
//
// In: messages in both directions. Out: those that the policy lets through, and answers to the others. What was judged is
// what is passed on: a copy that only the guard holds. Must not alter a message, but for the list of tools, and arguments that are
// null, which are left out; must not answer a call twice; must not pass anything on once the connection is closed; must not release what may have run (clause 8.10).

import { randomUUID } from "node:crypto";
import type { ArgsCheck } from "./args-check.js";
import { type Decision, MCP_DENIED, type Reservation, observedNotRun } from "./decision.js";
import type { Approval, Engine } from "./engine.js";
import type { Identity } from "./identity.js";
import { type Ask, Definitions } from "./mcp-definitions.js";
import { type Id, type Message, copied, isId, isObject, keyOf, member, shallow } from "./mcp-message.js";
import { streamOf, watchInput, watchStreams } from "./mcp-streams.js";
import { ENDED, Undecided, type Waiting } from "./mcp-waiting.js";
import type { AuthInfo, CallContext, GuardOptions, McpTransport, MessageExtra, ServerError } from "./mcp.js";
import { promised } from "./options.js";
import { unreadable } from "./probe.js";

type Receive = (message: Message, extra?: MessageExtra) => void;
type Send = (message: Message, options?: unknown) => Promise<void>;
type Close = () => Promise<void>;

/** JSON-RPC's code for a `tools/call` that cannot be read as one. */
const INVALID_PARAMS = -32602;
/** A request that states its revision so (2026-07-28 and later) is answered with results that state their type. */
const PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion";
/** Shown to the agent when deciding itself failed, or the call ended before. No detail: that is for the host. */
const UNDECIDED = "The call could not be checked against the policy";
/** Cancelled requests that are remembered until they are answered, which the SDKs' servers never do. */
const MOST_CANCELLED = 1_000;

/** What passed to the server under one id, and is not answered yet. */
interface Open {
  requests: number;
  /** Whether there was ever more than one at a time. */
  reused: boolean;
  /** Whether one of them asked for the list of tools. */
  lists: boolean;
  /** What came with the first. */
  readonly extra: MessageExtra | undefined;
  /** The call and its charges; null for other requests, and once no answer tells any more which request it belongs to. */
  charged: Charged | null;
}

interface Charged {
  readonly call: CallContext;
  readonly reservation: Reservation;
}

/** A call that is being decided. */
interface Asked {
  readonly id: Id;
  /** What is passed on if it is allowed. */
  readonly message: Message;
  readonly extra: MessageExtra | undefined;
  /** What callbacks see. */
  readonly call: CallContext;
  /** What is judged. */
  readonly args: unknown;
  readonly waiting: Waiting;
}

/** @internal */
export class Guard {
  readonly #engine: Engine;
  readonly #options: GuardOptions;
  readonly #transport: McpTransport;
  readonly #send: Send;
  /** What the server says of its tools' arguments; null where arguments are not checked. */
  readonly #definitions: Definitions | null;
  readonly #open = new Map<Id, Open>();
  readonly #undecided = new Undecided();
  readonly #cancelled = new Set<Id>();
  /** Whether every answer can be told from that of a request which was cancelled. */
  #exact = true;
  #closed = false;
  /** Messages on their way to the server: where several receivers are chained, each gets them, decided once. Nobody else has them. */
  readonly #passed = new WeakSet<Message>();
  /** What the server set to receive messages. */
  readonly #receiver: () => Receive | undefined;

  /** `asks`: whether what receives the messages is a server that may be asked for its tools. */
  constructor(transport: McpTransport, engine: Engine, options: GuardOptions, asks: boolean) {
    this.#engine = engine;
    const ask: Ask = (message, extra) => this.#pass(message, extra);
    this.#definitions = options.checkArgs === false ? null : new Definitions(asks ? ask : null);
    this.#options = options;
    this.#transport = transport;
    this.#send = (transport.send as unknown as Send).bind(transport);
    this.#receiver = around<Receive>(transport, "onmessage", (receiver) => this.#receiving(receiver));
    around<() => void>(transport, "onclose", (closed) => () => {
      this.close();
      closed?.();
    });
    const send: Send = (message, sendOptions) => this.#answer(message, sendOptions);
    transport.send = send as unknown as McpTransport["send"];
    const close = (transport as { close?: Close }).close?.bind(transport);
    if (close !== undefined) {
      (transport as { close?: Close }).close = () => {
        this.close();
        return close();
      };
    }
    watchStreams(transport);
    // The client may still read what is on its way: only who waits for a person waits in vain.
    watchInput(transport, () => this.#undecided.endAll("refused", true));
  }

  /** The connection is closed: nothing is decided or passed on any more. */
  close(): void {
    this.#closed = true;
    this.#undecided.endAll("silent", false);
    this.#open.clear();
    this.#cancelled.clear();
  }

  /** What the transport, or a receiver that was set later, calls for a message. */
  #receiving(receiver: Receive | undefined): Receive | undefined {
    if (receiver === undefined) return undefined;
    return (message, extra) => {
      if (isObject(message) && this.#passed.has(message)) receiver(message, extra);
      else this.#receive(message, extra);
    };
  }

  /** From the client. */
  #receive(received: Message, extra: MessageExtra | undefined): void {
    if (this.#closed) return;
    if (!isObject(received)) return this.#report(new TypeError("a message that is not an object was dropped"));
    let message: Message | null = null;
    try {
      message = shallow(received);
    } catch (error) {
      this.#report(error);
    }
    if (message === null) return this.#report(new TypeError("a message that is not a plain object was dropped"));
    const { method, id } = message;
    if (method === "tools/call") {
      // Without an id there is nobody to answer, and no server runs a tool for it.
      if (isId(id)) void this.#call(message, id, extra);
      return;
    }
    if (isId(id) && typeof method === "string") {
      // An answer under this id would go to the later request.
      this.#undecided.end(id, "silent");
      // Every request: the error of one that has the id of a call must not be taken for the call's.
      this.#track(id, null, extra).lists ||= method === "tools/list";
    }
    if (method === "notifications/cancelled") this.#cancel(message);
    this.#pass(message, extra);
  }

  #pass(message: Message, extra: MessageExtra | undefined): void {
    this.#passed.add(message);
    this.#receiver()?.(message, extra);
  }

  /** Decides a call, then passes it on or answers it. Never rejects. */
  async #call(received: Message, id: Id, extra: MessageExtra | undefined): Promise<void> {
    const asked = this.#asked(received, id, extra);
    if (asked === null) {
      const error = { code: INVALID_PARAMS, message: "Invalid params: no tool is named" };
      return this.#reply({ jsonrpc: "2.0", id, error });
    }
    const { waiting } = asked;
    try {
      const decision = await this.#decision(asked);
      if (waiting.ended === null && decision.allowed) return await this.#deliver(asked, decision);
      // It ended while it was decided. It never reached the tool.
      if (decision.allowed) await this.#undo(decision);
      if (waiting.ended !== "silent") await this.#refuse(asked, decision);
    } catch (error) {
      if (error !== ENDED) this.#report(error);
      if (waiting.ended !== "silent") await this.#refuse(asked, null);
    } finally {
      this.#undecided.done(id, waiting);
    }
  }

  /** A call as it is judged and passed on; null where it names no tool. */
  #asked(received: Message, id: Id, extra: MessageExtra | undefined): Asked | null {
    const given = member(received, "params");
    const params = isObject(given) ? shallow(given) : null;
    const tool = params?.["name"];
    if (params === null || typeof tool !== "string") return null;
    const args = copied(params["arguments"]);
    // Null is absent (clause 3.3), and the SDKs' servers take only what is.
    if (args === null) delete params["arguments"];
    else if (args !== undefined) params["arguments"] = args;
    const call: CallContext = {
      tool,
      // Callbacks get a copy of their own: what they change is neither judged nor passed on.
      arguments: this.#calls() && args !== unreadable ? copied(args) : undefined,
      authInfo: extra?.authInfo,
      sessionId: this.#transport.sessionId,
      extra,
    };
    const waiting = this.#undecided.begin(id, streamOf(this.#transport));
    return { id, message: { ...received, params }, extra, call, args, waiting };
  }

  /** Whether a callback may see a call. */
  #calls(): boolean {
    const { identity, onApproval, refundOnError } = this.#options;
    return identity !== undefined || onApproval !== undefined || refundOnError !== undefined;
  }

  async #decision(asked: Asked): Promise<Decision> {
    const { call, waiting } = asked;
    const { identity: identify } = this.#options;
    const identity = identify === undefined ? verified(call.authInfo) : await waiting.during(identify(call));
    if (waiting.ended !== null) throw ENDED;
    const check = await this.#check(asked);
    const decision = await this.#decide(asked, identity, check);
    const asks = decision.effect === "require_approval" && waiting.ended === null;
    return asks ? this.#ask(asked, identity, check, decision) : decision;
  }

  /** What is checked in a call's arguments, if anything. */
  async #check({ call, message, extra, waiting }: Asked): Promise<ArgsCheck | undefined> {
    if (this.#definitions === null) return undefined;
    const meta = member(message["params"] as Message, "_meta");
    const check = await waiting.during(this.#definitions.of(call.tool, meta, extra));
    if (waiting.ended !== null) throw ENDED;
    return check;
  }

  #decide({ call, args }: Asked, identity: Identity, check?: ArgsCheck, approval?: Approval): Promise<Decision> {
    return this.#engine.evaluateAsync(call.tool, args, identity, approval, check, this.#options.serverName);
  }

  async #ask(asked: Asked, identity: Identity, check: ArgsCheck | undefined, decision: Decision): Promise<Decision> {
    const { onApproval, approvalTimeoutMs } = this.#options;
    const { call, waiting } = asked;
    const key = decision.approval?.key ?? null;
    if (onApproval === undefined || key === null) return decision;
    this.#undecided.ask(waiting);
    if (waiting.ended !== null) return decision;
    const timer = approvalTimeoutMs === undefined ? undefined : setTimeout(() => waiting.end("refused"), approvalTimeoutMs);
    // A process that has nothing else to do ends, and the call with it.
    timer?.unref?.();
    try {
      const given = await waiting.during(onApproval({ ...call, decision, identity, signal: waiting.signal }));
      const id = given === true ? randomUUID() : given;
      if (typeof id !== "string" || waiting.ended !== null) return decision;
      return await this.#decide(asked, identity, check, { key, id });
    } catch (error) {
      if (error === ENDED) return decision;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Passes an allowed call on. */
  async #deliver({ id, message, extra, call }: Asked, decision: Decision): Promise<void> {
    if (this.#receiver() === undefined) {
      await this.#undo(decision);
      throw new TypeError("no server receives what the transport does");
    }
    const { reservation } = decision;
    this.#track(id, reservation === null ? null : { call, reservation }, extra);
    this.#pass(message, extra);
  }

  /** Gives back what a call was charged that was not passed on. */
  async #undo(decision: Decision): Promise<void> {
    observedNotRun(decision);
    await decision.reservation?.finishAsync("not_run").catch((error: unknown) => this.#report(error));
  }

  /** To the client. */
  async #answer(message: Message, sendOptions: unknown): Promise<void> {
    const id = isObject(message) && !Object.hasOwn(message, "method") ? message["id"] : undefined;
    if (isObject(message) && message["method"] === "notifications/tools/list_changed") this.#definitions?.changed();
    if (!isId(id)) return this.#send(message, sendOptions);
    if (this.#definitions?.answered(id, message) === true) return;
    const open = this.#open.get(keyOf(id));
    if (open === undefined) {
      this.#cancelled.delete(keyOf(id));
    } else {
      open.requests -= 1;
      if (open.requests <= 0) this.#open.delete(keyOf(id));
      if (open.charged !== null && Object.hasOwn(message, "error") && this.#refunds(open.charged.call, message["error"])) {
        // Before the answer: a client that tries again at once finds its charge given back.
        await open.charged.reservation.finishAsync("not_run").catch((error: unknown) => this.#report(error));
      }
      if (!open.lists) return this.#send(message, sendOptions);
    }
    // Of a request that is not known any more, such as one that was cancelled, nobody can say that it was not for the list.
    const result = message["result"];
    if (!isObject(result) || !Array.isArray(result["tools"])) return this.#send(message, sendOptions);
    if (open?.lists === true && !open.reused) this.#definitions?.listed(result["tools"]);
    return this.#send({ ...message, result: await this.#shown(result, result["tools"], open) }, sendOptions);
  }

  /** A list of tools as its caller may see it (clause 10.9). */
  async #shown(result: Message, listed: unknown[], open: Open | undefined): Promise<Message> {
    const { policy } = this.#engine;
    const { identity: identify, serverName } = this.#options;
    const byCaller = policy.native.listsByCaller;
    let identity: Identity;
    // Whoever used an id twice, or gave up, is nobody here.
    if (byCaller && open !== undefined && !open.reused) {
      const { extra } = open;
      const call: CallContext = { tool: "", arguments: undefined, authInfo: extra?.authInfo, sessionId: this.#transport.sessionId, extra };
      try {
        identity = identify === undefined ? verified(extra?.authInfo) : await identify(call);
      } catch (error) {
        this.#report(error);
        return { ...result, tools: [] };
      }
    }
    const tools = listed.filter((tool) => !isObject(tool) || policy.visible(String(tool["name"]), identity, serverName));
    // Nobody else may be given what was filtered for one caller.
    const isKept = Object.hasOwn(result, "ttlMs") || Object.hasOwn(result, "cacheScope");
    const scope = byCaller && isKept ? { cacheScope: "private" } : {};
    return { ...result, tools, ...scope };
  }

  /** Whether the host gives a call back that the server answered with an error. */
  #refunds(call: CallContext, error: unknown): boolean {
    const { refundOnError } = this.#options;
    if (refundOnError === undefined) return false;
    try {
      const { code, message, data } = (isObject(error) ? error : {}) as Partial<ServerError>;
      const answer: unknown = refundOnError(call, { code: Number(code), message: String(message), data });
      if (typeof answer === "boolean") return answer;
      // A promise says nothing yet.
      promised(answer, (failure) => this.#report(failure));
      this.#report(new TypeError("`refundOnError` answers true or false"));
    } catch (failure) {
      this.#report(failure);
    }
    return false;
  }

  /** The client gave up. What the server has begun stays charged, whatever it still answers. */
  #cancel(message: Message): void {
    const params = member(message, "params");
    const id = isObject(params) ? member(params, "requestId") : undefined;
    if (!isId(id)) return;
    this.#undecided.end(id, "silent");
    if (!this.#open.delete(keyOf(id))) return;
    if (this.#cancelled.size >= MOST_CANCELLED) {
      this.#exact = false;
      this.#cancelled.clear();
    }
    this.#cancelled.add(keyOf(id));
  }

  #track(id: Id, charged: Charged | null, extra: MessageExtra | undefined): Open {
    const open = this.#open.get(keyOf(id));
    if (open === undefined) {
      // An answer to a request that was cancelled may still come, and be an error.
      const told = this.#exact && !this.#cancelled.has(keyOf(id));
      const first: Open = { requests: 1, reused: false, lists: false, extra, charged: told ? charged : null };
      this.#open.set(keyOf(id), first);
      return first;
    }
    // A client that uses an id twice: no answer tells which request it belongs to, so none releases anything.
    open.requests += 1;
    open.reused = true;
    open.charged = null;
    return open;
  }

  /** Answers a call that does not run, by what it was denied for; by none where nothing was, or it ended before it ran. */
  #refuse({ id, message }: Asked, decision: Decision | null): Promise<void> {
    const params = message["params"] as Message;
    const result: Message = decision?.toMcpResult() ?? { content: [{ type: "text", text: UNDECIDED }], isError: true };
    if (Object.hasOwn(params, "task")) {
      // The result of a task is no tool's result, so that it could not say why (clause 10.6).
      const data = decision?.toMcpMeta();
      const error = { code: MCP_DENIED, message: decision?.message ?? UNDECIDED, ...(data ? { data } : {}) };
      return this.#reply({ jsonrpc: "2.0", id, error });
    }
    const meta = params["_meta"];
    const type = isObject(meta) && Object.hasOwn(meta, PROTOCOL_VERSION) ? { resultType: "complete" } : {};
    return this.#reply({ jsonrpc: "2.0", id, result: { ...result, ...type } });
  }

  async #reply(message: Message): Promise<void> {
    if (this.#closed) return;
    try {
      await this.#send(message);
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    try {
      promised(this.#options.onError?.(error), () => {});
    } catch {
      // A reporter that fails has nobody to report to.
    }
  }
}

/** The identity that a verified access token stands for. */
function verified(authInfo: AuthInfo | undefined): Identity {
  if (authInfo === undefined) return undefined;
  const claims = authInfo.extra ?? {};
  const subject = claims["sub"];
  const id = typeof subject === "string" && subject !== "" ? subject : authInfo.clientId;
  return { ...claims, id, client_id: authInfo.clientId, scopes: authInfo.scopes };
}

/**
 * Puts `wrap` around a callback of the transport, whatever is set there, now or later. A transport that wraps another one, as
 * that for HTTP in Node does, hands its callback on.
 *
 * @returns what was set last, without it.
 */
function around<F>(transport: object, name: string, wrap: (callback: F | undefined) => F | undefined): () => F | undefined {
  const handOn = setter(transport, name);
  let current: F | undefined;
  const set = (callback: F | undefined) => {
    current = callback;
    handOn?.call(transport, wrap(callback));
  };
  set((transport as Record<string, F | undefined>)[name]);
  Object.defineProperty(transport, name, { configurable: true, enumerable: true, get: () => wrap(current), set });
  return () => current;
}

/** What setting the property calls, if it is more than a value. */
function setter(object: object, name: string): ((value: unknown) => void) | undefined {
  for (let holder: object | null = object; holder !== null; holder = Object.getPrototypeOf(holder) as object | null) {
    const property = Object.getOwnPropertyDescriptor(holder, name);
    if (property !== undefined) return property.set;
  }
  return undefined;
}
