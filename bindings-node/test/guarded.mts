// Servers of a scenario of `spec/guards`: `McpServer` of `@modelcontextprotocol/sdk` (`node`) and of `@modelcontextprotocol/server`
// (`node-v2`).
//
// In: what the scenario offers. Out: a server, and what its handlers did. The servers are the SDKs' own; only the handlers are the test's.

import assert from "node:assert/strict";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { UrlElicitationRequiredError } from "@modelcontextprotocol/sdk/types.js";
import { McpServer as McpServer2, UrlElicitationRequiredError as UrlElicitationRequiredError2 } from "@modelcontextprotocol/server";
import * as callgate from "callgate";
import type { Guardable } from "callgate/mcp";
import { z } from "zod";

export type Does =
  | "answer"
  | "tool_error"
  | "raise"
  | "protocol_error"
  | "invalid_result"
  | "wait"
  | "settle"
  | "sample"
  | "dispatch"
  | { ask: number };
export interface Tool {
  input?: Record<string, unknown>;
  output?: Record<string, unknown>;
  does?: Does;
}
/** What the server of a scenario has. */
export interface Offer {
  tools: Record<string, Tool>;
  resources?: string[];
  prompts?: string[];
  pages?: number;
  cache?: Record<string, unknown>;
}
type Arguments = Record<string, unknown>;
/** What comes with a call: of the second generation, the state that its client gives back. */
interface Extra {
  mcpReq?: { requestState(): string | undefined };
}
type Result = Record<string, unknown>;
type Handle = (request: { params?: { cursor?: string } }, extra: unknown) => Promise<Result>;
interface Sampled {
  content: { text: string };
}
export type Server = Guardable & {
  connect(transport: unknown): Promise<void>;
  server: { _requestHandlers: Map<string, Handle>; createMessage(params: unknown): Promise<Sampled> };
};

/** The handlers of one server: how often each ran, and what they wait for. */
export class Handlers {
  readonly ran = new Map<string, number>();
  /** States that were given, with the number of each. */
  readonly #states = new Map<string | undefined, number>();
  readonly #tools: Record<string, Tool>;
  readonly #began: () => ((finish: () => void) => void) | undefined;
  server: Server | undefined;
  /** Definitions that are others than at the beginning. */
  readonly changes = new Map<string, { input?: Record<string, unknown>; name?: string }>();

  /** `began` hears of each handler that runs, and gives what is told how to let it go on. */
  constructor(tools: Record<string, Tool>, began: () => ((finish: () => void) => void) | undefined) {
    this.#tools = tools;
    this.#began = began;
  }

  /** A handler ran: of a tool, a resource or a prompt. */
  got(name: string): string {
    this.ran.set(name, (this.ran.get(name) ?? 0) + 1);
    this.#began();
    return name;
  }

  of(name: string, protocolError: () => Error): (args: Arguments, extra: Extra) => unknown {
    const { does = "answer", output } = this.#tools[name] ?? assert.fail(`no tool ${name}`);
    return (args, extra) => {
      this.ran.set(name, (this.ran.get(name) ?? 0) + 1);
      const waits = this.#began();
      const answer = { ...said(JSON.stringify(args)), ...(output === undefined ? {} : { structuredContent: args }) };
      if (typeof does === "object") {
        const number = this.#states.get(extra.mcpReq?.requestState()) ?? 0;
        return number < does.ask ? this.#asks(number + 1) : answer;
      }
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
          return new Promise((resolve) => (waits ?? assert.fail("nothing could finish it"))(() => resolve(answer)));
        case "settle":
          return this.#settles(args["cost"]).then(() => answer);
        case "sample":
          return this.#samples();
        case "dispatch":
          // The SDKs have no inner calls: a handler calls another one.
          return this.of(args["name"] as string, protocolError)((args["arguments"] ?? {}) as Arguments, extra);
      }
    };
  }

  #asks(number: number): Result {
    const requestState = `state ${this.#states.size}`;
    this.#states.set(requestState, number);
    const params = { mode: "form", message: "Which?", requestedSchema: { type: "object", properties: { which: { type: "string" } } } };
    return { resultType: "input_required", inputRequests: { which: { method: "elicitation/create", params } }, requestState };
  }

  async #settles(cost: unknown): Promise<void> {
    const { currentReservation } = callgate as unknown as { currentReservation(): { settleAsync(cost: unknown): Promise<void> } };
    await currentReservation().settleAsync(cost);
  }

  async #samples(): Promise<Result> {
    const messages = [{ role: "user", content: { type: "text", text: "Say something" } }];
    const { server } = this.server ?? assert.fail("it has no server");
    return server.createMessage({ messages, maxTokens: 10 }).then(
      ({ content }) => said(content.text),
      ({ message }: Error) => said(message),
    );
  }
}

