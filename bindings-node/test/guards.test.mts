// The scenarios of `spec/guards`, in front of real servers: `McpServer` of `@modelcontextprotocol/sdk` (`node`) and of
// `@modelcontextprotocol/server` (`node-v2`). The client is the wire itself, so that every message is the scenario's own.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { type JSONRPCMessage, UrlElicitationRequiredError } from "@modelcontextprotocol/sdk/types.js";
import { McpServer as McpServer2, UrlElicitationRequiredError as UrlElicitationRequiredError2 } from "@modelcontextprotocol/server";
import { type Decision, Engine, type Identity, MCP_DENIED } from "callgate";
import { type ApprovalAnswer, guard, type Guardable, type GuardOptions } from "callgate/mcp";
import { z } from "zod";
import { PROJECT } from "./cases.mjs";

type Does = "answer" | "tool_error" | "raise" | "protocol_error" | "invalid_result" | "wait";
type Expect = "result" | "tool_error" | "error" | "none" | (string & {});
interface Tool {
  input?: Record<string, unknown>;
  does?: Does;
}
interface Step {
  call?: string;
  arguments?: unknown;
  task?: unknown;
  times?: number;
  expect?: Expect;
  text?: string;
  as?: string;
  approve?: string;
  refuse?: string;
  finish?: string;
  answer?: string;
  cancel?: string;
  disconnect?: true;
  connect?: true;
  listed?: string[];
  ran?: Record<string, number>;
  used?: Record<string, string>;
}
interface Scenario {
  name: string;
  policy: Record<string, unknown> | string[];
  tools: Record<string, Tool>;
  identity?: Identity;
  approvals?: boolean;
  options?: Record<string, unknown>;
  only?: string[];
  except?: string[];
  steps: Step[];
}

interface Answer {
  result?: { isError?: boolean; content: { text: string }[]; tools?: { name: string }[] };
  error?: { code: number; message: string; data?: unknown };
}
interface Call {
  tool: string;
  arguments: unknown;
  id: number;
  answer: Answer | undefined;
  approve?: (answer: ApprovalAnswer) => void;
  finish?: () => void;
}
type Handler = (args: unknown) => unknown;
type Server = Guardable & { connect(transport: InMemoryTransport): Promise<void> };

const GUARDS: Record<string, (tools: [name: string, tool: Tool, handler: Handler][]) => Server> = {
  node: (tools) => {
    const server = new McpServer({ name: "scenario", version: "1" });
    for (const [name, { input }, handler] of tools) {
      server.registerTool(name, { inputSchema: schema(input) }, (args: unknown) => handler(args) as never);
    }
    return server as unknown as Server;
  },
  "node-v2": (tools) => {
    const server = new McpServer2({ name: "scenario", version: "1" });
    for (const [name, { input }, handler] of tools) {
      server.registerTool(name, { inputSchema: schema(input) }, (args: unknown) => handler(args) as never);
    }
    return server as unknown as Server;
  },
};

const schema = (input: Record<string, unknown> = { type: "object" }) => z.fromJSONSchema(input as never) as z.ZodObject;

/** All that is under way in this process has come to rest: nothing here waits for a clock, a disk or a network. */
async function rest(): Promise<void> {
  for (let n = 0; n < 25; n += 1) await turn();
}

class Run {
  readonly #engine: Engine;
  readonly #server: Server;
  readonly #identity: Identity;
  readonly #serverName: string | undefined;
  readonly #ran = new Map<string, number>();
  readonly #calls = new Map<string, Call>();
  readonly #open: Call[] = [];
  /** The call that is being sent: whatever begins now is its. */
  #sending: Call | undefined;
  #moved: () => void = () => {};
  #near: InMemoryTransport | undefined;
  #ids = 0;

