/// <reference lib="esnext.disposable" preserve="true" />
// The engine: a policy, a store and a clock, put together.
//
// In: calls in JS terms. Out: decisions. Must not decide anything: what a policy means is core's alone. Arguments that
// cannot be read are denied (`invalid_args`), never thrown.

import * as native from "../native.js";
import { ArgsCheck } from "./args-check.js";
import { Decision, type DecisionJson, type Filing, type Host, type Observations, keepObserved, now } from "./decision.js";
import { type CallgateError, Diagnostic, throwing, typed } from "./errors.js";
import { type ApprovalByPerson, type FiledCall, answerFiled, filed, findFiled } from "./filed.js";
import type { Identity } from "./identity.js";
import { type Kind, choice, millis, promised, read, tell } from "./options.js";
import { type Plan, Plans } from "./plan.js";
import { type NamedTool, Policy, failed, pathsOf, serverName } from "./policy.js";
import { probe } from "./probe.js";
import { type LiveCounter, Store, counters, countersAsync, opened, resetCounter, resetCounterAsync } from "./store.js";

/** An approval that the host holds for a call (clause 7.2). */
export interface Approval {
  /** The key of the `approval` that the decision asked for. */
  readonly key: string;
  /** The approval's own id, 1 to 256 bytes, never used for another. */
  readonly id: string;
  /** When it was given, a date or milliseconds since the epoch, by the engine's clock. Needed where the decision's `approval` has a `valid_for`. */
  readonly givenAt?: Date | number | undefined;
}

/** What to log of a call (clause 10.8). Holds no argument values. */
export interface AuditRecord {
  readonly decision: DecisionJson;
  /** The identity's id, or null. */
  readonly identity: string | null;
  readonly args: {
    /** The names of the arguments, sorted. */
    readonly keys: readonly string[];
    /** `sha256:…` or `hmac-sha256:…`, or null. */
    readonly hash: string | null;
  };
}

/** One check that an evaluation makes. */
export interface Check {
  /** JSON Pointer to its place in the policy; empty where it has none. */
  readonly pointer: string;
  /** What is checked, for people: not stable. */
  readonly what: string;
  /** The outcome: `holds`, `fails`, `unknown`, `passes`, `denies`, … */
  readonly outcome: string;
  /** Why, where there is more to say. Carries no argument values. */
  readonly why?: string;
  /** The checks that it consists of. */
  readonly checks: readonly Check[];
}

/** A decision that would be made, with every check that leads to it. */
export interface Explanation {
  readonly decision: Decision;
  /** In the order in which they are made; those after a settling one are not made. */
  readonly checks: readonly Check[];
}

/** How an engine is put together. A name that is not listed here is an error. */
export interface EngineOptions {
  /**
   * `memory` (the default): counters of this engine. Else a store's URL, such as `redis://localhost:6379`, or a `Store` that engines
   * share.
   */
  readonly store?: string | Store;
  /** Prefix of the counters in a store that several servers share. For a URL alone. */
  readonly storeNamespace?: string;
  /** How long a call waits for its store, in milliseconds. For a URL alone. */
  readonly storeTimeoutMs?: number;
  /** What becomes of a call when the store fails: `deny` (the default), or `allow`, which voids every limit meanwhile, but no approval. */
  readonly onStoreError?: "deny" | "allow";
  /** Milliseconds since the epoch; the machine's clock unless given. For tests, and for replaying a log. */
  readonly clock?: () => number;
  /**
   * Hears of every decision, before `evaluate` returns it. What it throws, `evaluate` throws: no call runs that could not
   * be recorded; its charges stand. It must not be async: `evaluate` throws as well where it answers with a promise.
   */
  readonly onDecision?: (record: AuditRecord, decision: Decision) => void;
  /** How audit records identify arguments: `none` (the default), `sha256`, or an HMAC under a key of the host's. */
  readonly argsHash?: "none" | "sha256" | { readonly hmacSha256: Uint8Array };
  /**
   * Hears of the warnings of each policy that is put in force: at the start, by `replace`, by watching. `file` is null
   * where the policy came from a text. A process warning unless given.
   */
  readonly onWarning?: (warning: Diagnostic, file: string | null) => void;
}

