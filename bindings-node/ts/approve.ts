// Ready-made callbacks that ask for approval.
//
// In: a call that needs approval. Out: an approval, or a refusal. Must not take an answer for a yes that is not one, and must not show a person
// text that steers what is around it.

import { randomUUID } from "node:crypto";
import type { Engine } from "./engine.js";
import type { ApprovalRequest, Elicitation, OnApproval } from "./mcp-approvals.js";
import { CannotAsk } from "./mcp-asks.js";
import { isObject, member } from "./mcp-message.js";
import { type Kind, choice, millis, read } from "./options.js";
import { shown, shownJson } from "./shown.js";

/** How a client is asked. */
export interface ElicitationOptions {
  /** Stands above the policy's message, the tool, its arguments and the rules that ask; a function says all that the person reads. */
  readonly message?: string | ((request: ApprovalRequest) => string);
  /**
   * For how long a yes is kept for the same call, in milliseconds, where the rules let an approval be used more than once (`uses`); an hour
   * unless given, and never longer than the rules say.
   */
  readonly validForMs?: number;
}

/** How calls are filed. */
export interface StoreApprovalOptions {
  /** How long a call waits for an answer, in milliseconds; 0, the default, answers at once, and the client makes the call again. */
  readonly waitMs?: number;
  /** What is kept of the arguments, for the person to see: their text (`full`, the default), their names, or nothing (clause 7.12). */
  readonly args?: "full" | "keys" | "none";
  /** How records name the server; the guard's `serverName` unless given. */
  readonly server?: string;
}

const ELICITATION: Readonly<Record<keyof ElicitationOptions, Kind>> = { message: "any", validForMs: "number" };
const STORE: Readonly<Record<keyof StoreApprovalOptions, Kind>> = { waitMs: "number", args: "string", server: "string" };

const HOUR_MS = 3_600_000;
/** Yeses that are kept for an engine. */
const MOST_KEPT = 1_000;
/** Characters of arguments that a person is shown. Nobody is asked about a call with more: nobody approves what nobody saw. */
const SHOWN_ARGS = 10_000;
/** How often the store is asked whether a person has answered. */
const LOOK_MS = 500;
const LONGEST_MS = 2 ** 31 - 1;

/** To accept it is all that is asked. */
const FORM = { type: "object", properties: {} };

/**
 * Asks the client that makes the call, by `elicitation/create`; under 2026-07-28 as a round of the call. Without a client that can be asked, the
 * call is answered as if nobody could be. **A client that is only the agent proves nothing by its answer**: use it where the client shows the
 * question to a person.
 */
export function approveByElicitation(options: ElicitationOptions = {}): OnApproval {
  const { message, validForMs = HOUR_MS } = read(options, ELICITATION);
  if (message !== undefined && typeof message !== "string" && typeof message !== "function") throw new TypeError("the option `message` is a string or a function");
  millis("validForMs", validForMs);
  return async (request) => {
    const kept = keptOf(request.engine);
    const { key, uses } = request.decision.approval ?? { key: "", uses: 1 };
    const now = request.engine.now;
    const before = kept.get(key);
    kept.delete(key);
    if (before !== undefined && request.decision.code !== "approval_spent" && now < before.givenAt + validForMs) {
      kept.set(key, before);
      return { ...before, again: true };
    }
    const text = typeof message === "function" ? message(request) : question(request, message);
    if (text === null) return null;
    let answer: Elicitation;
    try {
      answer = await request.elicit(text, FORM);
    } catch (error) {
      if (error instanceof CannotAsk) return null;
      throw error;
    }
    if (answer.action !== "accept") return null;
    const given = { id: randomUUID(), givenAt: request.engine.now };
    if (uses > 1) {
      if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value ?? "");
      kept.set(key, given);
    }
    return { ...given, again: true };
  };
}

/** What the form says; null for what is too long to be read. */
function question({ tool, arguments: args, decision }: ApprovalRequest, above: string | undefined): string | null {
  const text = shownJson(args ?? {});
  if (text.length > SHOWN_ARGS) return null;
  const rules = (decision.approval?.rules ?? []).map(({ name, pointer }) => shown(name ?? pointer));
  const lines = [shown(decision.message ?? ""), `Tool: ${shown(tool)}`, `Arguments: ${text}`, `Asked by: ${rules.join(", ")}`];
  return [...(above === undefined ? [] : [above]), ...lines].join("\n");
}

const kept = new WeakMap<Engine, Map<string, { id: string; givenAt: number }>>();

function keptOf(engine: Engine): Map<string, { id: string; givenAt: number }> {
  let own = kept.get(engine);
  if (own === undefined) kept.set(engine, (own = new Map()));
  return own;
}

/**
 * Files the call in the engine's store, where `callgate approvals`, or `store.answerApproval` of any process, answers it (clauses 7.7 to 7.9), as the
 * gateway does. The call is refused until then, and told its id; the same call, made again, finds the answer. With `waitMs` it waits so long first.
 */
export function approveByStore(options: StoreApprovalOptions = {}): OnApproval {
  const { waitMs = 0, args = "full", server } = read(options, STORE);
  if (waitMs !== 0) millis("waitMs", waitMs, LONGEST_MS);
  choice("args", args, ["full", "keys", "none"]);
  return async (request) => {
    const { decision, identity, engine, signal } = request;
    const id = isObject(identity) ? member(identity, "id") : identity;
    const caller = typeof id === "string" ? id : null;
    const text = JSON.stringify(request.arguments ?? {});
    const until = Date.now() + waitMs;
    for (;;) {
      const standing = await engine.file(decision, { server: server ?? request.serverName ?? "", caller, shown: args, args: text });
      if (standing === null || signal.aborted) return null;
      const { state, id: approvalId, told, approval, givenAt } = standing;
      if (state === "granted" && approval !== undefined) return { id: approval, givenAt, again: true };
      const left = until - Date.now();
      if (state !== "waits" || left <= 0) {
        return { refused: told ?? "", ...(approvalId === undefined ? {} : { approvalId }) };
      }
      await pause(Math.min(LOOK_MS, left), signal);
    }
  };
}

function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, delayMs);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}
