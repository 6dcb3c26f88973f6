// The host's side of a scenario of `spec/guards`: the engine, who calls, who approves, and what the handlers did.
//
// In: a scenario, and the name that `spec/guards` gives the guard. Out: guarded servers, and the steps that no client plays.

import assert from "node:assert/strict";
import { Engine, type Identity, Policy } from "callgate";
import * as mcp from "callgate/mcp";
import { type ApprovalAnswer, guard, type GuardOptions } from "callgate/mcp";
import { Handlers, type Offer, type Server, serverOf } from "./guarded.mjs";

export type PolicyText = Record<string, unknown> | string[];
/** What a scenario says of its server's side. */
export interface Setting extends Offer {
  policy: PolicyText;
  identity?: Identity;
  approvals?: true | "elicitation" | "store";
  era?: string;
  options?: Record<string, unknown>;
}
/** What waits of one call. */
export interface Waiting {
  approve?: (answer: ApprovalAnswer) => void;
  finish?: () => void;
}

export const textOf = (policy: PolicyText): string => (Array.isArray(policy) ? policy.join("\n") : JSON.stringify(policy));

export class Hosted {
  readonly engine: Engine;
  readonly serverName: string | undefined;
  readonly approvals: Setting["approvals"];
  readonly known: Identity;
  readonly #kind: string;
  readonly #setting: Setting;
  readonly #handlers: Handlers;
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

  /** A server with these handlers, behind a guard with this engine. */
  server(): Server {
    const { approvals, identity, options = {}, ...offer } = this.#setting;
    const server = serverOf(this.#kind, offer, this.#handlers);
    const own = Object.entries(options).map(([name, value]) => [name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()), value]);
    const onApproval = approvals === undefined ? {} : { onApproval: this.#asking(approvals) };
    const known = identity === undefined ? {} : { identity: () => this.identity };
    guard(server, this.engine, { ...known, ...onApproval, ...Object.fromEntries(own) });
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
