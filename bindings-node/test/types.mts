// What the package's types admit and what they do not: checked by the compiler, never run.

import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { CallToolRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { McpServer as McpServer2 } from "@modelcontextprotocol/server";
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { type Engine, type Identity, lint, type LiveCounter } from "callgate";
import { z } from "zod";

/** A refusal is a result of a handler of each SDK. */
export function handlers(engine: Engine): void {
  const refused = () => engine.evaluate("t").toMcpResult() ?? { content: [] };
  new Server({ name: "low", version: "1" }).setRequestHandler(CallToolRequestSchema, refused);
  new McpServer({ name: "high", version: "1" }).registerTool("t", { inputSchema: { n: z.number() } }, refused);
  new McpServer2({ name: "second", version: "1" }).registerTool("t", { inputSchema: z.object({ n: z.number() }) }, refused);
}

/** What a client of the SDK lists can be linted against. */
export const linted = async (text: string, client: Client) => lint(text, await client.listTools());

/** What was listed can be reset, also by its key alone. */
export const reset = (engine: Engine, counter: LiveCounter): boolean => engine.resetCounter(counter) || engine.resetCounter({ key: counter.key });

interface User {
  readonly id: string;
  readonly roles: readonly string[];
}

declare const user: User;
declare const claims: Record<string, unknown>;
export const identities: Identity[] = ["alice", { id: "alice", "a claim": [1] }, user, claims, null, undefined];

// @ts-expect-error: a list is no caller.
export const list: Identity = ["alice"];
// @ts-expect-error: nor is a function,
export const called: Identity = () => "alice";
// @ts-expect-error: a class,
export const made: Identity = Map;
// @ts-expect-error: what can be walked through,
export const map: Identity = new Map([["id", "alice"]]);
// @ts-expect-error: or a number.
export const number: Identity = 5;