function said(text: string): Result {
  return { content: [{ type: "text", text }] };
}

/** The server of that guard, with these handlers. */
export function serverOf(kind: string, { tools, resources = [], prompts = [], pages, cache }: Offer, handlers: Handlers): Server {
  const Url = kind === "node" ? UrlElicitationRequiredError : UrlElicitationRequiredError2;
  const server = new (kind === "node" ? McpServer : (McpServer2 as unknown as typeof McpServer))({ name: "scenario", version: "1" });
  for (const [name, { input, output }] of Object.entries(tools)) {
    const outputSchema = output === undefined ? {} : { outputSchema: schema(output) };
    server.registerTool(name, { inputSchema: schema(input), ...outputSchema }, handlers.of(name, () => new Url([])) as never);
  }
  for (const uri of resources) server.registerResource(uri, uri, {}, () => ({ contents: [{ uri, text: handlers.got(uri) }] }));
  for (const name of prompts) {
    server.registerPrompt(name, {}, () => ({ messages: [{ role: "user", content: { type: "text", text: handlers.got(name) } }] }));
  }
  const own = server as unknown as Server;
  handlers.server = own;
  changing(own, handlers);
  if (pages !== undefined || cache !== undefined) paged(own, pages ?? Infinity, cache);
  return own;
}

const schema = (of: Record<string, unknown> = { type: "object" }) => z.fromJSONSchema(of as never) as z.ZodObject;

/** Has the list of tools with other definitions, where the scenario changes them. */
function changing({ server }: Server, { changes }: Handlers): void {
  const before = server._requestHandlers.get("tools/list");
  if (before === undefined) return;
  server._requestHandlers.set("tools/list", async (request, extra) => {
    const result = await before(request, extra);
    if (changes.size === 0) return result;
    const tools = (result["tools"] as Result[]).map((tool) => {
      const { input, name } = changes.get(String(tool["name"])) ?? {};
      return { ...tool, ...(input === undefined ? {} : { inputSchema: input }), ...(name === undefined ? {} : { name }) };
    });
    return { ...result, tools };
  });
}

/** What the server lists, as a client gets it. */
export async function listed({ server }: Server): Promise<never[]> {
  const list = server._requestHandlers.get("tools/list") ?? assert.fail("it lists no tools");
  const { tools } = JSON.parse(JSON.stringify(await list({ method: "tools/list", params: {} } as never, {}))) as { tools: never[] };
  return tools;
}

/** Has the list of tools in pages: `McpServer` gives it whole. A cursor is the number of its first item. */
function paged({ server }: Server, size: number, cache: Record<string, unknown> | undefined): void {
  const whole = server._requestHandlers.get("tools/list") ?? assert.fail("it lists no tools");
  server._requestHandlers.set("tools/list", async (request, extra) => {
    const result = await whole(request, extra);
    const [all, first] = [result["tools"] as unknown[], Number(request.params?.cursor ?? 0)];
    const rest = first + size < all.length ? { nextCursor: String(first + size) } : {};
    return { ...result, tools: all.slice(first, first + size), ...rest, ...cache };
  });
}
