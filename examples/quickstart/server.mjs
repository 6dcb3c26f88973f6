import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { Engine } from "callgate";
import { guard } from "callgate/mcp";
import { z } from "zod";

const server = new McpServer({ name: "payments", version: "1.0.0" });
server.registerTool("create_charge", { inputSchema: { amount: z.number().int() } }, ({ amount }) => ({
  content: [{ type: "text", text: `charged ${amount}` }],
}));

guard(server, Engine.fromFile("policy.yaml", { watch: true }));
await server.connect(new StdioServerTransport());
