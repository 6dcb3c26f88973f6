// How calls end, for hosts that want to hear of it, and arguments that an `McpServer` refuses before the handler. Both SDKs.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpServer as McpServer2 } from "@modelcontextprotocol/server";
import { type Decision, Engine } from "callgate";
import { type CallResult, guard, type GuardOptions } from "callgate/mcp";
import { z } from "zod";

const POLICY = `
version: "1"
default: deny
tools:
  pay: {limits: [{counter: sum, window: day, max: 10, increment_from: args.amount}]}
  fail: {rules: [{rate_limit: 5/day}]}
  ask: {rules: [{action: require_approval}]}
  asks_itself: {rules: [{rate_limit: 5/day}]}
  mail: {rules: [{rate_limit: 5/day}], deny_if: [{path: args.to, op: eq, value: root}]}
`;

interface Heard {
  decision: Decision;
  result: CallResult;
}
interface Peer {
  client: Client;
  engine: Engine;
  ran: string[];
  heard: Heard[];
  errors: unknown[];
}

for (const [kind, make] of Object.entries({
  "@modelcontextprotocol/sdk": () => new McpServer({ name: "first", version: "1" }),
  "@modelcontextprotocol/server": () => new McpServer2({ name: "second", version: "1" }) as unknown as McpServer,
})) {
  describe(kind, () => {
    let times = 0;
    const peer = async (more: GuardOptions = {}): Promise<Peer> => {
      const [ran, heard, errors]: [string[], Heard[], unknown[]] = [[], [], []];
      const engine = Engine.fromString(POLICY, { clock: () => Date.UTC(2026, 10, 21, 10) });
      const server = make();
      const tool = (name: string, inputSchema: z.ZodObject, answer: (args: never) => object) =>
        server.registerTool(name, { inputSchema }, (async (args: never) => (ran.push(name), { content: [{ type: "text", text: name }], ...(await answer(args)) })) as never);
      tool("pay", z.object({ amount: z.number().max(9) }), () => ({}));
      tool("fail", z.object({}), () => ({ isError: true }));
      tool("ask", z.object({}), () => ({}));
      const own = server as unknown as { validateToolInput(tool: unknown, args: unknown, name: string): Promise<unknown>; _registeredTools: Record<string, unknown> };
      tool("asks_itself", z.object({}), () => own.validateToolInput(own._registeredTools["pay"], { amount: 10 }, "pay") as never);
      // The second time it says otherwise.
      times = 0;
      tool("mail", z.object({ to: z.string().refine(() => (times += 1) === 1) }), () => ({ isError: true }));
      guard(server, engine, { onResult: (decision, result) => void heard.push({ decision, result }), onError: (error) => errors.push(error), ...more });
      const [near, far] = InMemoryTransport.createLinkedPair();
      await server.connect(far);
      const client = new Client({ name: "test", version: "1" });
      await client.connect(near);
      return { client, engine, ran, heard, errors };
    };
    const used = ({ engine }: Peer, tool: string, args = {}) => engine.explain(tool, args).decision.counters[0]?.used;

    test("each decided call is told of, with what its client is answered", async () => {
      const { client, heard } = await peer();
      const answers = [await client.callTool({ name: "pay", arguments: { amount: 5 } }), await client.callTool({ name: "fail" }), await client.callTool({ name: "ask" }), await client.callTool({ name: "nothing" })];
      assert.deepEqual(
        heard.map(({ decision, result }) => [decision.code, result.tool, result.arguments, result.outcome, result.error]),
        [
          ["allowed", "pay", { amount: 5 }, "done", undefined],
          ["allowed", "fail", undefined, "tool_error", undefined],
          ["approval_required", "ask", undefined, "not_run", undefined],
          ["not_listed", "nothing", undefined, "not_run", undefined],
        ],
      );
      assert.deepEqual(heard.map(({ result }) => result.result?.["content"]), answers.map(({ content }) => content));
    });

    test("it may settle, before the client has its answer", async () => {
      const made = await peer({
        onResult: async (decision) => {
          await sleep(5);
          decision.reservation?.settle("1.5");
        },
      });
      await made.client.callTool({ name: "pay", arguments: { amount: 5 } });
      assert.equal(used(made, "pay", { amount: 0 }), "1.5");
      assert.deepEqual(made.errors, []);
    });

    test("what it throws goes to `onError`, and changes nothing else", async () => {
      const thrown = new Error("no disk");
      const { client, errors } = await peer({
        onResult: () => {
          throw thrown;
        },
      });
      assert.equal((await client.callTool({ name: "pay", arguments: { amount: 5 } })).isError, undefined);
      assert.deepEqual(errors, [thrown]);
    });

    test("a call that is given up is told of without an answer", async () => {
      const { client, heard } = await peer({ onApproval: () => new Promise(() => {}) });
      const abort = new AbortController();
      const call = client.callTool({ name: "ask" }, undefined, { signal: abort.signal });
      await sleep(10);
      abort.abort();
      await assert.rejects(call);
      await sleep(10);
      assert.deepEqual(heard.map(({ decision, result }) => [decision.code, result.outcome, result.result, result.error]), [["approval_required", "not_run", undefined, undefined]]);
    });

    test("arguments that the server refuses before the handler cost nothing", async () => {
      const made = await peer({ checkArgs: false });
      assert.equal((await made.client.callTool({ name: "pay", arguments: { amount: 10 } })).isError, true);
      assert.equal((await made.client.callTool({ name: "pay", arguments: { amount: 1, more: 1 } })).isError, undefined);
      assert.deepEqual([made.ran, used(made, "pay", { amount: 0 })], [["pay"], "1"]);
      assert.deepEqual(made.heard.map(({ result }) => result.outcome), ["not_run", "done"]);
    });

    test("a handler that has something refused by the wrapper of its server was reached", async () => {
      const made = await peer();
      assert.equal((await made.client.callTool({ name: "asks_itself" })).isError, true);
      assert.deepEqual([made.ran, made.heard[0]?.result.outcome, used(made, "asks_itself")], [["asks_itself"], "tool_error", "1"]);
    });

    test("what ran is charged, also where the schema would answer otherwise the next time", async () => {
      const made = await peer();
      assert.equal((await made.client.callTool({ name: "mail", arguments: { to: "bob" } })).isError, true);
      assert.deepEqual([made.ran, made.heard[0]?.result.outcome, used(made, "mail", { to: "bob" })], [["mail"], "tool_error", "1"]);
    });
  });
}
