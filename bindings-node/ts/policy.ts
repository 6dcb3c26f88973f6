// Compiled policies.
//
// In: a text or a file. Out: a policy, or a typed error with every diagnostic.

import * as native from "../native.js";
import { type CallgateError, Diagnostic, PolicyError, PolicyFileError, throwing } from "./errors.js";
import type { Identity } from "./identity.js";
import { probe } from "./probe.js";

/** What `filterTools` needs of a tool. */
export interface NamedTool {
  readonly name: string;
}

/** A compiled policy: immutable, and cheap to share. */
export class Policy {
  /** @internal */
  readonly native: native.NativePolicy;
  /** @internal The file that it was read from. */
  readonly file: string | null;

  /** @internal */
  constructor(compiled: native.NativePolicy, file: string | null = null) {
    this.native = compiled;
    this.file = file;
  }

  /**
   * Compiles a text, YAML or JSON (clause 1.1 of the language).
   *
   * @throws {PolicyError} with every error in the text.
   */
  static fromString(text: string): Policy {
    if (typeof text !== "string") throw new TypeError("a policy is a string");
    return loaded(native.NativePolicy.compile(text), null);
  }

  /**
   * Reads and compiles a file. `.json`, `.yaml` and `.yml` tell its format; any other file is JSON if it looks like JSON.
   *
   * @throws {PolicyFileError} where it cannot be read, {PolicyError} where it is not a valid policy.
   */
  static fromFile(path: string): Policy {
    if (typeof path !== "string") throw new TypeError("the path of a policy is a string");
    return loaded(native.NativePolicy.load(path), path);
  }

  /** `sha256:` and the SHA-256 of the text in hex, as decisions name their policy. */
  get digest(): string {
    return `sha256:${this.native.digest}`;
  }

  /** What may not mean what its author thinks. An engine reports it as well, to `onWarning`. */
  get warnings(): readonly Diagnostic[] {
    return this.native.warnings.map((finding) => new Diagnostic(finding));
  }

  /**
   * Whether the caller may see the tool in `tools/list`: `hide` hides, and under `list: callable` so does what this caller can never call
   * (clause 10.9). `server` is the name of the server that has the tool, as the host knows it.
   */
  visible(tool: string, identity?: Identity, server?: string | null): boolean {
    if (typeof tool !== "string") throw new TypeError("a tool's name is a string");
    return this.#shown([tool], identity, server)[0] === true;
  }

  /** The tools that the caller may see, in their order (clause 10.9). */
  filterTools<T extends NamedTool>(tools: readonly T[], identity?: Identity, server?: string | null): T[] {
    const names = tools.map((tool) => String(tool.name));
    const visible = this.#shown(names, identity, server);
    return tools.filter((_, index) => visible[index] === true);
  }

  #shown(names: string[], identity: Identity, server: string | null | undefined): boolean[] {
    const name = server === undefined || server === null ? undefined : serverName(server);
    return throwing(() => this.native.visible(names, probe, identity ?? null, name));
  }
}

/** @internal A server's name, checked. */
export function serverName(server: unknown): string {
  if (typeof server !== "string") throw new TypeError("a server's name is a string");
  return server;
}

/** @internal The policy of what was loaded. */
export function loaded(result: native.Loaded, file: string | null): Policy {
  if (result.policy) return new Policy(result.policy, file);
  throw failed(result, file);
}

/** @internal Why nothing was loaded. */
export function failed(result: native.Loaded, file: string | null): CallgateError {
  if (typeof result.unreadable === "string") return new PolicyFileError(result.unreadable, file ?? "");
  return new PolicyError(result.findings.map((finding) => new Diagnostic(finding)), file);
}
