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
     * Reads and compiles a file. `.json`, `.yaml` and `.yml` tell its format; any other file is JSON if it looks like JSON.
     *
     * @throws {PolicyFileError} where it cannot be read, {PolicyError} where it is not a valid policy.
     */
    static fromFile(path: string): Policy;
    /** `sha256:` and the SHA-256 of the text in hex, as decisions name their policy. */
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
}
