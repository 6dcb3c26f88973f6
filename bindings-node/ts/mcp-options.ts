// The options of a guard.
//
// In: what the host gives. Out: the same, each of a known name, type and range. Must not let a guard begin with one that it would not keep.

import { Engine } from "./engine.js";
import type { Identity } from "./identity.js";
import type { OnApproval } from "./mcp-approvals.js";
import type { AuditSink } from "./mcp-audit.js";
import type { CallContext, EngineOf, ServerError } from "./mcp-context.js";
import { pinsOf } from "./mcp-lock.js";
import type { OnResult } from "./mcp-results.js";
import type { OnGuardWarning } from "./mcp-warnings.js";
import { type Kind, choice, millis, read } from "./options.js";

/** How a server is guarded. */
export interface GuardOptions {
  /**
   * Who calls. Unless given: from a verified access token, `id` (its subject, else the client's id), `client_id`, `scopes`
   * and the verifier's other claims; without one nobody is known, and limits by session count for all clients together.
   * It is asked for lists that are filtered, too, and for other requests that are decided; the tool's name is then empty.
   */
  readonly identity?: (call: CallContext) => Identity | Promise<Identity>;
  /**
   * Asks for approval of a call: a function, async or not, or `approveByElicitation()` or `approveByStore()`. Gives the approval's own id (1 to
   * 256 bytes, never used before), true if it has none, or an approval that was given before; anything else refuses. Unless given, such
   * calls are answered with an error that carries the approval key. While a call waits, a client that sent a `progressToken` is told so each second.
   */
  readonly onApproval?: OnApproval;
  /** How long a call waits for `onApproval`, in milliseconds; then it is refused. Without end unless given. */
  readonly approvalTimeoutMs?: number;
  /**
   * How many calls of one caller wait for approval at a time; those whose caller nobody knows have one ceiling together. Above it a call is answered
   * as if nobody could be asked. 100 unless given.
   */
  readonly maxWaiting?: number;
  /**
   * Whether an error of the server gives the call's charges back. Unless given, none does: a client can cause an error after
   * the tool ran. True gives back; what it throws, and any answer but true and false, gives nothing back and goes to `onError`.
   * Not asked about a call that its client cancelled.
   */
  readonly refundOnError?: (call: CallContext, error: ServerError) => boolean;
  /**
   * Hears how each decided call ended, before its answer goes out, also of those that were refused. It may settle `decision.reservation`. May be
   * async: the answer waits for it. What it throws goes to `onError`.
   */
  readonly onResult?: OnResult;
  /**
   * Whether arguments are checked before any rule, where rules read them: against the tool's input schema, as the server itself
   * gives it, and for members that fold to one that is read (clauses 3.7 and 3.8). True unless told otherwise: a server may read
   * arguments otherwise than the rules do. The guard asks its server for `tools/list`, by a request of its own that no client sees, and
   * again after `notifications/tools/list_changed`. Where no answer comes within 10 seconds, or an error, calls that need it are refused.
   */
  readonly checkArgs?: boolean;
  /**
   * What becomes of names in a policy that the server does not have, as soon as its list of tools is known: a warning with the nearest tool (`warn`, the
   * default), or no call is decided (`refuse`). Under `refuse` the guard asks the server for its tools at the first call.
   */
  readonly unmatched?: "warn" | "refuse";
  /**
   * Hears of names that the server does not have, of other requests that pass where the policy denies by default, and of rules that need to
   * know who calls where nobody does: over HTTP without a verified token and without `identity`, or where the protocol has no sessions. Once
   * each for an engine's policy. Unless given, all but those of requests are process warnings.
   */
  readonly onWarning?: OnGuardWarning;
  /**
   * Where records go of calls, approvals, lists and reloads, in the form of the gateway's (`spec/audit.schema.json`): a file that no other process
   * appends to, or a function. They hold no argument's value. A record that cannot be written goes to `onError`.
   */
  readonly audit?: AuditSink;
  /**
   * The path of a `callgate.lock`, as `callgate scan --lock FILE --update` writes it. A tool that is not as it was approved is not listed, and a call of
   * it is refused with the code `definition_changed`, before any rule. Each call waits for the server's list; where that fails, no call runs. What a
   * client's own list showed it counts, too. Of a lock with several servers, `serverName` names one.
   *
   * The file is read when the guard is made, and again for a later connection if it has changed.
   */
  readonly lock?: string;
  /** Whether a tool that is not as it was approved is left out of lists (`hide`, the default), or listed (`deny`). No call of it runs. */
  readonly onDrift?: "hide" | "deny";
  /** The name of the server, which policies read as `server` (clause 9.5). Absent unless given. */
  readonly serverName?: string;
  /**
   * Hears of what a callback threw, of reservations that could not be finished, and of messages that could not be passed on. The call was
   * refused, or stays charged.
   */
  readonly onError?: (error: unknown) => void;
}

const OPTIONS: Readonly<Record<keyof GuardOptions, Kind>> = {
  identity: "function",
  onApproval: "function",
  approvalTimeoutMs: "number",
  maxWaiting: "number",
  refundOnError: "answer",
  onResult: "function",
  checkArgs: "any",
  unmatched: "string",
  onWarning: "function",
  audit: "any",
  lock: "string",
  onDrift: "string",
  serverName: "string",
  onError: "function",
};
/** What Node's timers can hold. */
const LONGEST = 2 ** 31 - 1;

/** @throws {TypeError} where something is not what it has to be, and {CallgateError} where a lock cannot be used. */
export function checked(engine: Engine | EngineOf, options: GuardOptions): GuardOptions {
  if (!(engine instanceof Engine) && typeof engine !== "function") throw new TypeError("a guard needs an Engine, or a function that gives one");
  const own = read(options, OPTIONS);
  if (own.checkArgs !== undefined && typeof own.checkArgs !== "boolean") throw new TypeError("the option `checkArgs` is a boolean");
  if (own.approvalTimeoutMs !== undefined) millis("approvalTimeoutMs", own.approvalTimeoutMs, LONGEST);
  if (own.audit !== undefined && typeof own.audit !== "string" && typeof own.audit !== "function") {
    throw new TypeError("the option `audit` is the path of a file, or a function");
  }
  if (own.unmatched !== undefined) choice("unmatched", own.unmatched, ["warn", "refuse"]);
  if (own.onDrift !== undefined) choice("onDrift", own.onDrift, ["hide", "deny"]);
  // A lock with an error begins no guard.
  if (own.lock !== undefined) pinsOf(own.lock, own.serverName);
  if (own.maxWaiting !== undefined && !(Number.isSafeInteger(own.maxWaiting) && own.maxWaiting >= 0)) {
    throw new TypeError("the option `maxWaiting` is a whole number, 0 or more");
  }
  return own;
}
