// Definitions of tools, as locks compare them.
//
// In: the definition of a tool. Out: digests. Must not judge a change.

import { NativePins } from "../native.js";

/**
 * The digest of a tool's definition, as `tools/list` gives it, and those of its fields, as a `callgate.lock` has them: `digest` for the whole,
 * and `annotations`, `description`, `inputSchema`, `other`, `outputSchema`, `title`, as far as they are there. Takes JSON text, or a value that
 * `JSON.stringify` makes text of. Null for what is no definition, or could be read in two ways.
 */
export function definitionDigests(definition: unknown): Readonly<Record<string, string>> | null {
  const text = typeof definition === "string" ? definition : JSON.stringify(definition);
  const found = typeof text === "string" ? NativePins.digests(text) : null;
  return found == null ? null : (Object.fromEntries(found) as Record<string, string>);
}
