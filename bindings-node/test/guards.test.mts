// The scenarios of `spec/guards`, in front of real servers of both generations of the SDK. The client is the wire itself, so that every
// message is the scenario's own.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setImmediate as turn, setTimeout as pause } from "node:timers/promises";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { type Decision, type Identity, MCP_DENIED } from "callgate";
import { PROJECT } from "./cases.mjs";
import type { Server } from "./guarded.mjs";
import { type Change, Hosted, type PolicyText, type Setting, type Waiting } from "./hosted.mjs";

type Counts = Record<string, number>;
interface Step {
  call?: string;
  request?: string;
  round?: string;
  arguments?: unknown;
  params?: Record<string, unknown>;
  task?: unknown;
  progress?: true;
  identity?: Identity;
  state?: string;
  times?: number;
  at_once?: number;
  expect?: string | Counts;
  text?: string;
  as?: string;
  approve?: string;
  refuse?: string;
  finish?: string;
  answer?: string;
  cancel?: string;
  progressed?: string;
  disconnect?: true;
  connect?: true;
  reload?: PolicyText;
  change?: Record<string, Change>;
  listed?: string[];
  of?: string;
  cache?: Record<string, unknown>;
  seen?: Counts;
  ran?: Counts;
  used?: Record<string, string>;
}
interface Scenario extends Setting {
  name: string;
  only?: string[];
  except?: Record<string, string>;
  steps: Step[];
}

interface Message {
  id?: number;
  method?: string;
  params?: { progress?: number; progressToken?: unknown };
}
interface Result {
  isError?: boolean;
  resultType?: string;
  content?: { text: string }[];
  inputRequests?: Record<string, unknown>;
  requestState?: string;
  _meta?: Record<string, unknown>;
  nextCursor?: string;
  [member: string]: unknown;
}
interface Answer {
  result?: Result;
  error?: { code: number; message: string; data?: Record<string, unknown> };
}
interface Call extends Waiting {
  method: string;
  params: Record<string, unknown>;
  identity: Identity;
  id: number;
  answer: Answer | undefined;
  /** The last result that asked for input. */
  asked?: Result;
  /** The most progress that was told. */
  told?: number;
}

const KINDS = ["node", "node-v2"];
const UNCHECKED = "The call could not be checked against the policy";
/** Lists, by their members and by what names an item. */
const LISTS: Record<string, [member: string, key: string]> = {
  "tools/list": ["tools", "name"],
  "resources/list": ["resources", "uri"],
  "prompts/list": ["prompts", "name"],
};
const CLIENT = { name: "scenario", version: "1" };
const CAPABILITIES = { sampling: {}, elicitation: { form: {} } };
const PREFIX = "io.modelcontextprotocol/";

/** All that is under way in this process has come to rest: nothing here waits for a clock, a disk or a network. */
async function rest(): Promise<void> {
  for (let n = 0; n < 25; n += 1) await turn();
}

class Run {
  readonly #host: Hosted;
  readonly #server: Server;
  readonly #era: string | undefined;
  readonly #calls = new Map<string, Call>();
  readonly #open: Call[] = [];
  #near: InMemoryTransport | undefined;
  #seen: Message[] = [];
  #questions: number[] = [];
  #ids = 0;

  constructor(host: Hosted, scenario: Scenario) {
    this.#host = host;
    this.#server = host.server();
    this.#era = scenario.era;
  }

