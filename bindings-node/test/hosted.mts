// The host's side of a scenario of `spec/guards`: the engine, who calls, who approves, and what the handlers did.
//
// In: a scenario, and the name that `spec/guards` gives the guard. Out: guarded servers, and the steps that no client plays.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Engine, type Identity, Policy } from "callgate";
import * as mcp from "callgate/mcp";
import { type ApprovalAnswer, guard, type GuardOptions } from "callgate/mcp";
import { Handlers, listed, type Offer, type Server, serverOf } from "./guarded.mjs";

export type PolicyText = Record<string, unknown> | string[];
/** What a scenario says of its server's side. */
export interface Setting extends Offer {
  policy: PolicyText;
  identity?: Identity;
  approvals?: true | "elicitation" | "store";
  era?: string;
  options?: Record<string, unknown>;
  lock?: string[];
}
/** What becomes of a tool's definition. */
export interface Change {
  input?: Record<string, unknown>;
  name?: string;
}
/** What waits of one call. */
export interface Waiting {
  approve?: (answer: ApprovalAnswer) => void;
  finish?: () => void;
}

export const textOf = (policy: PolicyText): string => (Array.isArray(policy) ? policy.join("\n") : JSON.stringify(policy));

type Plain = null | boolean | number | string | Plain[] | { [name: string]: Plain };

/** Canonical JSON (clause 10.7), of values without fractions. */
function canonical(value: Plain): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(",")}}`;
}

/** A lock of these tools, made by hand: its path. */
function lockOf(tools: Record<string, Plain>[], names: readonly string[]): string {
  const digest = (value: Plain) => `sha256:${createHash("sha256").update(canonical(value)).digest("hex")}`;
  const own = ["annotations", "description", "inputSchema", "outputSchema", "title"];
  const entries = tools
    .filter(({ name }) => names.includes(String(name)))
    .map((definition) => {
      const fields = own.flatMap((name) => (name in definition ? [[name, digest(definition[name] ?? null)] as const] : []));
      const rest = Object.fromEntries(Object.entries(definition).filter(([name]) => name !== "name" && !own.includes(name)));
      const other = Object.keys(rest).length === 0 ? [] : [["other", digest(rest)] as const];
      const about = { server: "scenario", name: definition["name"], class: "Unknown", severity: "high" };
      return { ...about, digest: digest(definition), fields: Object.fromEntries([...fields, ...other]), definition };
    });
  const servers = [{ name: "scenario", protocol: "", complete: true, date: "2026-11-30" }];
  const path = join(mkdtempSync(join(tmpdir(), "callgate-")), "callgate.lock");
  writeFileSync(path, JSON.stringify({ version: "1", servers, tools: entries }));
  return path;
}

export class Hosted {
  readonly engine: Engine;
  readonly serverName: string | undefined;
  readonly approvals: Setting["approvals"];
  readonly known: Identity;
  readonly #kind: string;
  readonly #setting: Setting;
  readonly #handlers: Handlers;
  #locked: { lock?: string } = {};
  /** Who calls in the step that runs. */
  identity: Identity;
  /** The call that is being sent: whatever begins now is its. */
  sending: Waiting | undefined;
  /** A handler ran, or an approval is asked for. */
  moved: () => void = () => {};

  constructor(kind: string, setting: Setting) {
    this.#kind = kind;
    this.#setting = setting;
    // Time stands still, so that a message which tells one can be compared.
    this.engine = Engine.fromString(textOf(setting.policy), { clock: () => Date.UTC(2026, 10, 21, 10) });
    this.#handlers = new Handlers(setting.tools, () => {
      const call = this.sending;
      this.moved();
      return call && ((finish) => (call.finish = finish));
    });
    this.known = this.identity = setting.identity;
    this.approvals = setting.approvals;
    this.serverName = setting.options?.["server_name"] as string | undefined;
  }

  /** Approves what the server lists now, where the scenario has a lock. Before the first server. */
  async approve(): Promise<void> {
    const { lock, ...offer } = this.#setting;
    if (lock !== undefined) this.#locked = { lock: lockOf(await listed(serverOf(this.#kind, offer, this.#handlers)), lock) };
  }

  /** A server with these handlers, behind a guard with this engine. */
  server(): Server {
    const { approvals, identity, options = {}, lock: _, ...offer } = this.#setting;
    const server = serverOf(this.#kind, offer, this.#handlers);
    const own = Object.entries(options).map(([name, value]) => [name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()), value]);
    const onApproval = approvals === undefined ? {} : { onApproval: this.#asking(approvals) };
    const known = identity === undefined ? {} : { identity: () => this.identity };
    guard(server, this.engine, { ...known, ...onApproval, ...this.#locked, ...Object.fromEntries(own) });
    return server;
  }

  #asking(approvals: true | string): NonNullable<GuardOptions["onApproval"]> {
    if (approvals !== true) {
      const ready = `approveBy${approvals.replace(/^./, (letter) => letter.toUpperCase())}`;
      return (mcp as unknown as Record<string, () => NonNullable<GuardOptions["onApproval"]>>)[ready]?.() ?? assert.fail(`no ${ready}`);
    }
    return () =>
      new Promise((resolve) => {
        (this.sending ?? assert.fail("approval for no call")).approve = resolve;
        this.moved();
      });
  }

  /** From here on the server has other definitions, and tells nobody. */
  change(changes: Record<string, Change>): void {
    for (const [name, change] of Object.entries(changes)) {
      // The SDK writes schemas in its own way.
      const isAsItWas = JSON.stringify(change) === JSON.stringify({ input: this.#setting.tools[name]?.input });
      if (isAsItWas) this.#handlers.changes.delete(name);
      else this.#handlers.changes.set(name, change);
    }
  }

  reload(policy: PolicyText): void {
    this.engine.replace(Policy.fromString(textOf(policy)));
  }

  /** Somebody answers a call that is filed in the store. */
  async answerInStore(filed: string, given: boolean): Promise<void> {
    const record = given ? await this.engine.grantApproval(filed, { by: "ann" }) : await this.engine.denyApproval(filed, { by: "ann" });
    assert.equal(record?.state, given ? "granted" : "denied");
  }

  ran(name: string): number {
    return this.#handlers.ran.get(name) ?? 0;
  }

  /** What the only counter of the tool's entry holds. */
  used(tool: string): string {
    return this.engine.counters().find(({ entry }) => entry === tool)?.used ?? "0";
  }
}
