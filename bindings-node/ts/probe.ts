// How the native half reads JS values (clause 3.4 of the language).
//
// In: a value of the host. Out: what it is, and its own members and elements. Must not run code of the caller: a getter
// or a proxy is answered with a mark, and every function used here was taken before anybody could replace it.

import { types } from "node:util";

const { getOwnPropertyDescriptor, getPrototypeOf, hasOwn, prototype: objectPrototype } = Object;
const { isArray } = Array;
const { ownKeys } = Reflect;
const { isProxy } = types;
const bigIntToString = Function.prototype.call.bind(BigInt.prototype.toString) as (value: bigint) => string;

/** Stands for what cannot be read without running code. Never leaves the package. */
export const unreadable = Symbol("callgate: cannot be read in place");

// The same numbers stand in `src/view.rs`.
const FOREIGN = 0;
export const OBJECT = 1;
export const ARRAY = 2;
export const UNREADABLE = 3;

/** Larger integers are not read: converting one of these 9,865 digits takes about half a millisecond, and of more takes longer each. */
const LARGEST_BITS = 32_768n;
let largest: bigint | undefined;

function kind(value: object): number {
  if (isProxy(value)) return UNREADABLE;
  if (isArray(value)) return ARRAY;
  const parent: unknown = getPrototypeOf(value);
  if (parent === null || parent === objectPrototype) return OBJECT;
  // An object of another realm (`vm`, a worker's message): its prototype is that realm's, which has none itself.
  // Everything else (a Date, a Map, an instance of a class) is of no JSON type.
  if (isProxy(parent)) return UNREADABLE;
  return getPrototypeOf(parent) === null && isBare(parent as object) ? OBJECT : FOREIGN;
}

const OWN_OF_PROTOTYPE = ownKeys(objectPrototype);

/** Whether a prototype gives objects nothing but what every object has. */
function isBare(parent: object): boolean {
  const keys = ownKeys(parent);
  for (let index = 0; index < keys.length; index += 1) {
    let known = false;
    for (let other = 0; other < OWN_OF_PROTOTYPE.length && !known; other += 1) known = keys[index] === OWN_OF_PROTOTYPE[other];
    if (!known) return false;
  }
  return true;
}

/** The kind of a value that may be no object: those have none. */
export function kindOf(value: unknown): number {
  return typeof value === "object" && value !== null ? kind(value) : FOREIGN;
}

export function own(value: object, key: string | number): unknown {
  try {
    const descriptor = getOwnPropertyDescriptor(value, key);
    if (descriptor === undefined) return undefined;
    return hasOwn(descriptor, "value") ? descriptor.value : unreadable;
  } catch {
    return unreadable;
  }
}

/** Members of the largest object that is listed, which takes some 8 ms. The keys of a larger one are listed and left: JS cannot count them otherwise. */
const MOST_LISTED = 12_288;

/** Names and values by turns; null where there are too many. */
function members(value: object): unknown[] | null {
  const found: unknown[] = [];
  const keys = ownKeys(value);
  if (keys.length > MOST_LISTED) return null;
  for (const key of keys) {
    if (typeof key !== "string") continue;
    const member = own(value, key);
    // As JSON drops it.
    if (member === undefined) continue;
    found[found.length] = key;
    found[found.length] = member;
  }
  return found;
}

function literal(value: bigint): string {
  if (value > 0xffff_ffff_ffff_ffffn || value < -0xffff_ffff_ffff_ffffn) {
    largest ??= 1n << LARGEST_BITS;
    if (value > largest || value < -largest) return "";
  }
  return bigIntToString(value);
}

/** @internal */
export const probe = { kind, member: own, element: own, members, literal, unreadable } as const;