  async step(step: Step): Promise<void> {
    this.#host.identity = step.identity ?? this.#host.known;
    if (step.connect === true) await this.connect();
    else if (step.disconnect === true) await this.#near?.close();
    else if (step.call !== undefined) await this.#call(step.call, step);
    else if (step.request !== undefined) await this.#repeat(step.request, step.params ?? {}, step);
    else if (step.round !== undefined) await this.#round(step.round, step);
    else if (step.approve !== undefined) await this.#approve(step.approve, true);
    else if (step.refuse !== undefined) await this.#approve(step.refuse, false);
    else if (step.finish !== undefined) (this.#of(step.finish).finish ?? assert.fail("its handler does not wait"))();
    else if (step.cancel !== undefined) await this.#send({ method: "notifications/cancelled", params: this.#params({ requestId: this.#of(step.cancel).id }) });
    else if (step.progressed !== undefined) await this.#progressed(this.#of(step.progressed));
    else if (step.reload !== undefined) this.#host.reload(step.reload);
    else if (step.change !== undefined) this.#host.change(step.change);
    await rest();
    if (step.answer !== undefined) this.#expect(this.#of(step.answer), step);
    if (step.listed !== undefined) assert.deepEqual(await this.#listed(step), step.listed);
    const seen = (method: string) => this.#seen.filter((message) => message.method === method).length;
    for (const [method, times] of Object.entries(step.seen ?? {})) assert.equal(seen(method), times, `how often ${method} came`);
    for (const [tool, times] of Object.entries(step.ran ?? {})) assert.equal(this.#host.ran(tool), times, `how often ${tool} ran`);
    for (const [tool, amount] of Object.entries(step.used ?? {})) assert.equal(this.#host.used(tool), amount, `the counter of ${tool}`);
  }

  async connect(): Promise<void> {
    const server = this.#server;
    const [near, far] = InMemoryTransport.createLinkedPair();
    near.onmessage = (message) => this.#got(message as Message & Answer);
    // An answer belongs to the connection on which its call was made.
    this.#open.length = 0;
    [this.#near, this.#seen, this.#questions] = [near, [], []];
    if (this.#era !== undefined) {
      // A server speaks this revision where the SDK's own entry connects it.
      serveStdio(() => server as never, { transport: far as never });
      return;
    }
    await server.connect(far);
    const params = { protocolVersion: "2025-11-25", capabilities: CAPABILITIES, clientInfo: CLIENT };
    await this.#done(await this.#request("initialize", params));
    await this.#send({ method: "notifications/initialized" });
  }

  #got(message: Message & Answer): void {
    if (message.method === undefined) {
      const call = this.#open.find(({ id }) => id === message.id);
      if (call !== undefined) {
        assert.equal(call.answer, undefined, "one call was answered twice");
        call.answer = message;
      }
    } else {
      this.#seen.push(message);
      if (message.method === "elicitation/create") this.#questions.push(message.id ?? assert.fail("a question without an id"));
      const result = { role: "assistant", content: { type: "text", text: "sampled" }, model: "none" };
      if (message.method === "sampling/createMessage") return void this.#send({ id: message.id, result });
    }
    this.#host.moved();
  }

  async #send(message: object): Promise<void> {
    await this.#near?.send({ jsonrpc: "2.0", ...message } as JSONRPCMessage);
  }

  /** Params as the client's revision has them. */
  #params(params: Record<string, unknown>): Record<string, unknown> {
    if (this.#era === undefined) return params;
    const about = { protocolVersion: this.#era, clientInfo: CLIENT, clientCapabilities: CAPABILITIES };
    const own = Object.entries(about).map(([name, value]) => [PREFIX + name, value]);
    return { ...params, _meta: { ...(params["_meta"] as object | undefined), ...(Object.fromEntries(own) as object) } };
  }

  async #post(method: string, params: Record<string, unknown>): Promise<Call> {
    const call: Call = { method, params, identity: this.#host.identity, id: (this.#ids += 1), answer: undefined };
    this.#open.push(call);
    this.#host.sending = call;
    await this.#send({ id: call.id, method, params: this.#params(params) });
    return call;
  }

  async #request(method: string, params: Record<string, unknown>): Promise<Call> {
    const moved = new Promise<void>((resolve) => (this.#host.moved = resolve));
    const call = await this.#post(method, params);
    await moved;
    this.#host.sending = undefined;
    return call;
  }

  async #call(name: string, step: Step): Promise<void> {
    const { arguments: args, task, progress, as, at_once } = step;
    const _meta = { progressToken: `progress of ${as ?? ""}` };
    const params = { name, ...(args === undefined ? {} : { arguments: args }), ...(task === undefined ? {} : { task }), ...(progress ? { _meta } : {}) };
    if (as !== undefined) {
      this.#calls.set(as, await this.#request("tools/call", params));
    } else if (at_once !== undefined) {
      const calls = Array.from({ length: at_once }, () => this.#post("tools/call", params));
      const counts: Counts = {};
      for (const call of await Promise.all(calls)) {
        const kind = kindOf((await this.#done(call)).answer ?? assert.fail());
        counts[kind] = (counts[kind] ?? 0) + 1;
      }
      assert.deepEqual(counts, step.expect);
    } else {
      await this.#repeat("tools/call", params, step);
    }
  }

  async #repeat(method: string, params: Record<string, unknown>, step: Step): Promise<void> {
    for (let n = 0; n < (step.times ?? 1); n += 1) this.#expect(await this.#done(await this.#request(method, params)), step);
  }

  async #done(call: Call): Promise<Call> {
    while (call.answer === undefined) await turn();
    return call;
  }

  #of(name: string): Call {
    return this.#calls.get(name) ?? assert.fail(`no call is named ${name}`);
  }

  async #round(name: string, step: Step, action = "accept"): Promise<void> {
    const made = await this.#done(this.#of(name));
    const asked = (made.asked ??= made.answer?.result ?? assert.fail("it was answered by no result"));
    const content = action === "accept" ? { which: "this" } : {};
    const inputResponses = Object.fromEntries(Object.keys(asked.inputRequests ?? {}).map((key) => [key, { action, content }]));
    const requestState = step.state ?? asked.requestState;
    const own = step.arguments === undefined ? {} : { arguments: step.arguments };
    const again = await this.#done(await this.#request("tools/call", { ...made.params, ...own, inputResponses, requestState }));
    if (step.expect !== undefined) this.#expect(again, step);
    const goesOn = step.expect === undefined || step.expect === "input_required";
    if (!goesOn || step.arguments !== undefined) return;
    const result = again.answer?.result;
    again.asked = result?.resultType === "input_required" ? result : asked;
    this.#calls.set(name, again);
  }

  async #approve(name: string, given: boolean): Promise<void> {
    if (this.#host.approvals === "store") {
      return this.#host.answerInStore(String(this.#of(name).answer?.result?._meta?.["callgate/approval_id"]), given);
    }
    if (this.#host.approvals === true) return (this.#of(name).approve ?? assert.fail("no approval was asked for"))(given);
    const action = given ? "accept" : "decline";
    if (this.#era !== undefined) return this.#round(name, {}, action);
    const id = this.#questions.shift() ?? assert.fail("the client was not asked");
    await this.#send({ id, result: given ? { action, content: {} } : { action } });
  }

  async #progressed(call: Call): Promise<void> {
    const { progressToken } = call.params["_meta"] as { progressToken: string };
    const before = call.told ?? -1;
    const told = () => Math.max(before, ...this.#seen.map(({ params }) => (params?.progressToken === progressToken ? (params.progress ?? -1) : -1)));
    for (let n = 0; n < 300 && told() === before; n += 1) await pause(10);
    assert.ok((call.told = told()) > before, "there was no progress");
  }

  async #listed({ of = "tools/list", cache }: Step): Promise<string[]> {
    const [member, key] = LISTS[of] ?? assert.fail(`no list ${of}`);
    const names: string[] = [];
    for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
      const { answer } = await this.#done(await this.#request(of, cursor === undefined ? {} : { cursor }));
      const result = answer?.result ?? assert.fail(JSON.stringify(answer));
      names.push(...(result[member] as Record<string, string>[]).map((item) => item[key] ?? assert.fail()));
      for (const [name, value] of Object.entries(cache ?? {})) assert.deepEqual(result[name], value, name);
      cursor = result.nextCursor;
    }
    return names.sort();
  }

  #expect(call: Call, { expect, text = "" }: Step): void {
    const { answer } = call;
    if (expect === "none") return assert.equal(answer, undefined);
    assert.ok(answer, "there is no answer");
    const { error, result } = answer;
    const told = error?.message ?? result?.content?.[0]?.text ?? JSON.stringify(result);
    assert.ok(told.includes(text), told);
    const kind = kindOf(answer);
    if (expect === "failed") return assert.ok(error !== undefined || result?.isError === true, told);
    if (expect === "unchecked") return assert.deepEqual([kind, told], ["tool_error", UNCHECKED]);
    // The guard's own checks of arguments are none of an engine that is asked alone.
    if (expect === "invalid_args") return assert.ok(result?.isError === true && told.startsWith("Arguments are not valid: "), told);
    if (["result", "tool_error", "error", "input_required"].includes(expect as string)) return assert.equal(kind, expect, told);
    if (expect === "definition_changed") return this.#toldOfChange(call, answer);
    const decision = this.#explained(call);
    assert.equal(decision.code, expect, told);
    if (call.method !== "tools/call" || "task" in call.params) {
      return assert.deepEqual(error, { code: MCP_DENIED, message: decision.message, data: decision.toMcpMeta() });
    }
    const expected = decision.toMcpResult();
    if (this.#host.approvals === "store" && expect === "approval_required") {
      // Where the call stands is said behind the message.
      const { "callgate/approval_id": filed, ..._meta } = result?._meta ?? {};
      assert.match(String(filed), /^[0-9a-z]{8}$/);
      return assert.deepEqual([told.split("\n")[0], _meta], [decision.message, decision.toMcpMeta()]);
    }
    if (this.#era === undefined) return assert.deepEqual(result, expected, told);
    // Beside what the SDK for the server says of each result.
    const { [`${PREFIX}serverInfo`]: _, ..._meta } = result?._meta ?? {};
    assert.deepEqual({ ...result, _meta }, { ...expected, resultType: "complete" }, told);
  }

  /** A tool that is not as it was approved (G13.3). */
  #toldOfChange({ params }: Call, { error, result }: Answer): void {
    const data = { "callgate/code": "definition_changed" };
    const message = `Tool "${params["name"] as string}" is not as it was approved: its definition has changed, or it is new. Trying again does not help: somebody has to review it.`;
    if ("task" in params) return assert.deepEqual(error, { code: MCP_DENIED, message, data });
    const expected = { content: [{ type: "text", text: message }], isError: true, _meta: data };
    const { [`${PREFIX}serverInfo`]: _, ..._meta } = result?._meta ?? {};
    assert.deepEqual({ ...result, _meta }, this.#era === undefined ? expected : { ...expected, resultType: "complete" });
  }

  #explained({ method, params, identity }: Call): Decision {
    // A request that is refused charges nothing.
    if (method !== "tools/call") return this.#host.engine.evaluateRequest(method, params, identity, null, null, this.#host.serverName);
    return this.#host.engine.explain(params["name"] as string, params["arguments"], identity, null, null, this.#host.serverName).decision;
  }
}

/** What kind of answer it is: the code, where the guard refused. */
function kindOf({ result, error }: Answer): string {
  const code = (error?.data ?? result?._meta)?.["callgate/code"];
  if (typeof code === "string") return code;
  if (error !== undefined) return "error";
  return result?.resultType === "input_required" ? "input_required" : result?.isError === true ? "tool_error" : "result";
}

const folder = join(PROJECT, "spec/guards");
for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
  const { scenarios } = JSON.parse(readFileSync(join(folder, file), "utf8")) as { scenarios: Scenario[] };
  for (const kind of KINDS) {
    describe(`${file}, ${kind}`, () => {
      for (const scenario of scenarios) {
        const { name, only = [kind], except = {} } = scenario;
        if (!only.includes(kind) || kind in except) continue;
        test(name, { timeout: 30_000 }, async () => {
          const host = new Hosted(kind, scenario);
          await host.approve();
          const run = new Run(host, scenario);
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
