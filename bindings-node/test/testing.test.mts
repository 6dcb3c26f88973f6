// What `callgate/testing` gives authors of servers: their guarded server in memory. Servers of both SDKs.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpServer as McpServer2 } from "@modelcontextprotocol/server";
import { Engine } from "callgate";
import { approveByElicitation, guard } from "callgate/mcp";
import { connect } from "callgate/testing";
import { z } from "zod";

const policy = `
version: "1"
default: deny
hide: [secret]
tools:
  pay: {limits: [{counter: sum, window: day, max: 10, increment_from: args.amount}]}
  admin: {require: [{path: identity.role, op: eq, value: admin}]}
  ask: {rules: [{action: require_approval}]}
`;

for (const [kind, Kind] of Object.entries({ sdk: McpServer, server: McpServer2 as unknown as typeof McpServer })) {
  describe(kind, () => {
    const makeServer = () => {
      const server = new Kind({ name: "shop", version: "1" });
      server.registerTool("pay", { inputSchema: z.object({ amount: z.number() }) as never }, (({ amount }: { amount: number }) => ({ content: [{ type: "text", text: `paid ${amount}` }] })) as never);
      for (const name of ["admin", "ask", "secret"]) server.registerTool(name, {}, () => ({ content: [{ type: "text", text: name }] }));
      return server;
    };

    test("limits hold, until the day is over", async () => {
      let now = Date.UTC(2026, 10, 21, 10);
      const engine = Engine.fromString(policy, { clock: () => now });
      const client = await connect(guard(makeServer(), engine));
      assert.equal((await client.call("pay", { amount: 9 })).text, "paid 9");
      assert.equal((await client.call("pay", { amount: 9 })).code, "limit_exceeded");
      now += 86_400_000;
      assert.equal((await client.call("pay", { amount: 9 })).code, null);
    });

    test("what is hidden is not seen, and nobody is an admin without a token", async () => {
      const client = await connect(guard(makeServer(), Engine.fromString(policy)));
      assert.deepEqual(await client.tools(), ["pay", "admin", "ask"]);
      const { code, isError, text, result } = await client.call("admin");
      assert.deepEqual([code, isError, text], ["condition_failed", true, 'Denied by rule "/tools/admin/require/0"']);
      assert.equal(result?.["isError"], true);
      const admin = { token: "t", clientId: "app", scopes: [], extra: { role: "admin" } };
      assert.equal((await client.call("admin", {}, admin)).text, "admin");
      assert.equal((await client.call("nothing")).code, "not_listed");
      await client.close();
      await assert.rejects(client.call("pay", { amount: 1 }), /closed/);
    });

    test("a person answers, or nobody can be asked", async () => {
      const asked: string[] = [];
      const guarded = () => guard(makeServer(), Engine.fromString(policy), { onApproval: approveByElicitation() });
      const elicit = ({ message }: Readonly<Record<string, unknown>>) => (asked.push(String(message)), { action: "accept", content: {} } as const);
      assert.equal((await (await connect(guarded(), { elicit })).call("ask")).text, "ask");
      assert.equal(asked.length, 1);
      assert.equal((await (await connect(guarded())).call("ask")).code, "approval_required");
    });
  });
}
