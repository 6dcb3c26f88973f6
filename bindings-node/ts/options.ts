// The options that a host gives.
//
// In: an object of the host's. Out: its own members, each of a known name and type; nothing that stands on a prototype. And the
// callbacks among them, called so that none that fails ends the process.

import { types } from "node:util";

const { create, hasOwn, keys } = Object;
const { isAsyncFunction, isGeneratorFunction } = types;

/** What an option is. `answer`: a function whose answer is used at once, which none that waits can give. */
export type Kind = "string" | "number" | "function" | "answer" | "any";

/** The own members of `given`, on an object without prototype. */
export function read<T extends object>(given: T, known: Readonly<Record<keyof T, Kind>>): T {
  if (typeof given !== "object" || given === null) throw new TypeError("options are an object");
  const own = create(null) as Record<string, unknown>;
  for (const name of keys(given)) {
    const value: unknown = given[name as keyof T];
    if (!hasOwn(known, name)) throw new TypeError(`unknown option \`${name}\``);
    const kind = known[name as keyof T];
    const type = kind === "answer" ? "function" : kind;
    if (value !== undefined && type !== "any" && typeof value !== type) throw new TypeError(`the option \`${name}\` is a ${type}`);
    if (kind === "answer" && waits(value)) {
      throw new TypeError(`the option \`${name}\` is called and its answer used at once: it must not be an async function or a generator`);
    }
    own[name] = value;
  }
  return own as T;
}

function waits(value: unknown): boolean {
  return isAsyncFunction(value) || isGeneratorFunction(value);
}

/** The value, which is one of those that are known. */
export function choice<T>(name: string, value: T, known: readonly string[]): T {
  for (const one of known) if (value === one) return value;
  throw new TypeError(`the option \`${name}\` is one of ${known.join(", ")}`);
}

/** A length of time. */
export function millis(name: string, value: unknown, most = Number.MAX_VALUE): number {
  if (typeof value === "number" && value > 0 && value <= most) return value;
  throw new TypeError(`the option \`${name}\` is a positive number of milliseconds${most === Number.MAX_VALUE ? "" : `, at most ${most}`}`);
}

/** Whether a callback answered with a promise. What it comes to goes to `failed`, so that it does not end the process. */
export function promised(answer: unknown, failed: (error: unknown) => void): boolean {
  if (typeof answer !== "object" || answer === null) return false;
  const { then } = answer as { then?: unknown };
  if (typeof then !== "function") return false;
  Promise.resolve(answer).catch(failed);
  return true;
}

/** Calls a callback that only hears of something. What it throws, at once or later, is a warning of the process and no more. */
export function tell<A>(name: string, callback: ((heard: A) => unknown) | undefined, heard: A): void {
  const failed = (error: unknown) => process.emitWarning(`\`${name}\` failed: ${shown(error)}`, { type: "CallgateWarning", code: "callback_failed" });
  try {
    promised(callback?.(heard), failed);
  } catch (error) {
    failed(error);
  }
}

function shown(error: unknown): string {
  try {
    return String(error);
  } catch {
    return "an error that cannot be shown";
  }
}
