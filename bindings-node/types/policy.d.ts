import { Diagnostic } from "./errors.js";
import type { Identity } from "./identity.js";
/** What `filterTools` needs of a tool. */
export interface NamedTool {
    readonly name: string;
}
/** A compiled policy: immutable, and cheap to share. */
export declare class Policy {
    #private;
    /**
     * Compiles a text, YAML or JSON (clause 1.1 of the language).
     *
     * @throws {PolicyError} with every error in the text.
     */
    static fromString(text: string): Policy;
    /**
     * Reads and compiles a file, or several as one stack, in their order (clause 6.10). `.json`, `.yaml` and `.yml` tell a file's
     * format; any other is JSON if it looks like JSON.
     *
     * @throws {PolicyFileError} where one cannot be read, {PolicyError} where it is not a valid policy, {StackError} where they do not
     * go together.
     */
    static fromFile(path: string | readonly string[]): Policy;
    /**
     * Several policies as one, in this order: what one of them stops is stopped, whatever the others say (clause 6.10). A stack of one
     * is that policy. In a stack of more than one, each has a `name` of its own.
     *
     * @throws {StackError} where they do not go together.
     */
    static stack(policies: readonly Policy[]): Policy;
    /** The names of the policies that it was made of, in order; null for one without a name. */
    get layers(): readonly (string | null)[];
    /** `sha256:` and the SHA-256 of the text in hex, as decisions name their policy; of a stack, that of its policies' digests. */
    get digest(): string;
    /** What may not mean what its author thinks. An engine reports it as well, to `onWarning`. */
    get warnings(): readonly Diagnostic[];
    /**
     * Whether the caller may see the tool in `tools/list`: `hide` hides, and under `list: callable` so does what this caller can never call
     * (clause 10.9). `server` is the name of the server that has the tool, as the host knows it.
     */
    visible(tool: string, identity?: Identity, server?: string | null): boolean;
    /** The tools that the caller may see, in their order (clause 10.9). */
    filterTools<T extends NamedTool>(tools: readonly T[], identity?: Identity, server?: string | null): T[];
    /**
     * The names and globs of `tools`, `hide` and `dispatchers` that match none of these tools, which are all that a server has: each with its line, and
     * the tool that was probably meant.
     */
    unmatched(tools: readonly string[]): UnmatchedName[];
    /** The rules and items that need to know who calls, each with what it reads, and what to write where callers have none. */
    identityNeeds(): IdentityNeed[];
}
/** A name or glob in a policy that matches none of a server's tools. */
export interface UnmatchedName {
    readonly name: string;
    /** JSON Pointer to it. */
    readonly pointer: string;
    readonly line: number;
    /** The layer's name; null where it has none. */
    readonly layer: string | null;
    /** The tool that was probably meant. */
    readonly nearest: string | null;
    /** A sentence of it. */
    readonly told: string;
}
/** A rule or item that needs to know who calls. */
export interface IdentityNeed {
    readonly name: string | null;
    /** JSON Pointer to it. */
    readonly pointer: string;
    readonly line: number;
    readonly layer: string | null;
    /** What it reads, as a policy writes it: `identity.role`, `scope: identity`. */
    readonly reads: readonly string[];
    readonly needs: "identity" | "session" | "session_or_identity";
    /** A sentence of it. */
    readonly told: string;
    /** What to write, or to give the guard, where callers have none. */
    readonly help: string;
}
