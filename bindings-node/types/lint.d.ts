import { Diagnostic } from "./errors.js";
/** A tool as `tools/list` has it. */
export interface ListedTool {
    readonly name: string;
    /** The JSON Schema of its arguments. */
    readonly inputSchema?: unknown;
}
/**
 * Warns of names in a policy that match none of a server's tools, and of paths and scopes that its tools' input schemas cannot have
 * (clause 12.2). `tools` is the result of `tools/list`, or its list of tools.
 *
 * @throws {PolicyError} where the policy does not load, {TypeError} where `tools` is not a list of tools.
 */
export declare function lint(text: string, tools: readonly ListedTool[] | {
    readonly tools: readonly ListedTool[];
}): readonly Diagnostic[];
