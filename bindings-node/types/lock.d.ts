/**
 * The digest of a tool's definition, as `tools/list` gives it, and those of its fields, as a `callgate.lock` has them: `digest` for the whole,
 * and `annotations`, `description`, `inputSchema`, `other`, `outputSchema`, `title`, as far as they are there. Takes JSON text, or a value that
 * `JSON.stringify` makes text of. Null for what is no definition, or could be read in two ways.
 */
export declare function definitionDigests(definition: unknown): Readonly<Record<string, string>> | null;
