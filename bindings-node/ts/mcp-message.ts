// The messages of a connection, as a guard reads them.
//
// In: what a transport received. Out: copies that nobody else can change. Must not take anything from a prototype.

import { ARRAY, OBJECT, kindOf, unreadable } from "./probe.js";

export type Id = string | number;
export type Message = Record<string, unknown>;

/** Deeper than any call's arguments are read; far from the end of the stack. */
const DEEPEST = 1_000;

const { hasOwn, keys } = Object;

export function isObject(value: unknown): value is Message {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isId(id: unknown): id is Id {
  return typeof id === "string" || typeof id === "number";
}

/** The SDKs take an id and its digits for the same. */
export function keyOf(id: Id): Id {
  return typeof id === "string" && id.trim() !== "" && !Number.isNaN(Number(id)) ? Number(id) : id;
}

/** A member of its own. */
export function member(object: Message, name: string): unknown {
  return hasOwn(object, name) ? object[name] : undefined;
}

/** Its members, each read once; null where one is called `__proto__`, which a copy made by assignment loses. */
export function shallow(object: Message): Message | null {
  const copy: Message = {};
  for (const name of keys(object)) {
    if (name === "__proto__") return null;
    copy[name] = object[name];
  }
  return copy;
}

/**
 * All of a value, each part read once, as JSON would carry it; `unreadable` where it is more than plain data, or has a member
 * called `__proto__` anywhere: a handler that merges it would see members that no check saw.
 */
export function copied(value: unknown): unknown {
  try {
    return part(value, 0);
  } catch {
    return unreadable;
  }
}

function part(value: unknown, depth: number): unknown {
  if (typeof value !== "object" || value === null) {
    if (typeof value === "function" || typeof value === "symbol") throw new TypeError("no JSON");
    return value;
  }
  if (depth > DEEPEST) throw new RangeError("too deep");
  switch (kindOf(value)) {
    case ARRAY: {
      const { length } = value as unknown[];
      const list: unknown[] = [];
      for (let index = 0; index < length; index += 1) list[index] = part((value as unknown[])[index] ?? null, depth + 1);
      return list;
    }
    case OBJECT: {
      const object: Message = {};
      for (const name of keys(value)) {
        if (name === "__proto__") throw new TypeError("its prototype might be taken from it");
        const own = part((value as Message)[name], depth + 1);
        if (own !== undefined) object[name] = own;
      }
      return object;
    }
    default:
      throw new TypeError("no JSON");
  }
}