  constructor(kind: string, { policy, tools, identity, approvals, options = {} }: Scenario) {
    const text = Array.isArray(policy) ? policy.join("\n") : JSON.stringify(policy);
    // Time stands still, so that a message which tells one can be compared.
    this.#engine = Engine.fromString(text, { clock: () => Date.UTC(2026, 10, 21, 10) });
    const Url = kind === "node" ? UrlElicitationRequiredError : UrlElicitationRequiredError2;
    const registered = Object.entries(tools).map(([name, tool]): [string, Tool, Handler] => [name, tool, this.#handler(name, tool, () => new Url([]))]);
    this.#server = (GUARDS[kind] ?? assert.fail(`no guard ${kind}`))(registered);
    const own = Object.entries(options).map(([name, value]) => [name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()), value]);
    const onApproval: GuardOptions["onApproval"] = () =>
      new Promise((resolve) => {
        (this.#sending ?? assert.fail("approval for no call")).approve = resolve;
        this.#moved();
      });
    this.#identity = identity;
    this.#serverName = options["server_name"] as string | undefined;
    guard(this.#server, this.#engine, { ...(identity === undefined ? {} : { identity: () => identity }), ...(approvals === true ? { onApproval } : {}), ...Object.fromEntries(own) });
  }

  #handler(name: string, { does = "answer" }: Tool, protocolError: () => Error): Handler {
    return (args) => {
      this.#ran.set(name, (this.#ran.get(name) ?? 0) + 1);
      const call = this.#sending;
      this.#moved();
      const answer = { content: [{ type: "text", text: JSON.stringify(args) }] };
      switch (does) {
        case "answer":
          return answer;
        case "tool_error":
          return { ...answer, isError: true };
        case "raise":
          throw new Error("the tool failed");
        case "protocol_error":
          throw protocolError();
        case "invalid_result":
          return { content: [{ type: "text", text: 5 }] };
        case "wait":
          return new Promise((resolve) => {
            (call ?? assert.fail("nothing could finish it")).finish = () => resolve(answer);
          });
      }
    };
  }

  async step(step: Step): Promise<void> {
    if (step.connect === true) await this.connect();
    else if (step.disconnect === true) await this.#near?.close();
    else if (step.call !== undefined && step.as !== undefined) this.#calls.set(step.as, await this.#begin(step.call, step));
    else if (step.call !== undefined) {
      for (let n = 0; n < (step.times ?? 1); n += 1) this.#expect(await this.#done(await this.#begin(step.call, step)), step);
    } else if (step.approve !== undefined) this.#approve(step.approve, true);
    else if (step.refuse !== undefined) this.#approve(step.refuse, false);
    else if (step.finish !== undefined) (this.#of(step.finish).finish ?? assert.fail("its handler does not wait"))();
    else if (step.cancel !== undefined) await this.#send({ method: "notifications/cancelled", params: { requestId: this.#of(step.cancel).id } });
    await rest();
    if (step.answer !== undefined) this.#expect(this.#of(step.answer), step);
    if (step.listed !== undefined) {
      const list = await this.#done(await this.#request("tools/list", {}));
      assert.deepEqual(list.answer?.result?.tools?.map(({ name }) => name).sort(), step.listed);
    }
    for (const [tool, times] of Object.entries(step.ran ?? {})) assert.equal(this.#ran.get(tool) ?? 0, times, `how often ${tool} ran`);
    for (const [tool, amount] of Object.entries(step.used ?? {})) assert.equal(this.#used(tool), amount, `the counter of ${tool}`);
  }

  async connect(): Promise<void> {
    const [near, far] = InMemoryTransport.createLinkedPair();
    near.onmessage = (message) => {
      const call = "id" in message && !("method" in message) ? this.#open.find(({ id }) => id === message.id) : undefined;
      if (call !== undefined) {
        assert.equal(call.answer, undefined, "one call was answered twice");
        call.answer = message as Answer;
      }
      this.#moved();
    };
    // An answer belongs to the connection on which its call was made.
    this.#open.length = 0;
    this.#near = near;
    await this.#server.connect(far);
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "scenario", version: "1" } };
    await this.#done(await this.#request("initialize", params));
    await this.#send({ method: "notifications/initialized" });
  }

  async #send(message: object): Promise<void> {
    await this.#near?.send({ jsonrpc: "2.0", ...message } as JSONRPCMessage);
  }

  async #request(method: string, params: object, tool = "", args: unknown = undefined): Promise<Call> {
    const call: Call = { tool, arguments: args, id: (this.#ids += 1), answer: undefined };
    this.#open.push(call);
    this.#sending = call;
    const moved = new Promise<void>((resolve) => (this.#moved = resolve));
    await this.#send({ id: call.id, method, params });
    await moved;
    this.#sending = undefined;
    return call;
  }

  #begin(name: string, { arguments: args, task }: Step): Promise<Call> {
    const params = { name, ...(args === undefined ? {} : { arguments: args }), ...(task === undefined ? {} : { task }) };
    return this.#request("tools/call", params, name, args);
  }

  async #done(call: Call): Promise<Call> {
    while (call.answer === undefined) await turn();
    return call;
  }

  #of(name: string): Call {
    return this.#calls.get(name) ?? assert.fail(`no call is named ${name}`);
  }

  #approve(name: string, answer: boolean): void {
    (this.#of(name).approve ?? assert.fail("no approval was asked for"))(answer);
  }

  #expect({ tool, arguments: args, answer }: Call, { task, expect, text }: Step): void {
    if (expect === "none") return assert.equal(answer, undefined);
    assert.ok(answer, "there is no answer");
    const told = answer.result?.content[0]?.text ?? answer.error?.message ?? "";
    if (text !== undefined) assert.ok(told.includes(text), told);
    if (expect === "error") return assert.ok(answer.error, JSON.stringify(answer));
    if (task !== undefined) {
      const decision = this.#explained(tool, args);
      const error = { code: MCP_DENIED, message: decision.message, data: decision.toMcpMeta() };
      return assert.deepEqual([decision.code, answer.error], [expect, error]);
    }
    assert.ok(answer.result, JSON.stringify(answer));
    if (expect === "result" || expect === "tool_error") return assert.equal(answer.result.isError ?? false, expect === "tool_error", told);
    if (expect === "invalid_args") {
      // The guard's own checks of arguments are none of an engine that is asked alone.
      assert.equal(answer.result.isError, true, told);
      assert.ok(told.startsWith("Arguments are not valid: "), told);
      return;
    }
    const decision = this.#explained(tool, args);
    assert.deepEqual([decision.code, answer.result], [expect, decision.toMcpResult()], told);
  }

  #explained(tool: string, args: unknown): Decision {
    return this.#engine.explain(tool, args, this.#identity, null, null, this.#serverName).decision;
  }

  #used(tool: string): string {
    return this.#engine.explain(tool, {}).decision.counters[0]?.used ?? assert.fail("it has no counter");
  }
}

const folder = join(PROJECT, "spec/guards");
for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
  const { scenarios } = JSON.parse(readFileSync(join(folder, file), "utf8")) as { scenarios: Scenario[] };
  for (const kind of Object.keys(GUARDS)) {
    describe(`${file}, ${kind}`, () => {
      for (const scenario of scenarios) {
        const { name, only = [kind], except = [] } = scenario;
        if (!only.includes(kind) || except.includes(kind)) continue;
        test(name, { timeout: 30_000 }, async () => {
          const run = new Run(kind, scenario);
          await run.connect();
          for (const [index, step] of scenario.steps.entries()) {
            await run.step(step).catch((error: Error) => {
              error.message = `step ${index}: ${error.message}`;
              throw error;
            });
          }
        });
      }
    });
  }
}
