// How one request is judged.
//
// In: a request of the client, or one that the server makes of it. Out: for whom it is, by the verified token or the host's callback; what the
// engine says of it, and the person who is asked. Must not pass a message on, and must not let a call through but by the engine's decision.

import { ArgsCheck } from "./args-check.js";
import type { Decision } from "./decision.js";
import { type Approval, Engine } from "./engine.js";
import type { Identity } from "./identity.js";
import { Approvals, type Settled } from "./mcp-approvals.js";
import type { Asks } from "./mcp-asks.js";
import type { Audit } from "./mcp-audit.js";
import { type Call, type Step, contextOf, engineOf, isPromise } from "./mcp-call.js";
import type { AuthInfo, EngineOf, McpTransport } from "./mcp-context.js";
import { isId, isObject } from "./mcp-message.js";
import type { GuardOptions } from "./mcp-options.js";
import { Callers, Names } from "./mcp-warnings.js";

const PROTOCOL_VERSION = '"io.modelcontextprotocol/protocolVersion"';

/** Who asks, and what decides. */
export interface Known {
  readonly identity: Identity;
  readonly engine: Engine;
}

/** @internal What judges the requests of one connection. */
export class Judge {
  readonly approvals: Approvals;
  readonly names: Names;
  readonly #engine: Engine | EngineOf;
  readonly #options: GuardOptions;
  readonly #transport: McpTransport;
  readonly #asks: Asks;
  readonly #audit: Audit | undefined;
  readonly #callers: Callers;
  readonly #isHttp: boolean;
  /** Set once nobody who asks for approval may wait any more. */
  #isMute = false;

  constructor(engine: Engine | EngineOf, options: GuardOptions, transport: McpTransport, isHttp: boolean, asks: Asks, audit: Audit | undefined) {
    this.#engine = engine;
    this.#options = options;
    this.#transport = transport;
    this.#isHttp = isHttp;
    this.#asks = asks;
    this.#audit = audit;
    this.approvals = new Approvals(engine, options);
    this.names = new Names(options.unmatched === "refuse", options.onWarning);
    this.#callers = new Callers(options.identity !== undefined, options.onWarning);
  }

  /** Nobody waits for a person from here on. */
  mute(): void {
    this.#isMute = true;
  }

  /** For whom a request is. */
  known(call: Call): Known | Promise<Known> {
    const engine = this.#engine;
    const { identity: identify } = this.#options;
    const given = identify === undefined ? verified(call.arrived.extra?.authInfo) : identify(this.#context(call));
    if (typeof engine !== "function" && !isPromise(given)) return this.#checked(call, given, engine);
    const gives = async () => (typeof engine === "function" ? engine(this.#context(call)) : engine);
    return call.waiting.during(Promise.all([given, gives()])).then(([identity, own]) => this.#checked(call, identity, own));
  }

  #checked({ arrived }: Call, identity: Identity, engine: Engine): Known {
    if (!(engine instanceof Engine)) throw new TypeError("the engine of a call is an Engine");
    this.#callers.came(engine, identity, this.#isHttp, arrived.text.includes(PROTOCOL_VERSION));
    return { identity, engine };
  }

  /** Whether a request waits for the names of the server's tools before it is decided. */
  waitsForNames({ tool }: Step<"decide">): boolean {
    return this.names.refuses && tool !== undefined;
  }

  /** Whether the server has every tool that the policy names. */
  async isNamed(call: Call): Promise<boolean> {
    const engine = engineOf(call);
    await call.waiting.during(this.names.known());
    return this.names.isRight(engine);
  }

  /** What follows for a call: from a decision, and from a person's answer where one is asked for. */
  settled(call: Call): Settled | Promise<Settled> {
    const decision = this.#evaluate(call);
    const isSettled = !isPromise(decision) && decision.effect !== "require_approval" && call.arrived.resumed == null;
    return isSettled ? { decision } : this.#asked(call, decision);
  }

  #evaluate(call: Call, approval?: Approval): Decision | Promise<Decision> {
    const { arrived, ask } = call;
    if (ask === undefined) throw new TypeError("nothing is asked");
    const { tool, method, args = "{}" } = ask;
    const { identity } = arrived;
    const engine = engineOf(call);
    const { checkArgs = true, serverName } = this.#options;
    const check = checkArgs ? ArgsCheck.of(ask.check) : undefined;
    if (tool === undefined) {
      if (engine.immediate) return engine.evaluateRequestJson(method, args, identity, approval, check, serverName);
      return engine.evaluateRequestJsonAsync(method, args, identity, approval, check, serverName);
    }
    if (engine.immediate) return engine.evaluateJson(tool, args, identity, approval, check, serverName);
    return engine.evaluateJsonAsync(tool, args, identity, approval, check, serverName);
  }

  async #asked(call: Call, made: Decision | Promise<Decision>): Promise<Settled> {
    const decision = await made;
    const { arrived, waiting } = call;
    const key = decision.effect === "require_approval" && this.#options.onApproval !== undefined ? decision.approval?.key : undefined;
    if (key !== undefined && arrived.resumed == null) this.#audit?.approval(key, "asked");
    if (decision.effect === "require_approval") {
      waiting.asking = true;
      if (this.#isMute) waiting.end("refused");
    }
    const { id, params } = JSON.parse(arrived.text) as { id?: unknown; params?: unknown };
    const settled = await this.approvals.settle({
      id: isId(id) ? id : 0,
      params: isObject(params) ? params : {},
      call: this.#context(call),
      identity: arrived.identity,
      engine: engineOf(call),
      decision,
      serverName: this.#options.serverName,
      resumed: arrived.resumed ?? null,
      asks: arrived.isClients ? this.#asks : null,
      signal: waiting.signal,
      again: async (approval) => this.#evaluate(call, approval),
    });
    if (key !== undefined && "decision" in settled && settled.decision.allowed) this.#audit?.approval(key, "used");
    return settled;
  }

  #context(call: Call) {
    return contextOf(call, this.#transport.sessionId);
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
