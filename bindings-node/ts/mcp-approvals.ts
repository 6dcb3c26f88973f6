// Calls that wait for a person.
//
// In: a call whose decision asks for approval, and the host's callback. Out: the decision that follows from the person's answer, or a question to
// the client that calls. Must not let a call through but by the engine's decision; must not decide anything for a call that has ended (clause
// 7.6); must not keep more calls waiting than the host said.

import { randomUUID } from "node:crypto";
import type { Decision } from "./decision.js";
import type { Approval, Engine } from "./engine.js";
import type { Identity } from "./identity.js";
import { type Asks, CannotAsk } from "./mcp-asks.js";
import { type Id, type Message, isObject, member } from "./mcp-message.js";
import { type Parked, type Resumed, Rounds, type Same, askableInRounds, digestOf, hasRounds, isSame } from "./mcp-rounds.js";
import type { CallContext } from "./mcp-context.js";

/** A call that needs approval. */
export interface ApprovalRequest extends CallContext {
  readonly decision: Decision;
  readonly identity: Identity;
  /** The engine that decided. */
  readonly engine: Engine;
  /** The guard's option. */
  readonly serverName: string | undefined;
  /**
   * Aborted when the call ends before it is approved (clause 7.6): the connection is closed, the client cancels it, the HTTP
   * stream is closed that should carry the answer, or `approvalTimeoutMs` has passed. An approval that comes later is dropped.
   */
  readonly signal: AbortSignal;
  /**
   * Asks whoever sits at the client that made this call, and at no other, by a form (`elicitation/create`). `schema` is that of the form: an
   * object of plain values. Under 2026-07-28 the question is a round of the call, one at a time. Rejects with the code `cannot_ask` where the client
   * has not declared that it answers questions, answers with an error, or goes away. A client proves nothing about who answers.
   */
  elicit(message: string, schema: Readonly<Record<string, unknown>>): Promise<Elicitation>;
}

/** What the calling client answered to a question. */
export interface Elicitation {
  readonly action: "accept" | "decline" | "cancel";
  /** The fields of the form, where it was accepted; else empty. */
  readonly content: Readonly<Record<string, unknown>>;
}

/** An approval that was given before now, such as one that a store has. */
export interface GivenApproval {
  /** Its own id, 1 to 256 bytes, never used for another. */
  readonly id: string;
  /** When it was given; now unless told. */
  readonly givenAt?: Date | number | undefined;
  /** @internal Whether another is to be asked for where this one is spent. */
  readonly again?: boolean;
}

/** A refusal with words of its own, which the caller is told behind the decision's. */
export interface Refusal {
  readonly refused: string;
  /** Under what the call was filed: `_meta["callgate/approval_id"]` of the answer. */
  readonly approvalId?: string | undefined;
}

/** An approval's own id, true for an approval without one, an approval that was given before; or a refusal. */
export type ApprovalAnswer = string | boolean | GivenApproval | Refusal | null | undefined;

/** What a guard asks for approval. */
export type OnApproval = (request: ApprovalRequest) => ApprovalAnswer | Promise<ApprovalAnswer>;

/** How often a call is decided again because another took its approval. */
const TIMES = 3;
/** Progress is told of a call that waits at least each second. */
const PROGRESS_MS = 900;
/** What a tool reports of its own progress afterwards is more. */
const PROGRESS_STEP = 1e-6;
/** Calls of one caller that wait unless the host says otherwise. */
export const MAX_WAITING = 100;

/** A call that was decided, in the hands of what speaks with its client. */
export interface Held {
  /** The request's id. */
  readonly id: Id;
  /** Its params, for what they say of the client. */
  readonly params: Message;
  /** A copy for the callback. */
  readonly call: CallContext;
  readonly identity: Identity;
  readonly engine: Engine;
  readonly decision: Decision;
  readonly serverName: string | undefined;
  /** The round that this call goes on with. */
  readonly resumed: Resumed<Asking> | null;
  /** Null where the request is not the client's own. */
  readonly asks: Asks | null;
  /** Aborted when the call ends. */
  readonly signal: AbortSignal;
  /** Decides the call once more. */
  again(approval: Approval): Promise<Decision>;
}

/** What follows for a call: a decision, with what its caller is told beside it, or a question to its client. */
export type Settled = { readonly decision: Decision; readonly told?: Refusal } | { readonly question: Message };

