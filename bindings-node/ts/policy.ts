// Compiled policies.
//
// In: a text or a file. Out: a policy, or a typed error with every diagnostic.

import * as native from "../native.js";
import { type CallgateError, Diagnostic, PolicyError, PolicyFileError, StackError, throwing } from "./errors.js";
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
  /** @internal The file that each of its layers was read from. */
  readonly files: readonly (string | null)[];

  /** @internal */
  constructor(compiled: native.NativePolicy, files: readonly (string | null)[] = []) {
    this.native = compiled;
    this.files = files;
  }

  /**
   * Compiles a text, YAML or JSON (clause 1.1 of the language).
   *
   * @throws {PolicyError} with every error in the text.
   */
  static fromString(text: string): Policy {
    if (typeof text !== "string") throw new TypeError("a policy is a string");
    return loaded(native.NativePolicy.compile(text), []);
  }

  /**
   * Reads and compiles a file, or several as one stack, in their order (clause 6.10). `.json`, `.yaml` and `.yml` tell a file's
   * format; any other is JSON if it looks like JSON.
   *
   * @throws {PolicyFileError} where one cannot be read, {PolicyError} where it is not a valid policy, {StackError} where they do not
   * go together.
   */
  static fromFile(path: string | readonly string[]): Policy {
    const paths = pathsOf(path);
    return loaded(native.NativePolicy.load([...paths]), paths);
  }

  /**
   * Several policies as one, in this order: what one of them stops is stopped, whatever the others say (clause 6.10). A stack of one
   * is that policy. In a stack of more than one, each has a `name` of its own.
   *
   * @throws {StackError} where they do not go together.
   */
  static stack(policies: readonly Policy[]): Policy {
    if (!Array.isArray(policies) || !policies.every((policy) => policy instanceof Policy)) {
      throw new TypeError("a stack is a list of policies");
    }
    const layers = policies as readonly Policy[];
    const files = layers.flatMap((policy) => policy.layers.map((_, layer) => policy.files[layer] ?? null));
    return loaded(native.NativePolicy.stack(layers.map((policy) => policy.native)), files);
  }

  /** The names of the policies that it was made of, in order; null for one without a name. */
  get layers(): readonly (string | null)[] {
    return this.native.layers.map((name) => name ?? null);
  }

  /** `sha256:` and the SHA-256 of the text in hex, as decisions name their policy; of a stack, that of its policies' digests. */
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

  /**
   * The names and globs of `tools`, `hide` and `dispatchers` that match none of these tools, which are all that a server has: each with its line, and
   * the tool that was probably meant.
   */
  unmatched(tools: readonly string[]): UnmatchedName[] {
    return this.native.unmatched([...tools]).map(({ layer = null, nearest = null, ...found }) => ({ ...found, layer, nearest }));
  }

  /** The rules and items that need to know who calls, each with what it reads, and what to write where callers have none. */
  identityNeeds(): IdentityNeed[] {
    return this.native.identityNeeds().map(({ name = null, layer = null, needs, ...need }) => ({ ...need, name, layer, needs: needs as IdentityNeed["needs"] }));
  }

  #shown(names: string[], identity: Identity, server: string | null | undefined): boolean[] {
    const name = server === undefined || server === null ? undefined : serverName(server);
    return throwing(() => this.native.visible(names, probe, identity ?? null, name));
  }
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

/** @internal A server's name, checked. */
export function serverName(server: unknown): string {
  if (typeof server !== "string") throw new TypeError("a server's name is a string");
  return server;
}

/** @internal The paths of policy files, checked. */
export function pathsOf(path: unknown): string[] {
  const paths: unknown[] = Array.isArray(path) ? path : [path];
  return paths.map((path) => {
    if (typeof path !== "string") throw new TypeError("the path of a policy is a string, or a list of them for a stack");
    return path;
  });
}

/** @internal The policy of what was loaded. */
export function loaded(result: native.Loaded, files: readonly (string | null)[]): Policy {
  if (result.policy) return new Policy(result.policy, files);
  throw failed(result);
}

/** @internal Why nothing was loaded. */
export function failed(result: native.Loaded): CallgateError {
  const file = result.file ?? null;
  if (typeof result.noStack === "string") return new StackError(result.noStack, result.unusable ?? "", file);
  if (typeof result.unusable === "string") return new PolicyFileError(result.unusable, file ?? "");
  return new PolicyError(result.findings.map((finding) => new Diagnostic(finding)), file);
}
