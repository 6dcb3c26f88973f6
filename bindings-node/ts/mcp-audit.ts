// Records of what a guard decided, in the form of the gateway's: `spec/audit.schema.json`.
//
// In: calls as they end, approvals, lists and reloads. Out: a line of JSON for each in a file, or an object for the host. Must not hold an
// argument's value, and must not fail a call.

import { randomBytes } from "node:crypto";
import { appendFileSync, closeSync, fstatSync, openSync, readSync } from "node:fs";
import { resolve } from "node:path";
import type { Decision, Outcome } from "./decision.js";
import type { Engine } from "./engine.js";
import type { Identity } from "./identity.js";
import { isObject, member } from "./mcp-message.js";
import { traceId } from "./mcp-telemetry.js";
import { promised } from "./options.js";

/** A record: see `spec/audit.schema.json`. */
export type GuardRecord = Readonly<Record<string, unknown>>;

/** Where records go: a file that this process alone appends to, or a function. */
export type AuditSink = string | ((record: GuardRecord) => unknown);

/** This process. */
const INSTANCE = randomBytes(8).toString("hex");
/** Names of arguments that a record shows, and bytes of a text that a client chose. */
const KEYS = 64;
const KEY_BYTES = 128;
const BYTES = 1_024;
/** Bytes of a file that are read for the number of its last record. */
const TAIL = 1 << 20;

/** Records under one number after another. */
interface Log {
  seq: number;
  write(record: GuardRecord): unknown;
  /** The policies in force, so that a reload is told once. */
  readonly policies: WeakMap<Engine, string>;
}

const files = new Map<string, Log>();
const functions = new WeakMap<object, Log>();

function logOf(sink: AuditSink): Log {
  if (typeof sink === "function") {
    let log = functions.get(sink);
    if (log === undefined) functions.set(sink, (log = { seq: 0, write: sink, policies: new WeakMap() }));
    return log;
  }
  const path = resolve(sink);
  let log = files.get(path);
  if (log === undefined) {
    // One write: a line is whole, or not there. The file is opened anew, so that another program may move it away.
    const write = (record: GuardRecord) => appendFileSync(path, `${JSON.stringify(record)}\n`, { mode: 0o600 });
    files.set(path, (log = { seq: lastOf(path), write, policies: new WeakMap() }));
  }
  return log;
}

/** The number of a file's last record; 0 where there is none. */
function lastOf(path: string): number {
  const file = openSync(path, "a+", 0o600);
  try {
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, TAIL));
    readSync(file, bytes, 0, bytes.length, size - bytes.length);
    // Half a line of a process that was killed stays one of its own.
    if (bytes.length > 0 && bytes.at(-1) !== 10) appendFileSync(path, "\n");
    for (const line of bytes.toString("utf8").split("\n").reverse()) {
      try {
        const { seq } = JSON.parse(line) as { seq?: unknown };
        if (typeof seq === "number") return seq;
      } catch {
        // Half a line, or none.
      }
    }
    return 0;
  } finally {
    closeSync(file);
  }
}

/** What a record tells of a call, beside its decision. */
export interface About {
  readonly method: string;
  readonly tool: string | undefined;
  /** The JSON text of its arguments. */
  readonly args: string | undefined;
  readonly request: string | undefined;
  readonly protocol: string | undefined;
  readonly session: string | undefined;
  readonly identity: Identity;
}

/** How a call went at the server. */
export interface Went {
  readonly outcome: Outcome;
  readonly code?: number | null;
  readonly latencyMs?: number | undefined;
  readonly bytesOut?: number | undefined;
  readonly bytesIn?: number | undefined;
}

/** @internal The records of one guard. */
export class Audit {
  readonly #log: Log;
  readonly #server: string;
  readonly #transport: "stdio" | "http";
  readonly #failed: (error: unknown) => void;

  constructor(sink: AuditSink, server: string | undefined, isHttp: boolean, failed: (error: unknown) => void) {
    this.#log = logOf(sink);
    this.#server = server ?? "";
    this.#transport = isHttp ? "http" : "stdio";
    this.#failed = failed;
  }

  /** A call ended, or was refused; `refusal` says why where no decision does. */
  call(about: About, decision: Decision | null, went: Went, refusal: string | null): void {
    const { outcome, code = null, latencyMs, bytesOut = 0, bytesIn = 0 } = went;
    const { method, tool, args, request, protocol, session, identity } = about;
    const latency = latencyMs === undefined ? null : Math.round(latencyMs * 1_000);
    this.#record("call", {
      transport: this.#transport,
      protocol: protocol ?? null,
      request: request ?? null,
      session: session ?? null,
      trace: traceId(),
      principal: principal(identity),
      method,
      name: tool === undefined ? null : cut(tool, BYTES),
      decision: decision?.toJSON() ?? null,
      refusal,
      candidate: null,
      mode: "enforce",
      args: { keys: keys(args), hash: null },
      upstream: { outcome, code, latency_us: latency, bytes_out: bytesOut, bytes_in: bytesIn },
      charge: decision?.reservation?.became(outcome) ?? "none",
    });
  }

  /** A call waits for a person (`asked`), or runs because one said yes (`used`). */
  approval(key: string, outcome: "asked" | "used"): void {
    this.#record("approval", { key, who: null, outcome });
  }

  /** Something was left out of a list. */
  filtered(method: string, hidden: number): void {
    this.#record("list_filtered", { method, hidden });
  }

  /** The server's tools are not known. */
  unlisted(reason: string): void {
    this.#record("list_failed", { method: "tools/list", reason });
  }

  /** A policy is in force. */
  inForce(engine: Engine): void {
    const { digest } = engine.policy;
    const before = this.#log.policies.get(engine);
    this.#log.policies.set(engine, digest);
    if (before !== undefined && before !== digest) this.#record("reload", { target: "policy", old: before, new: digest, error: null });
  }

  #record(kind: string, fields: GuardRecord): void {
    try {
      const seq = (this.#log.seq += 1);
      const head = { v: 1, seq, ts: new Date().toISOString(), instance: INSTANCE, kind, server: this.#server };
      promised(this.#log.write({ ...head, ...fields, prev: null, digest: null }), this.#failed);
    } catch (error) {
      this.#failed(error);
    }
  }
}

function principal(identity: Identity): { id: string | null; grant: string | null } {
  const claim = (name: string) => {
    const value = isObject(identity) ? member(identity, name) : name === "id" ? identity : undefined;
    return typeof value === "string" ? cut(value, BYTES) : null;
  };
  return { id: claim("id"), grant: claim("grant") };
}

/** The names of arguments, sorted; none of what is no object. */
function keys(args: string | undefined): string[] {
  const given = args === undefined ? {} : (JSON.parse(args) as unknown);
  if (!isObject(given)) return [];
  return Object.keys(given)
    .sort()
    .slice(0, KEYS)
    .map((name) => cut(name, KEY_BYTES));
}

function cut(text: string, bytes: number): string {
  return Buffer.byteLength(text) <= bytes ? text : Buffer.from(text).subarray(0, bytes).toString("utf8").replace(/\ufffd+$/, "");
}
