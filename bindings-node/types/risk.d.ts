import { type ListedTool } from "./lint.js";
export type RiskClass = "Read" | "Write" | "Execute" | "Destructive" | "Financial" | "Unknown";
/** One thing that was weighed. */
export interface RiskReason {
    readonly direction: "for" | "against";
    readonly text: string;
    /** A JSON pointer into the definition; empty where no single place says it. */
    readonly place: string;
}
/** Something odd about a definition, at its place. */
export interface RiskFinding {
    readonly code: "contradicting_hint" | "several_tools" | "hidden_characters";
    readonly text: string;
    readonly place: string;
}
/** What a tool was found to be. Fields are only added. */
export interface ToolRisk {
    readonly server: string;
    readonly name: string;
    readonly class: RiskClass;
    readonly severity: "low" | "medium" | "high" | "critical";
    readonly labels: readonly ("batch" | "credentials" | "identity_admin" | "outbound" | "private_data" | "untrusted_input")[];
    /** 0 to 100; below 60 the class is `Unknown`. */
    readonly confidence: number;
    readonly reasons: readonly RiskReason[];
    readonly findings: readonly RiskFinding[];
}
/** A class that somebody gives a tool, with the reason. */
export interface RiskOverride {
    /** The server whose tool it is; of every server where it is left out. */
    readonly server?: string;
    readonly tool: string;
    readonly class: RiskClass;
    readonly reason: string;
}
export interface ClassifyOptions {
    /** The server's name, as the results and overrides have it. */
    readonly server?: string;
    /** Lets descriptions and hints of the server lower a class, too. */
    readonly trusted?: boolean;
    readonly overrides?: readonly RiskOverride[];
}
/**
 * Says which class of risk each tool of a server has, and why (spec/risk.md). `tools` is the result of `tools/list`, or its list of tools.
 *
 * @throws {TypeError} where `tools` is not a list of tools, or an override has no class or reason.
 */
export declare function classifyTools(tools: readonly ListedTool[] | {
    readonly tools: readonly ListedTool[];
}, { server, trusted, overrides }?: ClassifyOptions): ToolRisk[];
