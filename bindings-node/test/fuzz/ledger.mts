// What must be true of a guarded server, whatever its client sends.
//
// In: the messages of all sides, the handlers that ran, and the approvals that were given. Out: nothing, or the first thing that must not be. It
// knows the policy as plain TypeScript, and no code of the guard.

import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";

export type Message = Record<string, unknown>;

/** A call that reached the server. */
export interface Passed {
  readonly link: object;
  readonly id: unknown;
  readonly tool: string;
  readonly args: Message;
  readonly caller: string | undefined;
  ran: number;
  /** How it ended; undefined while it runs. */
  end: "done" | "tool_error" | "error" | "asks" | "gone" | undefined;
  /** The state that its client gives back, where it `asks`. */
  state: string | undefined;
  /** The policy under which its first round was decided, and how many rounds came before this one. */
  readonly policy: string;
  readonly round: number;
  /** The round that goes on with it. */
  next: Passed | undefined;
}

/** A person who was asked. */
export interface Question {
  readonly tool: string;
  readonly args: Message;
  readonly caller: string | undefined;
  /** Whether there was a yes in time, which no call has used. */
  isYes: boolean;
}

/** What the servers tell. */
export interface Records {
  passed(link: object, message: Message, caller: string | undefined): Passed | undefined;
  answered(link: object, message: Message): void;
  ran(passed: Passed | undefined, tool: string, args: Message): void;
  closed(link: object): void;
}

const MOST_ROUNDS = 8;
const OWN_STATE = "callgate.ask.";

const isObject = (value: unknown): value is Message => typeof value === "object" && value !== null && !Array.isArray(value);

/** A message with its members in one order. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) => (isObject(one) ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1))) : one)) ?? "";

/** A client's message as the server is to get it. */
function expected(message: unknown): string {
  const copy = JSON.parse(JSON.stringify(message) ?? "null") as unknown;
  if (isObject(copy) && isObject(copy["params"])) {
    const { params } = copy;
    if (copy["method"] === "tools/call" && params["arguments"] === null) delete params["arguments"];
    if (typeof params["requestState"] === "string" && params["requestState"].startsWith(OWN_STATE)) {
      delete params["requestState"];
      delete params["inputResponses"];
    }
  }
  return canonical(copy);
}

/** Whether the policy allows a call, but for its counters and approvals. */
function isAllowed(tool: string, args: Message, caller: string | undefined): boolean {
  const { amount } = args;
  if (["pay", "settle", "strict"].includes(tool)) return amount === undefined || (typeof amount === "number" && amount >= 0);
  if (tool === "capped") return typeof amount === "number" && amount <= 100;
  if (tool === "mine") return caller === "alice";
  return ["free", "fail", "flaky", "busy", "ask", "book", "ask_book"].includes(tool);
}

/** Whether the server's own schema refuses arguments before the handler. */
const isRefused = ({ tool, args }: Passed) => tool === "strict" && !(typeof args["amount"] === "number" && args["amount"] <= 9);

export class Ledger implements Records {
  readonly #sent = new Set<string>();
  readonly #passed: Passed[] = [];
  readonly #questions: Question[] = [];
  readonly #closed = new WeakSet<object>();
  /** Whether rounds go on over all connections. */
  readonly #isShared: boolean;
  /** Whether the guard hears what the server's wrapper refuses. */
  readonly #hasWrapper: boolean;
  /** Names the policy in force. */
  #policy = "";
  /** The first thing that must not be. A guard survives what a server throws, so that it is kept until somebody looks. */
  failure: unknown;

  constructor(isShared: boolean, hasWrapper: boolean) {
    this.#isShared = isShared;
    this.#hasWrapper = hasWrapper;
  }

