// Policies beside the tools of a server.
//
// In: a policy's text, and what a server lists. Out: warnings of what can never match. Decides nothing about calls.

import * as native from "../native.js";
import { Diagnostic, PolicyError } from "./errors.js";

/** A tool as `tools/list` has it. */
export interface ListedTool {
  readonly name: string;
  /** The JSON Schema of its arguments. */
  readonly inputSchema?: unknown;
}

const { stringify } = JSON;

/**
 * Warns of names in a policy that match none of a server's tools, and of paths and scopes that its tools' input schemas cannot have
 * (clause 12.2). `tools` is the result of `tools/list`, or its list of tools.
 *
 * @throws {PolicyError} where the policy does not load, {TypeError} where `tools` is not a list of tools.
 */
export function lint(text: string, tools: readonly ListedTool[] | { readonly tools: readonly ListedTool[] }): readonly Diagnostic[] {
  if (typeof text !== "string") throw new TypeError("a policy is a string");
  const { loads, findings } = native.NativePolicy.lint(text, listed(tools));
  const diagnostics = findings.map((finding) => new Diagnostic(finding));
  if (!loads) throw new PolicyError(diagnostics, null);
  return diagnostics;
}

/** The list as JSON text. Any other value would be taken for a server without tools, which makes a warning of every entry. @internal */
export function listed(tools: unknown): string {
  const list: unknown = typeof tools === "object" && tools !== null && "tools" in tools ? tools.tools : tools;
  if (!Array.isArray(list)) throw new TypeError("`tools` is the result of tools/list, or its list of tools");
  return stringify(list);
}