/** How an engine is put together from a file. */
export interface FileOptions extends EngineOptions {
  /**
   * Puts every new text of the file in force that is a policy, without a restart. Looked at four times a second unless told
   * otherwise. A file that replaced another is read at the next look; one that is written in place when it has not changed
   * for a second.
   */
  readonly watch?: boolean | { readonly intervalMs: number };
  /** Hears of every policy that was put in force by watching. */
  readonly onReload?: (policy: Policy) => void;
  /**
   * Hears of texts that have an error, or look like half a file (clause 1.8); the old policy stays in force. A process
   * warning unless given.
   */
  readonly onReloadError?: (error: CallgateError) => void;
}

const OPTIONS: Readonly<Record<keyof FileOptions, Kind>> = {
  store: "any",
  storeNamespace: "string",
  storeTimeoutMs: "number",
  onStoreError: "string",
  clock: "answer",
  onDecision: "answer",
  argsHash: "any",
  onWarning: "function",
  watch: "any",
  onReload: "function",
  onReloadError: "function",
};
const FILE_ONLY: readonly string[] = ["watch", "onReload", "onReloadError"];
const NO_ARGS = Object.freeze({});

/**
 * Decides calls: evaluates the policy and charges the counters.
 *
 * Counters in memory are those of one engine in one process, unless a `Store` was given: workers of a cluster count each for
 * themselves. Give them a shared store if a limit is to hold over all of them.
 */
export class Engine {
  readonly #native: native.NativeEngine;
  readonly #store: native.NativeStore;
  readonly #ownsStore: boolean;
  readonly #plans: Plans;
  readonly #requests: Plans;
  readonly #host: Host;
  readonly #onDecision: EngineOptions["onDecision"];
  /** Whether more than a decision is wanted of each call: a record, or what a candidate says. */
  #isHeard: boolean;
  readonly #onWarning: OnWarning;
  readonly #replaced = new Replaced();

  /**
   * @throws {StoreError} where the store cannot be opened, {TypeError} for options that are not known.
   */
  constructor(policy: Policy, options: EngineOptions = {}) {
    if (!(policy instanceof Policy)) throw new TypeError("an engine needs a Policy");
    const own = checked(options, false);
    const { store = "memory", onStoreError = "deny", argsHash = "none" } = own;
    const lenient = choice("onStoreError", onStoreError, ["deny", "allow"]) === "allow";
    const settings: native.Settings = { allowOnStoreError: lenient, hashArgs: argsHash !== "none" };
    if (typeof argsHash === "object") {
      const { hmacSha256 } = read(argsHash, { hmacSha256: "any" });
      if (!(hmacSha256 instanceof Uint8Array)) throw new TypeError("the option `argsHash.hmacSha256` is a Uint8Array");
      settings.hashKey = hmacSha256;
    } else {
      choice("argsHash", argsHash, ["none", "sha256"]);
    }
    this.#ownsStore = !(store instanceof Store);
    this.#store = store instanceof Store ? shared(store, own) : openedBy(store, own, lenient);
    this.#native = throwing(() => native.NativeEngine.open(policy.native, this.#store, settings));
    this.#plans = new Plans("a tool's name", (tool) => this.#native.plan(tool));
    this.#requests = new Plans("a method", (method) => this.#native.requestPlan(method));
    this.#host = { clock: own.clock, immediate: this.#store.immediate };
    this.#onDecision = own.onDecision;
    this.#isHeard = own.onDecision !== undefined;
    this.#onWarning = own.onWarning ?? warn;
    report(this.#native, policy.files, this.#onWarning);
  }

  /**
   * An engine for a policy's text, YAML or JSON.
   *
   * @throws {PolicyError} with every error in the text; and as the constructor.
   */
  static fromString(text: string, options: EngineOptions = {}): Engine {
    return new Engine(Policy.fromString(text), options);
  }

  /**
   * An engine for a policy file, or for several as one stack, in their order (clause 6.10). With `watch`, each file is watched until
   * `close`, and one with an error keeps all of the policy in force.
   *
   * @throws {PolicyFileError} {PolicyError} {StackError} where a file cannot be read, is not a valid policy, or does not go with the
   * others; and as the constructor.
   */
  static fromFile(path: string | readonly string[], options: FileOptions = {}): Engine {
    const { watch = false, onReload, onReloadError = warnOfReload, ...rest } = checked(options, true);
    const paths = pathsOf(path);
    const engine = new Engine(Policy.fromFile(paths), rest);
    const onWarning = engine.#onWarning;
    if (watch !== false) {
      const interval = watch === true ? null : millis("watch.intervalMs", read(watch, { intervalMs: "number" }).intervalMs);
      // Must not hold the engine: an engine that nobody has stops watching.
      const watched = new WeakRef(engine);
      engine.#native.watch(paths, interval, (change) => {
        if (change.policy) {
          const policy = new Policy(change.policy, paths);
          const live = watched.deref();
          report(live === undefined ? policy.native : live.#native, paths, onWarning);
          if (live !== undefined) live.#replaced.tell();
          tell("onReload", onReload, policy);
        } else {
          tell("onReloadError", onReloadError, failed(change));
        }
      });
    }
    return engine;
  }