  #must<T>(check: () => T): T | undefined {
    try {
      return check();
    } catch (error) {
      this.failure ??= error;
      return undefined;
    }
  }

  reloaded(policy: string): void {
    this.#policy = policy;
    // Over HTTP they end once their client comes again.
    if (!this.#isShared) for (const one of this.#passed) if (one.end === "asks" && one.next === undefined) one.end = "done";
  }

  /** A client sends this. */
  sent(message: unknown): void {
    this.#sent.add(expected(message));
  }

  asked({ tool, args, caller }: { tool: string; args: unknown; caller: string | undefined }): Question {
    const own = { tool, args: isObject(args) ? args : {}, caller, isYes: false };
    this.#questions.push(own);
    return own;
  }

  passed(link: object, message: Message, caller: string | undefined): Passed | undefined {
    return this.#must(() => this.#passes(link, message, caller));
  }

  #passes(link: object, message: Message, caller: string | undefined): Passed | undefined {
    assert.ok(!this.#closed.has(link), "nothing passes once the guard knows that the connection is closed");
    const { id, method, params } = message;
    if (method === "tools/list" && String(id).startsWith("callgate")) return undefined;
    assert.ok(this.#sent.has(canonical(message)), `nobody sent this: ${JSON.stringify(message)}`);
    assert.ok("method" in message || !String(id).startsWith("callgate-"), "an answer to the guard is not for the server");
    const given = isObject(params) ? params : {};
    assert.ok(!String(given["requestState"]).startsWith(OWN_STATE), "a state of the guard's is not for the server");
    if (method === "notifications/cancelled") this.#ended(link, given["requestId"], "gone");
    if (method !== "tools/call") return undefined;
    const [tool, args] = [String(given["name"]), isObject(given["arguments"]) ? given["arguments"] : {}];
    assert.ok(isAllowed(tool, args, caller), `${tool} is not allowed for ${String(caller)}: ${JSON.stringify(args)}`);
    const before = this.#before(link, tool, args, caller, given["requestState"]);
    const passed: Passed = { link, id, tool, args, caller, ran: 0, end: undefined, state: undefined, policy: this.#policy, round: before === undefined ? 0 : before.round + 1, next: undefined };
    if (before !== undefined) before.next = passed;
    else if (tool.startsWith("ask")) this.#approved(passed);
    this.#passed.push(passed);
    const busy = this.#passed.filter((one) => one.tool === "busy" && one.end === undefined);
    assert.ok(busy.length <= 3, `${busy.length} calls are in flight where three may be`);
    return passed;
  }

  /** The call that this one goes on with (clause G5.2). */
  #before(link: object, tool: string, args: Message, caller: string | undefined, state: unknown): Passed | undefined {
    const isSame = (one: Passed) =>
      one.end === "asks" && one.next === undefined && one.state === state && one.tool === tool && one.caller === caller && one.policy === this.#policy &&
      one.round + 1 < MOST_ROUNDS && (this.#isShared || one.link === link) && isDeepStrictEqual(one.args, args);
    const alike = this.#passed.filter(isSame);
    // Calls that are alike in all cannot be told apart: but for one they have ended.
    for (const one of alike.slice(0, -1)) one.end = "done";
    return alike.at(-1);
  }

  /** One yes is for one call. */
  #approved({ tool, args, caller }: Passed): void {
    const yes = this.#questions.find((one) => one.isYes && one.tool === tool && one.caller === caller && isDeepStrictEqual(one.args, args));
    assert.ok(yes, `nobody approved ${tool} for ${String(caller)}: ${JSON.stringify(args)}`);
    yes.isYes = false;
  }

  answered(link: object, message: Message): void {
    const { id, result, error } = message;
    if ("method" in message) return;
    const asks = isObject(result) && result["resultType"] === "input_required";
    const passed = this.#ended(link, id, error !== undefined ? "error" : asks ? "asks" : isObject(result) && result["isError"] === true ? "tool_error" : "done");
    if (asks && passed !== undefined) passed.state = String(result["requestState"]);
  }

  #ended(link: object, id: unknown, end: NonNullable<Passed["end"]>): Passed | undefined {
    const passed = this.#passed.filter((one) => one.link === link && one.id === id && one.end === undefined).at(-1);
    if (passed !== undefined) passed.end = end;
    return passed;
  }

  ran(passed: Passed | undefined, tool: string, args: Message): void {
    this.#must(() => {
      assert.ok(passed, `a handler ran for no call: ${tool}`);
      passed.ran += 1;
      assert.deepEqual([tool, canonical(args), passed.ran], [passed.tool, canonical(passed.args), 1], "what was sent is what runs, once");
    });
  }

  closed(link: object): void {
    this.#closed.add(link);
    for (const one of this.#passed) {
      const waits = one.end === undefined || (one.end === "asks" && one.next === undefined && !this.#isShared);
      if (one.link === link && waits) one.end = "gone";
    }
  }

  /** What the counters have to hold once nothing runs any more; NaN where that depends on who comes again. */
  owed(): Map<string, number> {
    const owed = new Map<string, number>();
    const stale = new Set<string>();
    const add = (name: string, amount: number) => amount !== 0 && owed.set(name, (owed.get(name) ?? 0) + amount);
    for (const first of this.#passed) {
      if (first.round > 0) continue;
      let last = first;
      while (last.next !== undefined) last = last.next;
      const { tool, args, end } = last;
      const isFailed = end === "error" || end === "tool_error";
      if (last.ran === 0 && end === "tool_error" && this.#hasWrapper && isRefused(last)) continue;
      const amount = typeof args["amount"] === "number" ? args["amount"] : 0;
      if (tool === "pay" || tool === "strict") add(`${tool} sum`, amount);
      else if (tool === "settle") add("settle sum", last.ran === 0 ? amount : amount / 2);
      else if (tool === "fail") add("fail back", end === "error" ? 0 : 1), add("fail kept", 1);
      else if (tool === "flaky") add("flaky back", isFailed ? 0 : 1), add("flaky kept", end === "error" ? 0 : 1);
      else if (tool !== "free") add(`${tool} n`, 1);
      const isUnderWay = end === undefined || end === "asks";
      if (end === "asks" && (last.policy !== this.#policy || this.#isAlike(last))) stale.add(`${tool} _in_flight`);
      else if (["busy", "book", "ask_book"].includes(tool) && isUnderWay) add(`${tool} _in_flight`, 1);
    }
    for (const name of stale) owed.set(name, NaN);
    return owed;
  }

  /** Whether another call waits for its client that is alike in all. Over HTTP whatever brings their state ends all but one. */
  #isAlike({ tool, args, caller, state }: Passed): boolean {
    const isAlike = (one: Passed) => one.end === "asks" && one.next === undefined && one.state === state && one.tool === tool && one.caller === caller && isDeepStrictEqual(one.args, args);
    return this.#passed.filter(isAlike).length > 1;
  }

  get calls(): number {
    return this.#passed.length;
  }
}
