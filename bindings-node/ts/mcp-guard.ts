// The guard of one transport: what `callgate/mcp` puts between a connection and its server.
//
// In: messages in both directions. Out: those that the policy lets through, and answers to the others. Must not alter a
// message, but for the list of tools; must not answer a call twice; must not release what may have run (clause 8.10).

import { randomUUID } from "node:crypto";
import type { Decision, Reservation } from "./decision.js";
import type { Approval, Engine, Identity } from "./engine.js";
import type { AuthInfo, CallContext, GuardOptions, McpTransport, MessageExtra, ServerError } from "./mcp.js";

type Id = string | number;
type Message = Record<string, unknown>;
type Receive = (message: Message, extra?: MessageExtra) => void;
type Send = (message: Message, options?: unknown) => Promise<void>;

/** JSON-RPC's code for a request that is no call of a tool. */
const INVALID_PARAMS = -32602;
/** A request that states its revision so (2026-07-28 and later) is answered with results that state their type. */
const PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion";
/** Shown to the agent when deciding itself failed. No detail: that is for the host. */
const UNDECIDED = "The call could not be checked against the policy";

/** What passed to the server under one id, and is not answered yet. */
interface Open {
  requests: number;
  /** Whether one of them asked for the list of tools. */
  lists: boolean;
  /** The call and its charges; null for other requests, and once no answer tells any more which request it belongs to. */
  charged: Charged | null;
}

interface Charged {
  readonly call: CallContext;
  readonly reservation: Reservation;
}

/** @internal */
export class Guard {
  readonly #engine: Engine;
  readonly #options: GuardOptions;
  readonly #transport: McpTransport;
  readonly #send: Send;
  readonly #open = new Map<Id, Open>();
  /** Calls that are being decided, or wait for approval: the server has not seen them. */
  readonly #deciding = new Map<Id, AbortController>();
  /** Messages on their way to the server: where several receivers are chained, each gets them, decided once. */
  readonly #passed = new WeakSet<Message>();
  /** What the server set to receive messages. */
  #receiver: Receive | undefined;

  constructor(transport: McpTransport, engine: Engine, options: GuardOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#transport = transport;
    this.#send = (transport.send as unknown as Send).bind(transport);
    // A transport that wraps another one, as that for HTTP in Node does, hands its receiver on.
    const handOn = setter(transport, "onmessage");
    const receive = (receiver: Receive | undefined) => {
      this.#receiver = receiver;
      handOn?.call(transport, this.#receiving(receiver));
    };
    receive(transport.onmessage as unknown as Receive | undefined);
    Object.defineProperty(transport, "onmessage", {
      configurable: true,
      enumerable: true,
      get: () => this.#receiving(this.#receiver),
      set: receive,
    });
    const send: Send = (message, sendOptions) => this.#answer(message, sendOptions);
    transport.send = send as unknown as McpTransport["send"];
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
  #receive(message: Message, extra: MessageExtra | undefined): void {
    if (!isObject(message)) {
      this.#report(new TypeError("a message that is no object was dropped"));
      return;
    }
    const { method, id } = message;
    if (method === "tools/call") {
      // Without an id there is nobody to answer, and no server runs a tool for it.
      if (isId(id)) void this.#call(message, id, extra);
      return;
    }
    // Every request: the error of one that has the id of a call must not be taken for the call's.
    if (isId(id) && typeof method === "string") this.#track(id, null).lists ||= method === "tools/list";
    if (method === "notifications/cancelled") this.#cancelled(message);
    this.#pass(message, extra);
  }

  #pass(message: Message, extra: MessageExtra | undefined): void {
    this.#passed.add(message);
    this.#receiver?.(message, extra);
  }

  /** Decides a call, then passes it on or answers it. Never rejects. */
  async #call(message: Message, id: Id, extra: MessageExtra | undefined): Promise<void> {
    const params = message["params"];
    if (!isObject(params) || typeof params["name"] !== "string") {
      await this.#reply({ jsonrpc: "2.0", id, error: { code: INVALID_PARAMS, message: "Invalid params: no tool is named" } });
      return;
    }
    const call: CallContext = {
      tool: params["name"],
      arguments: params["arguments"],
      authInfo: extra?.authInfo,
      sessionId: this.#transport.sessionId,
      extra,
    };
    const waiting = new AbortController();
    // A second call under the same id must not be able to cancel the first one's waiting in its stead.
    if (!this.#deciding.has(keyOf(id))) this.#deciding.set(keyOf(id), waiting);
    try {
      const identity = await this.#identity(call);
      let decision = await this.#decide(call, identity);
      if (decision.effect === "require_approval") decision = await this.#ask(call, identity, decision, waiting.signal);
      // The client gave up before the server saw the call. It stays charged, as every cancelled call does.
      if (waiting.signal.aborted) return;
      if (!decision.allowed) {
        const meta = params["_meta"];
        const type = isObject(meta) && Object.hasOwn(meta, PROTOCOL_VERSION) ? { resultType: "complete" } : {};
        await this.#reply({ jsonrpc: "2.0", id, result: { ...refusal(decision), ...type } });
        return;
      }
      const { reservation } = decision;
      this.#track(id, reservation === null ? null : { call, reservation });
      this.#pass(message, extra);
    } catch (error) {
      this.#report(error);
      const result = { content: [{ type: "text", text: UNDECIDED }], isError: true };
      await this.#reply({ jsonrpc: "2.0", id, result });
    } finally {
      if (this.#deciding.get(keyOf(id)) === waiting) this.#deciding.delete(keyOf(id));
    }
  }

  async #identity(call: CallContext): Promise<Identity> {
    const { identity } = this.#options;
    return identity === undefined ? verified(call.authInfo) : await identity(call);
  }