/** @internal What guards of one engine share: a call may come again to another of them. */
class Desk {
  readonly rounds = new Rounds<Asking>();
  readonly #waiting = new Map<string, number>();

  /** Takes a place for a caller's call, if there is one. Gives what gives it back, once. */
  enter(identity: Identity, most: number): (() => void) | null {
    const id = typeof identity === "string" ? identity : isObject(identity) ? member(identity, "id") : undefined;
    // Callers that nobody knows have one ceiling together.
    const caller = typeof id === "string" ? `=${id}` : "";
    const count = this.#waiting.get(caller) ?? 0;
    if (count >= most) return null;
    this.#waiting.set(caller, count + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const now = (this.#waiting.get(caller) ?? 1) - 1;
      if (now > 0) this.#waiting.set(caller, now);
      else this.#waiting.delete(caller);
    };
  }
}

const desks = new WeakMap<object, Desk>();

function deskOf(owner: object): Desk {
  let desk = desks.get(owner);
  if (desk === undefined) desks.set(owner, (desk = new Desk()));
  return desk;
}

/** @internal What a guard has its calls approved by. */
export class Approvals {
  readonly #onApproval: OnApproval | undefined;
  readonly #timeoutMs: number | undefined;
  readonly #most: number;
  readonly #desk: Desk;

  /** Guards of one owner, an engine or what gives one, share what waits. */
  constructor(owner: object, options: { onApproval?: OnApproval; approvalTimeoutMs?: number; maxWaiting?: number }) {
    this.#onApproval = options.onApproval;
    this.#timeoutMs = options.approvalTimeoutMs;
    this.#most = options.maxWaiting ?? MAX_WAITING;
    this.#desk = deskOf(owner);
  }

  /** The params of a call without what is the guard's, and the round that they go on with. Before anybody else sees them. */
  taken(params: Message): { params: Message; resumed: Resumed<Asking> | null } {
    return this.#onApproval === undefined ? { params, resumed: null } : this.#desk.rounds.taken(params);
  }

  /** What follows for a call that was decided. Rejects with what the callback threw. */
  async settle(held: Held): Promise<Settled> {
    const { decision, resumed, engine, identity, call } = held;
    resumed?.settled();
    const key = decision.effect === "require_approval" ? decision.approval?.key : undefined;
    if (this.#onApproval === undefined || key === undefined || held.signal.aborted) {
      resumed?.parked.end();
      return { decision };
    }
    const same: Same = { key, method: call.method, tool: call.tool, digest: digestOf(call.arguments), identity, engine };
    if (resumed !== null) {
      if (isSame(resumed.same, same)) return resumed.parked.resume(held, resumed.answer);
      resumed.parked.end();
    }
    const leave = this.#desk.enter(identity, this.#most);
    if (leave === null) return { decision };
    return new Asking(this.#onApproval, held, same, this.#desk.rounds, leave, this.#timeoutMs).run();
  }
}

/** A person who is asked about a call, over all of its rounds. */
export class Asking implements Parked {
  readonly #onApproval: OnApproval;
  readonly #rounds: Rounds<Asking>;
  readonly #leave: () => void;
  readonly #abort = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #same: Same;
  /** The request that waits for the answer; none between two rounds. */
  #held: Held | null;
  #answer: Promise<ApprovalAnswer>;
  #times = 1;
  #question: { params: Message; resolve(answer: Message): void; reject(error: unknown): void } | null = null;
  /** Wakes `run`, where there is a question or the end. */
  #wake = () => {};
  #ended = false;

  constructor(onApproval: OnApproval, held: Held, same: Same, rounds: Rounds<Asking>, leave: () => void, timeoutMs: number | undefined) {
    this.#onApproval = onApproval;
    this.#rounds = rounds;
    this.#leave = leave;
    this.#same = same;
    this.#held = held;
    if (timeoutMs !== undefined) {
      this.#timer = setTimeout(() => this.end(), timeoutMs);
      // A process that has nothing else to do ends, and the call with it.
      this.#timer.unref();
    }
    this.#answer = this.#called(held, held.decision);
  }

  /** Whatever is answered from here on is dropped. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#leave();
    // Before the signal: what its listeners answer comes too late.
    this.#wake();
    this.#abort.abort();
    this.#question?.reject(new CannotAsk("the call ended before its client answered"));
    this.#question = null;
  }

  /** The client came again. */
  resume(held: Held, answer: Message | undefined): Promise<Settled> {
    const question = this.#question;
    this.#question = null;
    this.#held = held;
    if (answer === undefined) question?.reject(new CannotAsk("the client did not answer"));
    else question?.resolve(answer);
    return this.run();
  }

