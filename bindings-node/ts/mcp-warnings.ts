// What a guard sees of a policy that cannot be meant so: names of tools that the server does not have, and callers that nobody knows.
//
// In: the names of the server's tools, and requests. Out: a warning for each name and each rule, once for an engine's policy. Must not decide: but for names
// that the host wants to be right, in which case no call is decided.

import type { Engine } from "./engine.js";
import type { Identity } from "./identity.js";
import { isObject, member } from "./mcp-message.js";
import { tell } from "./options.js";

/** What may not be meant so. */
export interface GuardWarning {
  /**
   * `unmatched_name`: the server has no such tool. `unknown_caller`: a rule needs to know who calls, and nobody does. `requests_pass`: the policy denies
   * what it does not name, and says nothing of other requests than calls of tools. `definition_changed`: a tool is not as it was approved.
   */
  readonly code: "unmatched_name" | "unknown_caller" | "requests_pass" | "definition_changed";
  /** A sentence, with the rule's line where it is about one. */
  readonly message: string;
  /** What to write instead. */
  readonly help: string | null;
}

/** Hears of a warning. */
export type OnGuardWarning = (warning: GuardWarning) => void;

const told = new WeakMap<Engine, Set<string>>();

function warn(engine: Engine, warning: GuardWarning, onWarning: OnGuardWarning | undefined): void {
  let own = told.get(engine);
  if (own === undefined) told.set(engine, (own = new Set()));
  const { code, message, help } = warning;
  const known = `${engine.policy.digest} ${code} ${message}`;
  if (own.has(known)) return;
  own.add(known);
  const byProcess = () => process.emitWarning(help === null ? message : `${message}: ${help}`, { type: "CallgateWarning", code });
  tell("onWarning", onWarning ?? byProcess, warning);
}

/**
 * @internal Says that other requests than calls of tools pass, where a policy that denies by default does not decide them. Most servers have none, so
 * only who listens hears of it.
 */
export function warnOfRequests(engine: Engine, onWarning: OnGuardWarning | undefined): void {
  if (onWarning === undefined || !engine.policy.native.passesRequests) return;
  const message = "resources, prompts and other requests pass: the policy has no `requests`";
  warn(engine, { code: "requests_pass", message, help: "write `requests: {default: allow}` if that is meant" }, onWarning);
}

/** @internal Says of each tool that is not as it was approved that it does not run. */
export function warnOfChanged(tools: readonly string[], engines: Iterable<Engine>, onWarning: OnGuardWarning | undefined): void {
  if (tools.length === 0) return;
  for (const engine of engines) {
    for (const tool of tools) {
      const message = `tool ${JSON.stringify(tool)} is not as it was approved: no call of it runs`;
      warn(engine, { code: "definition_changed", message, help: "`callgate scan --lock` shows what differs" }, onWarning);
    }
  }
}

/** What was lacking of callers, under a policy: over HTTP a guard may live for one request. */
const lacking = new WeakMap<Engine, { readonly digest: string; readonly lacks: number }>();

/** @internal Warns of rules that need to know who calls, where a request came over HTTP from somebody whom nobody knows, or has no session. */
export class Callers {
  readonly #isIdentified: boolean;
  readonly #onWarning: OnGuardWarning | undefined;

  constructor(isIdentified: boolean, onWarning: OnGuardWarning | undefined) {
    this.#isIdentified = isIdentified;
    this.#onWarning = onWarning;
  }

  /** A request came from a caller. `isSessionless`: its generation of the protocol has no sessions. */
  came(engine: Engine, identity: Identity, isHttp: boolean, isSessionless: boolean): void {
    const isUnknown = isHttp && !this.#isIdentified && (identity === undefined || identity === null);
    const session = isObject(identity) ? member(identity, "session") : undefined;
    const lacks = (isUnknown ? 1 : 0) | (isSessionless && session === undefined ? 2 : 0);
    if (lacks === 0) return;
    const { policy } = engine;
    const { digest } = policy;
    const before = lacking.get(engine);
    const seen = before?.digest === digest ? before.lacks : 0;
    if ((lacks | seen) === seen) return;
    lacking.set(engine, { digest, lacks: lacks | seen });
    for (const { needs, told, help } of policy.identityNeeds()) {
      const isLacking = needs === "session" ? (lacks & 2) !== 0 : (lacks & 1) !== 0;
      if (isLacking) warn(engine, { code: "unknown_caller", message: told, help }, this.#onWarning);
    }
  }
}

/** How long a call waits for the list, as the relay does. */
const TIMEOUT_MS = 10_000;

/** @internal The names of a server's tools, as the relay has them, beside those of policies. */
export class Names {
  /** Whether names that the server does not have keep every call from running. */
  readonly refuses: boolean;
  readonly #onWarning: OnGuardWarning | undefined;
  #names: readonly string[] | null = null;
  #failed: Error | null = null;
  readonly #waiting = new Set<() => void>();

  constructor(refuses: boolean, onWarning: OnGuardWarning | undefined) {
    this.refuses = refuses;
    this.#onWarning = onWarning;
  }

  /** All tools of the server are known. */
  listed(names: readonly string[], engines: Iterable<Engine>): void {
    this.#names = names;
    for (const engine of engines) this.isRight(engine);
    this.#wake();
  }

  /** They are not, and nobody asks any more. */
  failed(error: Error): void {
    this.#failed = error;
    this.#wake();
  }

  /** The server says that its list is another one: it is asked for again. */
  changed(): void {
    this.#names = null;
    this.#failed = null;
  }

  /** Warns of the names that an engine's policy has and the server does not; tells whether there are none, as far as the list is known. */
  isRight(engine: Engine): boolean {
    if (this.#names === null) return true;
    const unmatched = engine.policy.unmatched(this.#names);
    for (const { told } of unmatched) warn(engine, { code: "unmatched_name", message: told, help: null }, this.#onWarning);
    return unmatched.length === 0;
  }

  /** Resolves once the list is known; rejects where it is not to be had in time. */
  async known(): Promise<void> {
    const late = setTimeout(() => this.failed(new Error("the server's tools are not known in time")), TIMEOUT_MS);
    // A process that has nothing else to do ends, and the call with it.
    late.unref();
    try {
      while (this.#names === null) {
        if (this.#failed !== null) throw this.#failed;
        await new Promise<void>((resolve) => this.#waiting.add(resolve));
      }
    } finally {
      clearTimeout(late);
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
