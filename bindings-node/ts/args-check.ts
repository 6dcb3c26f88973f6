// What a host wants checked in arguments before any rule.
//
// In: a tool's input schema. Out: a check, compiled once, to be given with calls of that tool. Must not judge the schema.

import * as native from "../native.js";
import { read } from "./options.js";

/** What is checked. A name that is not listed here is an error. */
export interface ArgsCheckOptions {
  /** The tool's input schema, a JSON Schema. Without one, no type is checked. */
  readonly schema?: object;
  /** Whether a member denies that folds to one which a rule reads, such as `Amount` to `amount`. True unless told otherwise. */
  readonly folding?: boolean;
}

const { stringify } = JSON;

/**
 * What is checked in the arguments of a call before any rule, where the rules read them (clauses 3.7 and 3.8): a server may read
 * arguments otherwise than they do. Made once for a tool.
 */
export class ArgsCheck {
  /** @internal */
  readonly native: native.NativeArgsCheck;

  /**
   * @throws {TypeError} where the schema is not an object that JSON can hold.
   */
  constructor(options: ArgsCheckOptions = {}) {
    const { schema, folding = true } = read(options, { schema: "any", folding: "any" });
    if (typeof folding !== "boolean") throw new TypeError("the option `folding` is a boolean");
    if (schema === undefined) {
      this.native = native.NativeArgsCheck.compile(null, folding);
      return;
    }
    if (typeof schema !== "object" || schema === null) throw new TypeError("the option `schema` is an object");
    try {
      this.native = native.NativeArgsCheck.compile(stringify(schema), folding);
    } catch (error) {
      throw new TypeError(`the option \`schema\` is not JSON: ${error instanceof Error ? error.message : "it cannot be read"}`);
    }
  }

  /** @internal One that the native half made. */
  static of(made: native.NativeArgsCheck): ArgsCheck {
    return Object.assign(Object.create(ArgsCheck.prototype) as ArgsCheck, { native: made });
  }
}
