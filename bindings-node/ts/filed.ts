// Calls that wait for a person's approval in a store, as people see and answer them (clauses 7.7 to 7.12).
//
// In: a store. Out: its records, and answers to them. Must not decide: an answer lets a call through when it is made again.

import type * as native from "../native.js";
import { throwing, typed } from "./errors.js";
import { type Kind, millis, read } from "./options.js";

/** A call that is filed, or was answered. */
export interface FiledCall {
  /** 8 characters: names it in its namespace. */
  readonly id: string;
  readonly state: "pending" | "granted" | "denied" | "used";
  /** The server that would run it, by its host's name. */
  readonly server: string;
  readonly method: string;
  /** Null for another method than `tools/call`. */
  readonly tool: string | null;
  /** The caller's id; null where nobody is known. */
  readonly caller: string | null;
  /** The rules that ask, by name or place in the policy; at most 16. */
  readonly rules: readonly string[];
  /** The policy's digest. */
  readonly policy: string;
  /** The approval key. */
  readonly key: string;
  /** How many calls an approval lets through. */
  readonly uses: number;
  /** For how many seconds; null where no rule says. */
  readonly validFor: number | null;
  /** Who may approve: null for anybody. */
  readonly approvers: readonly string[] | null;
  /** The paths that an approval does not cover. */
  readonly ignored: readonly string[];
  readonly filedAt: Date;
  /** Until when it stands. */
  readonly until: Date;
  /** When and by whom it was answered; null while nobody has. */
  readonly answeredAt: Date | null;
  readonly by: string | null;
  /** What is kept of the arguments; undefined in a list. Show them with control characters escaped. */
  readonly args?: { readonly kind: "none" | "keys" | "full" | "cut"; readonly keys?: readonly string[]; readonly text?: string; readonly bytes?: number };
}

/** A person's answer. */
export interface ApprovalByPerson {
  /** The name of who answers, which the host vouches for. */
  readonly by: string;
  /**
   * For how long it holds, in milliseconds. A grant holds as long as the rules say, else an hour, and no longer than they say; a denial a day.
   */
  readonly forMs?: number;
}

const ANSWER: Readonly<Record<keyof ApprovalByPerson, Kind>> = { by: "string", forMs: "number" };
/** The ceiling of days of clause 7.5. */
const LONGEST_MS = 366 * 86_400_000;

type Asked = Promise<native.FiledRecord[] | [code: string, message: string]>;

/** @internal */
export async function filed(store: native.NativeStore, at: number | null): Promise<FiledCall[]> {
  return records(throwing(() => store.filed(at)));
}

/** @internal */
export async function findFiled(store: native.NativeStore, id: string, at: number | null): Promise<FiledCall | null> {
  return (await records(throwing(() => store.findFiled(spelt(id), at))))[0] ?? null;
}

/** @internal */
export async function answerFiled(store: native.NativeStore, id: string, grants: boolean, answer: ApprovalByPerson, at: number | null): Promise<FiledCall | null> {
  const { by, forMs } = read(answer, ANSWER);
  if (typeof by !== "string" || by === "") throw new TypeError("an answer has the name of who gives it, `by`");
  const lasts = forMs === undefined ? null : millis("forMs", forMs, LONGEST_MS);
  return (await records(throwing(() => store.answerFiled(spelt(id), grants, by, lasts, at))))[0] ?? null;
}

async function records(asked: Asked): Promise<FiledCall[]> {
  const found = await asked;
  if (isFailure(found)) throw typed(...found);
  return found.map(shape);
}

function isFailure(found: native.FiledRecord[] | [code: string, message: string]): found is [code: string, message: string] {
  return typeof found[0] === "string";
}

function shape({ args, ...record }: native.FiledRecord): FiledCall {
  const { tool = null, caller = null, validFor = null, approvers = null, by = null, filedAt, until, answeredAt } = record;
  return {
    ...record,
    state: record.state as FiledCall["state"],
    tool,
    caller,
    validFor,
    approvers,
    by,
    filedAt: new Date(filedAt),
    until: new Date(until),
    answeredAt: answeredAt === undefined ? null : new Date(answeredAt),
    ...(args === undefined ? {} : { args: args as NonNullable<FiledCall["args"]> }),
  };
}

/** An id as stores spell it, however it was read out and typed. */
function spelt(id: string): string {
  if (typeof id !== "string") throw new TypeError("a filed call has an id");
  return id.trim().toLowerCase().replaceAll("o", "0").replace(/[il]/g, "1");
}
