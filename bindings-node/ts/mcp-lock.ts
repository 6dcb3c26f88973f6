// The approved definitions of a guard.
//
// In: the path of a `callgate.lock`. Out: what the relay compares with. Must not take a lock in part, nor go on with one that has changed to something
// that is not understood.

import { statSync } from "node:fs";

import { NativePins } from "../native.js";
import { throwing } from "./errors.js";

/** By file and server. A guard is made for each connection, and over HTTP for each request: the file is read again only if it has changed. */
const known = new Map<string, { readonly stamp: string; readonly pins: NativePins }>();

/** @throws {CallgateError} with the code `invalid_lock` where the file cannot be read, or is no lock of this server. */
export function pinsOf(path: string, server: string | undefined): NativePins {
  const key = JSON.stringify([path, server]);
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  const stamp = stat === undefined ? "" : [stat.ino, stat.size, stat.mtimeNs].join();
  const before = known.get(key);
  if (before !== undefined && before.stamp === stamp) return before.pins;
  known.delete(key);
  const pins = throwing(() => NativePins.load(path, server));
  known.set(key, { stamp, pins });
  return pins;
}
