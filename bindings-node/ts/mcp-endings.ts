// How calls end: what is given back, who hears of it, and what is written down.
//
// In: a call, how it ended, and the answer that goes out. Out: its charges as the policy has them then, before the answer. Must not release what may
// have run (clause 8.10), and must not fail for what a callback throws.

import { type Decision, type Outcome, observedEnd } from "./decision.js";
import type { About, Audit } from "./mcp-audit.js";
import { type Call, contextOf } from "./mcp-call.js";
import type { McpTransport, ServerError } from "./mcp-context.js";
import type { Message } from "./mcp-message.js";
import type { GuardOptions } from "./mcp-options.js";
import { resultOf } from "./mcp-results.js";
import { promised } from "./options.js";

/** @internal Those of one connection. */
export class Endings {
  readonly #options: GuardOptions;
  readonly #transport: McpTransport;
  readonly #audit: Audit | undefined;
  readonly #report: (error: unknown) => void;

  constructor(options: GuardOptions, transport: McpTransport, audit: Audit | undefined, report: (error: unknown) => void) {
    this.#options = options;
    this.#transport = transport;
    this.#audit = audit;
    this.#report = report;
  }

  /** A call was refused by its decision. A promise where the host hears of it, before the answer goes out. */
  denied(call: Call, decision: Decision, answer: string | undefined): Promise<void> | undefined {
    this.record(call, "not_run", undefined);
    return this.#options.onResult === undefined ? undefined : this.#tell(call, decision, "not_run", answer);
  }

  /** A call was refused without a decision. */
  refused(call: Call, why: string): void {
    if (call.ask !== undefined) this.#audit?.call(this.#about(call), null, { outcome: "not_run" }, why);
  }

  /** A call was refused before a decision, since its tool is not as it was approved. */
  changed(call: Call, request: string, tool: string): void {
    this.#audit?.call({ ...this.#about(call), request, tool }, null, { outcome: "not_run" }, "definition_changed");
  }

  /** A call ended (clause 8.13). Its charges are given back before this is done. */
  finished(call: Call, outcome: Outcome, answer: string | undefined): Promise<void> | undefined {
    const { decision } = call;
    if (decision === undefined) return undefined;
    const end = this.#endOf(call, decision, outcome, answer);
    if (!decision.allowed) return this.#release(decision, end);
    return this.over(call, decision, end, answer);
  }

  /** A call that ran is told of, gives back what the policy says, and is recorded. */
  over(call: Call, decision: Decision, end: Outcome, answer?: string): Promise<void> | undefined {
    const told = this.#options.onResult === undefined ? undefined : this.#tell(call, decision, end, answer);
    const ended = told === undefined ? this.#release(decision, end) : told.then(() => this.#release(decision, end));
    if (this.#audit === undefined) return ended;
    if (ended !== undefined) return ended.then(() => this.record(call, end, answer));
    this.record(call, end, answer);
    return undefined;
  }

  /** A record of a call that was decided, and ended so. */
  record(call: Call, outcome: Outcome, answer: string | undefined): void {
    if (this.#audit === undefined || call.decision === undefined) return;
    const { sent, decision } = call;
    const isAnswered = answer !== undefined && outcome !== "cancelled" && outcome !== "not_run";
    const { error } = isAnswered ? (JSON.parse(answer) as { error?: { code?: unknown } }) : {};
    const code = typeof error?.code === "number" ? error.code : null;
    const latencyMs = sent === undefined ? undefined : performance.now() - sent.at;
    this.#audit.call(this.#about(call), decision, { outcome, code, latencyMs, bytesOut: sent?.bytes, bytesIn: isAnswered ? Buffer.byteLength(answer) : 0 }, null);
  }

  #about({ ask, arrived }: Call): About {
    const { method = "tools/call", tool, args, request, protocol } = ask ?? {};
    return { method, tool, args, request, protocol, session: this.#transport.sessionId, identity: arrived.identity };
  }

  /** Tells the host how a call ended. Never rejects. */
  async #tell(call: Call, decision: Decision, outcome: Outcome, answer: string | undefined): Promise<void> {
    try {
      const message = answer === undefined ? undefined : (JSON.parse(answer) as Message);
      await this.#options.onResult?.(decision, resultOf(this.#context(call), outcome, message));
    } catch (error) {
      this.#report(error);
    }
  }

  #endOf(call: Call, decision: Decision, outcome: Outcome, answer: string | undefined): Outcome {
    const isAnswered = outcome === "error" || outcome === "tool_error";
    if (isAnswered && call.running?.isRefused === true) return "not_run";
    return outcome === "error" && decision.reservation !== null && this.#refunds(call, answer) ? "not_run" : outcome;
  }

  /** Gives back what the policy says. */
  #release(decision: Decision, outcome: Outcome): Promise<void> | undefined {
    try {
      const { reservation } = decision;
      if (reservation?.givesBack(outcome) === true) return reservation.finishAsync(outcome).catch((error: unknown) => this.#report(error));
      observedEnd(decision, outcome);
    } catch (error) {
      this.#report(error);
    }
    return undefined;
  }

  /** Whether the host gives a call back that the server answered with an error. */
  #refunds(call: Call, text: string | undefined): boolean {
    const { refundOnError } = this.#options;
    if (refundOnError === undefined || text === undefined) return false;
    try {
      const { error } = JSON.parse(text) as { error?: Partial<ServerError> };
      const { code, message, data } = error ?? {};
      const answer: unknown = refundOnError(this.#context(call), { code: Number(code), message: String(message), data });
      if (typeof answer === "boolean") return answer;
      // A promise says nothing yet.
      promised(answer, (failure) => this.#report(failure));
      this.#report(new TypeError("`refundOnError` answers true or false"));
    } catch (failure) {
      this.#report(failure);
    }
    return false;
  }

  #context(call: Call) {
    return contextOf(call, this.#transport.sessionId);
  }
}