  async run(): Promise<Settled> {
    const held = this.#held;
    if (held === null) throw new TypeError("no call waits");
    let { decision } = held;
    const over = () => this.end();
    held.signal.addEventListener("abort", over, { once: true });
    if (held.signal.aborted) over();
    const stop = progress(held);
    let isParked = false;
    try {
      for (;;) {
        const answer = await this.#next();
        if (this.#ended) return { decision };
        if (this.#question !== null) {
          const { params, reject } = this.#question;
          try {
            const question = this.#rounds.ask(this, this.#same, params);
            this.#held = null;
            isParked = true;
            return { question };
          } catch (error) {
            this.#question = null;
            reject(error);
            continue;
          }
        }
        const given = givenBy(answer, held.engine);
        if (given === null) return refused(decision, answer);
        const next = await held.again({ key: this.#same.key, id: given.id, givenAt: given.givenAt });
        const asks = next.effect === "require_approval" && next.approval?.key === this.#same.key;
        if (!asks || given.again !== true || this.#times >= TIMES || this.#ended) return { decision: next };
        // Another call took the approval.
        this.#times += 1;
        decision = next;
        this.#answer = this.#called(held, next);
      }
    } finally {
      stop();
      held.signal.removeEventListener("abort", over);
      if (!isParked) this.end();
    }
  }

  /** What the callback answers; undefined where it asks its client first, or the call ended. */
  #next(): Promise<ApprovalAnswer> {
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(undefined);
      if (this.#ended || this.#question !== null) this.#wake();
      this.#answer.then(resolve, reject);
    });
  }

  async #called(held: Held, decision: Decision): Promise<ApprovalAnswer> {
    const { call, identity, engine, serverName } = held;
    const elicit: ApprovalRequest["elicit"] = async (message, requestedSchema) => {
      const answer = await this.#ask({ mode: "form", message, requestedSchema });
      const { action, content } = answer;
      // What is none is a refusal.
      if (action !== "accept" && action !== "decline") return { action: "cancel", content: {} };
      return { action, content: action === "accept" && isObject(content) ? content : {} };
    };
    return this.#onApproval({ ...call, decision, identity, engine, serverName, signal: this.#abort.signal, elicit });
  }

  async #ask(params: Message): Promise<Message> {
    const held = this.#held;
    if (this.#ended) throw new CannotAsk("the call ended");
    if (held === null || this.#question !== null) throw new CannotAsk("the client is asked one thing at a time");
    if (held.asks === null) throw new CannotAsk("a client is asked about its own requests");
    if (!hasRounds(held.params)) return held.asks.elicit(params, held.id, this.#abort.signal);
    askableInRounds(held.params);
    return new Promise((resolve, reject) => {
      this.#question = { params, resolve, reject };
      this.#wake();
    });
  }
}

/** The approval that an answer is, if it is one. */
function givenBy(answer: ApprovalAnswer, engine: Engine): { id: string; givenAt: Date | number; again?: boolean } | null {
  if (answer === true) return { id: randomUUID(), givenAt: engine.now };
  if (typeof answer === "string") return { id: answer, givenAt: engine.now };
  if (!isObject(answer) || typeof answer["id"] !== "string") return null;
  const { id, givenAt = engine.now, again } = answer as unknown as GivenApproval;
  return { id, givenAt, ...(again === true ? { again } : {}) };
}

function refused(decision: Decision, answer: ApprovalAnswer): Settled {
  if (!isObject(answer) || typeof answer["refused"] !== "string") return { decision };
  const { refused, approvalId } = answer as unknown as Refusal;
  return { decision, told: typeof approvalId === "string" ? { refused, approvalId } : { refused } };
}

/** Tells the client that its call waits, until it is stopped. */
function progress({ params, asks, id }: Held): () => void {
  const meta = member(params, "_meta");
  const progressToken = isObject(meta) ? member(meta, "progressToken") : undefined;
  if (typeof progressToken !== "string" && typeof progressToken !== "number") return () => {};
  let count = 0;
  const timer = setInterval(() => {
    count += 1;
    asks?.notify("notifications/progress", { progressToken, progress: count * PROGRESS_STEP, message: "waits for a person's approval" }, id);
  }, PROGRESS_MS);
  timer.unref();
  return () => clearInterval(timer);
}