  /** JSON has no `undefined`; a null in the message is none of the host's, so it is not "absent" (clause 3.3). */
  #decide(call: CallContext, identity: Identity, approval?: Approval): Promise<Decision> {
    if (call.arguments === null) return this.#engine.evaluateJsonAsync(call.tool, "null", identity, approval);
    return this.#engine.evaluateAsync(call.tool, call.arguments, identity, approval);
  }

  async #ask(call: CallContext, identity: Identity, decision: Decision, signal: AbortSignal): Promise<Decision> {
    const { onApproval } = this.#options;
    const key = decision.approvalKey;
    if (onApproval === undefined || key === null) return decision;
    const given = await onApproval({ ...call, decision, identity, signal });
    const id = given === true ? randomUUID() : given;
    if (typeof id !== "string" || signal.aborted) return decision;
    return this.#decide(call, identity, { key, id });
  }

  /** To the client. */
  async #answer(message: Message, sendOptions: unknown): Promise<void> {
    const id = isObject(message) && !Object.hasOwn(message, "method") ? message["id"] : undefined;
    const open = isId(id) ? this.#open.get(keyOf(id)) : undefined;
    if (!isId(id) || open === undefined) return this.#send(message, sendOptions);
    open.requests -= 1;
    if (open.requests <= 0) this.#open.delete(keyOf(id));
    if (open.charged !== null && Object.hasOwn(message, "error") && this.#refunds(open.charged.call, message["error"])) {
      // Before the answer: a client that tries again at once finds its charge given back.
      await open.charged.reservation.releaseAsync().catch((error: unknown) => this.#report(error));
    }
    const result = message["result"];
    if (!open.lists || !isObject(result) || !Array.isArray(result["tools"])) return this.#send(message, sendOptions);
    const { policy } = this.#engine;
    const tools = result["tools"].filter((tool) => !isObject(tool) || policy.visible(String(tool["name"])));
    return this.#send({ ...message, result: { ...result, tools } }, sendOptions);
  }

  /** Whether the host gives a call back that the server answered with an error. */
  #refunds(call: CallContext, error: unknown): boolean {
    const { refundOnError } = this.#options;
    if (refundOnError === undefined) return false;
    try {
      const { code, message, data } = (isObject(error) ? error : {}) as Partial<ServerError>;
      const answer: unknown = refundOnError(call, { code: Number(code), message: String(message), data });
      if (typeof answer === "boolean") return answer;
      // A promise says nothing yet. Its own failure must not end the process.
      if (answer instanceof Promise) answer.catch((failure: unknown) => this.#report(failure));
      this.#report(new TypeError("`refundOnError` answers true or false"));
    } catch (failure) {
      this.#report(failure);
    }
    return false;
  }

  /** The client gave up. What the server has begun stays charged, whatever it still answers. */
  #cancelled(message: Message): void {
    const params = message["params"];
    const id = isObject(params) ? params["requestId"] : undefined;
    if (!isId(id)) return;
    this.#deciding.get(keyOf(id))?.abort();
    const open = this.#open.get(keyOf(id));
    if (open !== undefined) open.charged = null;
  }

  #track(id: Id, charged: Charged | null): Open {
    const open = this.#open.get(keyOf(id));
    if (open === undefined) {
      const first: Open = { requests: 1, lists: false, charged };
      this.#open.set(keyOf(id), first);
      return first;
    }
    // A client that uses an id twice: no answer tells which request it belongs to, so none releases anything.
    open.requests += 1;
    open.charged = null;
    return open;
  }

  async #reply(message: Message): Promise<void> {
    try {
      await this.#send(message);
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    try {
      this.#options.onError?.(error);
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

/** The result of a call that may not run; with the key that an approval of it must name. */
function refusal(decision: Decision): Message {
  if (decision.approvalKey === null) return { ...decision.toMcpResult() };
  const text = `${decision.message}\nApproval key: ${decision.approvalKey}`;
  return { content: [{ type: "text", text }], isError: true, _meta: { "callgate/approval_key": decision.approvalKey } };
}

function isObject(value: unknown): value is Message {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The SDKs take an id and its digits for the same. */
function keyOf(id: Id): Id {
  return typeof id === "string" && id.trim() !== "" && !Number.isNaN(Number(id)) ? Number(id) : id;
}

/** What setting the property calls, if it is more than a value. */
function setter(object: object, name: string): ((value: unknown) => void) | undefined {
  for (let holder: object | null = object; holder !== null; holder = Object.getPrototypeOf(holder) as object | null) {
    const property = Object.getOwnPropertyDescriptor(holder, name);
    if (property !== undefined) return property.set;
  }
  return undefined;
}

function isId(id: unknown): id is Id {
  return typeof id === "string" || typeof id === "number";
}
