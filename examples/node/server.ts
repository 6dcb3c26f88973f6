// A payments server that agents use under a policy. In: an MCP client over stdio. Out: answers to the calls that the policy allows, and refusals.

import { fileURLToPath } from "node:url";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { Engine } from "callgate";
import { guard } from "callgate/mcp";
import { z } from "zod";

const server = new McpServer({ name: "payments", version: "1.0.0" });
const text = (message: string) => ({ content: [{ type: "text" as const, text: message }] });
const amount = z.number().int().describe("in cents");

server.registerTool("list_customers", { description: "Lists all customers" }, () => text("alice, bob"));
server.registerTool("create_charge", { description: "Charges a customer", inputSchema: { customer: z.string(), amount } }, (charge) =>
  text(`charged ${charge.amount} to ${charge.customer}`),
);
server.registerTool("refund", { description: "Refunds a customer", inputSchema: { customer: z.string(), amount } }, (refund) =>
  text(`refunded ${refund.amount} to ${refund.customer}`),
);
server.registerTool("delete_customer", { description: "Deletes a customer" }, () => text("deleted"));

// The one line. Policies are read again when the file changes.
guard(server, Engine.fromFile(process.argv[2] ?? fileURLToPath(new URL("policy.yaml", import.meta.url)), { watch: true }));

await server.connect(new StdioServerTransport());