  /**
   * Decides a call and charges what it costs. Arguments are read in place: own members only, without running code.
   * `undefined` and null mean absent, for arguments and identity. `check` is what is looked at in the arguments before any rule.
   * `server` is the name of the server that the call goes to, as the host knows it (clause 9.5).
   */
  evaluate(tool: string, args?: unknown, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Decision {
    // A plan is one of calls that name no server.
    if (this.#isHeard || isGiven(approved) || isGiven(check) || isGiven(server)) {
      return this.#evaluate(this.#plans, tool, this.#asked(args ?? NO_ARGS, false, identity, approved, check, server));
    }
    const at = now(this.#host) ?? NaN;
    let plan = this.#plans.of(tool);
    for (;;) {
      const packed = plan.decide(args ?? NO_ARGS, identity, at);
      if (packed !== null) return new Decision(packed, plan, this.#host);
      plan = this.#plans.renewed(tool);
    }
  }

  /** `evaluate` for raw JSON text, which is checked whole (clause 3.5). Exact for numbers that JS cannot hold. */
  evaluateJson(tool: string, text: string, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Decision {
    return this.#evaluate(this.#plans, tool, this.#asked(raw(text), true, identity, approved, check, server));
  }

  /** `evaluate` without blocking on a store that waits for a disk or a network. The arguments are read before it returns. */
  async evaluateAsync(tool: string, args?: unknown, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Promise<Decision> {
    if (this.#host.immediate) return this.evaluate(tool, args, identity, approved, check, server);
    return this.#evaluateAsync(this.#plans, tool, this.#asked(args ?? NO_ARGS, false, identity, approved, check, server));
  }

  /** `evaluateJson` without blocking on a store that waits for a disk or a network. */
  async evaluateJsonAsync(tool: string, text: string, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Promise<Decision> {
    if (this.#host.immediate) return this.evaluateJson(tool, text, identity, approved, check, server);
    return this.#evaluateAsync(this.#plans, tool, this.#asked(raw(text), true, identity, approved, check, server));
  }

  /**
   * Decides a request of another method than `tools/call`, such as `resources/read` (clause 3.10). `params` are those of the
   * request without `_meta`, `inputResponses` and `requestState`. A policy says nothing of such requests, so they are allowed; a
   * method that begins with `tools/` is denied (`invalid_method`): use `evaluate`.
   */
  evaluateRequest(method: string, params?: unknown, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Decision {
    return this.#evaluate(this.#requests, method, this.#asked(params ?? NO_ARGS, false, identity, approved, check, server));
  }

  /** `evaluateRequest` for params that are raw JSON text, which is checked whole (clause 3.5). */
  evaluateRequestJson(method: string, text: string, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Decision {
    return this.#evaluate(this.#requests, method, this.#asked(raw(text), true, identity, approved, check, server));
  }

  /** `evaluateRequest` without blocking on a store that waits for a disk or a network. The params are read before it returns. */
  async evaluateRequestAsync(method: string, params?: unknown, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Promise<Decision> {
    if (this.#host.immediate) return this.evaluateRequest(method, params, identity, approved, check, server);
    return this.#evaluateAsync(this.#requests, method, this.#asked(params ?? NO_ARGS, false, identity, approved, check, server));
  }

  /** `evaluateRequestJson` without blocking on a store that waits for a disk or a network. */
  async evaluateRequestJsonAsync(method: string, text: string, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Promise<Decision> {
    if (this.#host.immediate) return this.evaluateRequestJson(method, text, identity, approved, check, server);
    return this.#evaluateAsync(this.#requests, method, this.#asked(raw(text), true, identity, approved, check, server));
  }

  /** What would be decided now, and every check that leads to it. Charges nothing. */
  explain(tool: string, args?: unknown, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Explanation {
    return this.#explain(tool, this.#asked(args ?? NO_ARGS, false, identity, approved, check, server));
  }

  /** `explain` for raw JSON text. */
  explainJson(tool: string, text: string, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Explanation {
    return this.#explain(tool, this.#asked(raw(text), true, identity, approved, check, server));
  }

  /** `explain` without blocking on a store that waits for a disk or a network. The arguments are read before it returns. */
  async explainAsync(tool: string, args?: unknown, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Promise<Explanation> {
    if (this.#host.immediate) return this.explain(tool, args, identity, approved, check, server);
    return this.#explainAsync(tool, this.#asked(args ?? NO_ARGS, false, identity, approved, check, server));
  }

  /** `explainJson` without blocking on a store that waits for a disk or a network. */
  async explainJsonAsync(tool: string, text: string, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Promise<Explanation> {
    if (this.#host.immediate) return this.explainJson(tool, text, identity, approved, check, server);
    return this.#explainAsync(tool, this.#asked(raw(text), true, identity, approved, check, server));
  }

  /** The policy in force. */
  get policy(): Policy {
    return new Policy(this.#native.policy);
  }

  /**
   * What may not mean what its author thinks in the policy in force, and what it cannot keep with this engine's store (`memory_store`: a
   * counter that never resets, and used approvals, where counters are in memory; clause 8.18).
   */
  get warnings(): readonly Diagnostic[] {
    return this.#native.warnings.map((finding) => new Diagnostic(finding));
  }

  /** @internal What the engine's clock shows, in milliseconds since the epoch. */
  get now(): number {
    return now(this.#host) ?? Date.now();
  }

  /** Puts another policy in force, for every call from here on. Counters go on (clause 8.6). */
  replace(policy: Policy): void {
    if (!(policy instanceof Policy)) throw new TypeError("an engine needs a Policy");
    this.#native.replace(policy.native);
    report(this.#native, policy.files, this.#onWarning);
    this.#replaced.tell();
  }

  /** @internal Calls back whenever another policy is in force, as long as `listener` is held elsewhere. Gives what ends it. */
  onReplaced(listener: () => void): () => void {
    return this.#replaced.add(listener);
  }

  /** @internal */
  get native(): native.NativeEngine {
    return this.#native;
  }

  /** @internal Whether nothing ever waits for the store. */
  get immediate(): boolean {
    return this.#host.immediate;
  }

  /**
   * Lets a candidate decide each call beside the policy in force, from here on; null ends it (clause 10.11). It changes no decision,
   * and no call waits for it. It has counters of its own: in memory, or in `store`, which must not have those of this engine: take
   * another namespace. The table of `observations` begins anew.
   *
   * @throws {TypeError} where the store has the engine's counters.
   */
  observe(candidate: Policy | null, options: { readonly store?: Store } = {}): void {
    const { store } = read(options, { store: "any" });
    if (candidate !== null && !(candidate instanceof Policy)) throw new TypeError("a candidate is a Policy, or null");
    if (store !== undefined && !(store instanceof Store)) throw new TypeError("the option `store` is a Store");
    try {
      this.#native.observe(candidate?.native, store?.native);
    } catch (error) {
      throw new TypeError((error as Error).message);
    }
    this.#isHeard = this.#onDecision !== undefined || candidate !== null;
  }

  /** What came of all calls since the candidate began; null without a candidate (clause 10.11). */
  observations(): Observations | null {
    const json = this.#native.observations();
    return json === null ? null : (JSON.parse(json) as Observations);
  }

  /**
   * Forgets what no call can see any more, and gives its memory back; tells how many counters were dropped (clause 8.12). For
   * counters in memory and in a SQLite file, after a rush or now and then. Those in Redis expire by themselves: 0.
   *
   * @throws {StoreError} where the counters cannot be reached.
   */
  purge(): number {
    const at = now(this.#host);
    return throwing(() => this.#store.purge(at));
  }

  /** `purge` without blocking on a store that waits for a disk or a network. */
  async purgeAsync(): Promise<number> {
    if (this.#host.immediate) return this.purge();
    const at = now(this.#host);
    const purged = await throwing(() => this.#store.purgeAsync(at));
    if (typeof purged !== "number") throw typed(...purged);
    return purged;
  }

  /**
   * Every counter that holds something, in no particular order (clause 8.12). For operators: a store may have millions.
   *
   * @throws {StoreError} where the counters cannot be reached.
   */
  counters(): LiveCounter[] {
    return counters(this.#store, now(this.#host));
  }

  /** `counters` without blocking on a store that waits for a disk or a network. */
  async countersAsync(): Promise<LiveCounter[]> {
    return countersAsync(this.#store, now(this.#host));
  }

  /**
   * Makes a counter that `counters` listed hold nothing, and tells whether it held something (clause 8.12). A charge made before
   * is not given back after it.
   *
   * @throws {StoreError} where it is unknown whether the counter was reset, {TypeError} for a key that names no counter.
   */
  resetCounter(counter: Pick<LiveCounter, "key">): boolean {
    return resetCounter(this.#store, counter, now(this.#host));
  }

  /** `resetCounter` without blocking on a store that waits for a disk or a network. */
  async resetCounterAsync(counter: Pick<LiveCounter, "key">): Promise<boolean> {
    return resetCounterAsync(this.#store, counter, now(this.#host));
  }

  /** Calls that wait for approval in the engine's store, or were answered there, the oldest first; as `Store.approvals`. */
  approvals(): Promise<FiledCall[]> {
    return filed(this.#store, now(this.#host));
  }

  /** One of them, with its arguments; null where there is none. */
  approval(id: string): Promise<FiledCall | null> {
    return findFiled(this.#store, id, now(this.#host));
  }

  /** Grants one of them; as `Store.grantApproval`. */
  grantApproval(id: string, answer: ApprovalByPerson): Promise<FiledCall | null> {
    return answerFiled(this.#store, id, true, answer, now(this.#host));
  }

  /** Denies one of them; as `Store.denyApproval`. */
  denyApproval(id: string, answer: ApprovalByPerson): Promise<FiledCall | null> {
    return answerFiled(this.#store, id, false, answer, now(this.#host));
  }

  /** @internal Files the call of a decision; null where it asks for no approval. */
  async file(decision: Decision, filing: Filing): Promise<native.Stands | null> {
    return decision.file(this.#store, filing, now(this.#host));
  }

  /** Whether the caller may see the tool in `tools/list` (clause 10.9). */
  visible(tool: string, identity?: Identity, server?: string | null): boolean {
    return this.policy.visible(tool, identity, server);
  }

  /** The tools that the caller may see, in their order; all by one policy (clause 10.9). */
  filterTools<T extends NamedTool>(tools: readonly T[], identity?: Identity, server?: string | null): T[] {
    return this.policy.filterTools(tools, identity, server);
  }

  /**
   * Ends the watching of the policy file, and closes the store that the engine opened. Calls that counters decide are then as if it
   * could not be reached; those that wait for it now get their answer. A `Store` that it was given stays open, for the others that
   * use it, and the engine's own counters in memory go on.
   */
  close(): void {
    this.#native.close();
    if (this.#ownsStore && !this.#store.immediate) this.#store.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #asked(args: unknown, isRaw: boolean, identity: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): native.Asked {
    const audit = this.#onDecision !== undefined;
    const asked: native.Asked = { probe, args, raw: isRaw, identity: identity ?? null, audit };
    if (approved !== undefined && approved !== null) {
      const { key, id, givenAt } = approved;
      if (typeof key !== "string" || typeof id !== "string") throw new TypeError("an approval has a key and an id");
      asked.approvalKey = key;
      asked.approvalId = id;
      if (givenAt !== undefined) {
        const at = givenAt instanceof Date ? givenAt.getTime() : givenAt;
        if (typeof at !== "number" || Number.isNaN(at)) throw new TypeError("`givenAt` is a date or milliseconds since the epoch");
        asked.approvalGivenAt = at;
      }
    }
    if (check !== undefined && check !== null) {
      if (!(check instanceof ArgsCheck)) throw new TypeError("`check` is an ArgsCheck");
      asked.check = check.native;
    }
    if (isGiven(server)) asked.server = serverName(server);
    const shown = now(this.#host);
    if (shown !== null) asked.now = shown;
    return asked;
  }

  #evaluate(plans: Plans, name: string, asked: native.Asked): Decision {
    return this.#decided(...plans.with(name, (plan) => throwing(() => plan.native.evaluate(asked))));
  }

  async #evaluateAsync(plans: Plans, name: string, asked: native.Asked): Promise<Decision> {
    const [answer, plan] = plans.with(name, (plan) => throwing(() => plan.native.evaluateAsync(asked)));
    return this.#decided(await answer, plan);
  }

  #decided(answer: native.Answer, plan: Plan): Decision {
    const made = new Decision(answer.packed, plan, this.#host);
    keepObserved(made, answer.observed, this.#host);
    if (this.#onDecision !== undefined && typeof answer.audit === "string") {
      const heard: unknown = this.#onDecision(JSON.parse(answer.audit) as AuditRecord, made);
      if (promised(heard, () => {})) {
        throw new TypeError("`onDecision` answered with a promise: nobody knows whether it recorded the decision");
      }
    }
    return made;
  }

  #explain(tool: string, asked: native.Asked): Explanation {
    const [explained, plan] = this.#plans.with(tool, (plan) => throwing(() => plan.native.explain(asked)));
    return this.#explained(explained, plan);
  }

  async #explainAsync(tool: string, asked: native.Asked): Promise<Explanation> {
    const [explained, plan] = this.#plans.with(tool, (plan) => throwing(() => plan.native.explainAsync(asked)));
    return this.#explained(await explained, plan);
  }

  #explained({ packed, checks }: native.Explained, plan: Plan): Explanation {
    return { decision: new Decision(packed, plan, this.#host), checks };
  }
}

/** Who hears that another policy is in force. Holds none of them: a connection that nobody closes may be forgotten. */
class Replaced {
  readonly #listeners = new Set<WeakRef<() => void>>();
  readonly #forgotten = new FinalizationRegistry<WeakRef<() => void>>((listener) => this.#listeners.delete(listener));

  add(listener: () => void): () => void {
    const held = new WeakRef(listener);
    this.#listeners.add(held);
    this.#forgotten.register(listener, held);
    return () => this.#listeners.delete(held);
  }

  tell(): void {
    for (const listener of this.#listeners) listener.deref()?.();
  }
}

/** The store that the host gave, which has its own namespace and time-out. */
function shared(store: Store, { storeNamespace, storeTimeoutMs }: EngineOptions): native.NativeStore {
  for (const [name, value] of Object.entries({ storeNamespace, storeTimeoutMs })) {
    if (value !== undefined) throw new TypeError(`the option \`${name}\` is for a store URL: a Store was opened with its own`);
  }
  return store.native;
}

function openedBy(url: string, { storeNamespace, storeTimeoutMs }: EngineOptions, lenient: boolean): native.NativeStore {
  if (typeof url !== "string") throw new TypeError("the option `store` is a string or a Store");
  const timeout = storeTimeoutMs === undefined ? undefined : millis("storeTimeoutMs", storeTimeoutMs);
  return opened(url, storeNamespace, timeout, lenient);
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== undefined && value !== null;
}

function raw(text: string): string {
  if (typeof text !== "string") throw new TypeError("raw arguments are a string of JSON");
  return text;
}

function warnOfReload(error: CallgateError): void {
  process.emitWarning(`the policy in force stays: ${error.message}`, { type: "CallgateWarning", code: error.code });
}

type OnWarning = NonNullable<EngineOptions["onWarning"]>;

function warn(warning: Diagnostic, file: string | null): void {
  const place = file === null ? "" : `${file}:`;
  process.emitWarning(`${place}${warning}`, { type: "CallgateWarning", code: warning.code });
}

/** Reports the warnings of a policy that is in force, each with the file of its layer. */
function report(of: { readonly warningsByLayer: native.Finding[][] }, files: Policy["files"], onWarning: OnWarning): void {
  for (const [layer, findings] of of.warningsByLayer.entries()) {
    const file = files[layer] ?? null;
    for (const finding of findings) tell("onWarning", (heard) => onWarning(heard, file), new Diagnostic(finding));
  }
}

function checked(options: FileOptions, file: boolean): FileOptions {
  const own = read(options, OPTIONS);
  for (const name of FILE_ONLY) if (!file && name in own) throw new TypeError(`the option \`${name}\` is one of Engine.fromFile`);
  return own;
}
