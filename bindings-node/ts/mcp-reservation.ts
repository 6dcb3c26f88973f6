// The call that runs.
//
// In: messages on their way to a server, with the call that each belongs to. Out: that call's charges, wherever its handler asks for them;
// whether a message is sent from inside of it. Must not tell one call of another's, nor of any outside of a call.

import { AsyncLocalStorage } from "node:async_hooks";
import type { Decision, Reservation } from "./decision.js";

/** A call, as its guard knows it. */
export interface Running {
  readonly guard: object;
  readonly call: number;
  readonly decision: Decision | undefined;
  /** Whether the server's own wrapper refused its arguments, so that no handler was reached; undefined where it said nothing. */
  isRefused?: boolean;
}

const running = new AsyncLocalStorage<Running | null>();

/**
 * The charges of the guarded call that runs, for its handler to settle (clause 8.14) or give back (clause 8.13), also in what it calls
 * and awaits. Null outside of a guarded call, and where the call charged nothing.
 */
export function currentReservation(): Reservation | null {
  return running.getStore()?.decision?.reservation ?? null;
}

/** @internal Hands a message to its server, with the call that it belongs to. */
export function deliver(call: Running | null, message: () => void): void {
  running.run(call, message);
}

/** @internal The guard's call in which a message is sent; undefined outside of any. No client over a wire can be in one. */
export function callAround(guard: object): number | undefined {
  const call = running.getStore();
  return call?.guard === guard ? call.call : undefined;
}

/** What an `McpServer` asks before each handler. */
type Validate = (this: unknown, ...given: unknown[]) => Promise<unknown>;

/**
 * @internal Notes what a server's own wrapper says of a call's arguments. They are not validated again afterwards: a schema may answer otherwise
 * the second time, and a client that can make it do so would have its charge back for a call that ran.
 */
export function watchWrapper(server: object): void {
  const wrapper = server as { validateToolInput?: Validate };
  const validate = wrapper.validateToolInput;
  if (typeof validate !== "function") return;
  wrapper.validateToolInput = async function (this: unknown, ...given) {
    const call = running.getStore();
    // A handler that validates something of its own has been reached.
    if (call == null || call.isRefused !== undefined) return validate.apply(this, given);
    call.isRefused = false;
    try {
      return await validate.apply(this, given);
    } catch (error) {
      call.isRefused = true;
      throw error;
    }
  };
}
