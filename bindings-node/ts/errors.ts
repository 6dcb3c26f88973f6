// The errors that the package throws.
//
// In: what the native half reports as plain data. Out: subclasses of `Error`, each with a stable `code`. A call is never
// answered with an error because of its arguments: those are denied.

import type { Finding } from "../native.js";

/** Base of all errors of this package. */
export class CallgateError extends Error {
  /** Stable name of what went wrong, such as `unknown_field`. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = new.target.name;
    this.code = code;
  }
}

/** One finding in a policy document (clause 12 of the language). */
export class Diagnostic {
  /** `error`: the policy does not load. `warning`: it may not mean what its author thinks. */
  readonly severity: "error" | "warning";
  /** Stable code, such as `unknown_field`. */
  readonly code: string;
  /** What is wrong: one sentence, the author's text in backticks. */
  readonly message: string;
  /** What to do about it, or null. */
  readonly help: string | null;
  /** JSON Pointer to the place; empty for the whole document. */
  readonly pointer: string;
  /** Line, from 1. */
  readonly line: number;
  /** Column in code points, from 1. */
  readonly column: number;
  /** First byte of the place in the UTF-8 text. */
  readonly start: number;
  /** The byte after its last. */
  readonly end: number;

  /** @internal */
  constructor(finding: Finding) {
    this.severity = finding.severity === "warning" ? "warning" : "error";
    this.code = finding.code;
    this.message = finding.message;
    this.help = finding.help ?? null;
    this.pointer = finding.pointer;
    this.line = finding.line;
    this.column = finding.column;
    this.start = finding.start;
    this.end = finding.end;
  }

  /** `3:5: error[unknown_field]: … (at /tools)`, and help on a line of its own. */
  toString(): string {
    const at = this.pointer === "" ? "" : ` (at ${this.pointer})`;
    const help = this.help === null ? "" : `\n  help: ${this.help}`;
    return `${this.line}:${this.column}: ${this.severity}[${this.code}]: ${this.message}${at}${help}`;
  }
}

/** A policy that does not load, with every reason. `code`, `line` and `column` are those of the first error. */
export class PolicyError extends CallgateError {
  /** The file, as it was named; null for a text. */
  readonly file: string | null;
  /** Line of the first error, from 1. */
  readonly line: number;
  /** Column of the first error in code points, from 1. */
  readonly column: number;
  /** Errors and warnings, in document order; none for a `StackError`. */
  readonly diagnostics: readonly Diagnostic[];

  /** @internal */
  constructor(diagnostics: readonly Diagnostic[], file: string | null, told?: { readonly code: string; readonly message: string }) {
    const errors = diagnostics.filter((diagnostic) => diagnostic.severity === "error");
    const place = file === null ? "" : `${file}:`;
    const message = errors.map((error) => `${place}${error}`).join("\n");
    super(told?.code ?? errors[0]?.code ?? "invalid_policy", told?.message ?? message);
    this.file = file;
    this.line = errors[0]?.line ?? 1;
    this.column = errors[0]?.column ?? 1;
    this.diagnostics = diagnostics;
  }
}

/**
 * Policies that load, but do not go together as a stack (clause 6.10): `unnamed_layer`, `duplicate_layer`, `conflicting_dispatchers`,
 * `layer_count` or `too_many_entries`. It is about a whole policy, so it has no diagnostics, and line and column are 1.
 */
export class StackError extends PolicyError {
  /** @internal */
  constructor(code: string, message: string, file: string | null) {
    super([], file, { code, message });
  }
}

/** A policy file that cannot be read. Its code is `unreadable_file`. */
export class PolicyFileError extends CallgateError {
  /** The file, as it was named. */
  readonly file: string;

  /** @internal */
  constructor(message: string, file: string) {
    super("unreadable_file", message);
    this.file = file;
  }
}

/** A store URL that names no store (`store_url`), or a store that cannot be reached (`store_unavailable`). Never names the URL. */
export class StoreError extends CallgateError {
  /** Whether the same may succeed later by itself. */
  readonly transient: boolean;
  /** Whether it is certain that nothing was changed, so that the same may be asked again. */
  readonly undone: boolean;

  /** @internal */
  constructor(code: string, message: string, transient: boolean, undone = false) {
    super(code, message);
    this.transient = transient;
    this.undone = undone;
  }
}

/**
 * A reservation that cannot be finished so: `finished`, `nothing_to_settle`, `ambiguous`, `unknown_counter`,
 * `invalid_amount`.
 */
export class ReservationError extends CallgateError {}

/** @internal The typed error for a code and a message of the native half. */
export function typed(code: string, message: string): Error {
  switch (code) {
    case "store_transient":
    case "store_permanent":
    case "store_transient_undone":
    case "store_permanent_undone":
      return new StoreError("store_unavailable", message, code.startsWith("store_transient"), code.endsWith("_undone"));
    case "invalid_counter":
      return new TypeError(message);
    case "store_url":
      return new StoreError(code, message, false);
    case "invalid_lock":
    case "not_an_approver":
    case "approval_used":
      return new CallgateError(code, message);
    case "ambiguous":
    case "finished":
    case "nothing_to_settle":
    case "other_store":
    case "unknown_counter":
    case "invalid_amount":
      return new ReservationError(code, message);
    default:
      return new CallgateError("internal", message);
  }
}

/** @internal Does `work`, and throws what the native half throws as typed errors. */
export function throwing<R>(work: () => R): R {
  try {
    return work();
  } catch (error) {
    throw typedFrom(error);
  }
}

/** @internal The typed error for what the native half threw. */
export function typedFrom(error: unknown): Error {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return typed(String(code), String(message));
}
