// Plans: what is known of a tool's calls before they are made.
//
// In: a tool's name and values of the host. Out: packed decisions of the native half. Fetches the values that core names,
// all at once, because every step across the border costs more than reading them here; what they mean is core's alone, and
// what is not fetched core reads itself.

import type { NativeEngine, NativePlan } from "../native.js";
import { typedFrom } from "./errors.js";
import { OBJECT, UNREADABLE, kindOf, own, probe, unreadable } from "./probe.js";

/** Plans that an engine keeps. Agents may name any tool, so their number is bounded. */
const KEPT = 1_000;
/** A tool's name that is kept has at most so many code units. */
const KEPT_NAME = 256;

/** @internal A tool's plan under one policy. */
export class Plan {
  readonly native: NativePlan;
  readonly #decide: ReturnType<NativePlan["decider"]>;
  /** The node that a node's member belongs to, and the member's name. The first two nodes are arguments and identity. */
  readonly #parents: readonly number[];
  readonly #names: readonly string[];

  constructor(plan: NativePlan) {
    const { steps } = plan;
    this.native = plan;
    this.#decide = plan.decider();
    this.#parents = [0, 0, ...steps.map(({ parent }) => parent)];
    this.#names = ["", "", ...steps.map(({ name }) => name)];
  }

  /** Decides a call, packed; null once another policy is in force. `now` is NaN for the machine's time. */
  decide(args: unknown, identity: unknown, now: number): string | null {
    const values = [args, identity];
    let kinds = kindOf(args) | (kindOf(identity) << 2);
    for (let node = 2; node < this.#names.length; node += 1) {
      const parent = this.#parents[node] as number;
      let value: unknown;
      // Two bits for each node, from the lowest. `src/names.rs` reads them.
      if (((kinds >>> (2 * parent)) & 3) === OBJECT) {
        value = own(values[parent] as object, this.#names[node] as string);
        kinds |= (value === unreadable ? UNREADABLE : kindOf(value)) << (2 * node);
      }
      values[node] = value;
    }
    try {
      return this.#decide(probe, now, kinds, ...values);
    } catch (error) {
      throw typedFrom(error);
    }
  }
}

/** @internal The plans of an engine's tools, made when they are first called. */
export class Plans {
  readonly #engine: NativeEngine;
  readonly #plans = new Map<string, Plan>();

  constructor(engine: NativeEngine) {
    this.#engine = engine;
  }

  /** The plan of a tool. */
  of(tool: string): Plan {
    return this.#plans.get(tool) ?? this.#make(tool);
  }

  /** What `work` makes of the tool's plan; with another plan if it makes null, because another policy is in force. */
  with<R>(tool: string, work: (plan: Plan) => R | null): [R, Plan] {
    for (;;) {
      const plan = this.of(tool);
      const made = work(plan);
      if (made !== null) return [made, plan];
      this.#plans.clear();
    }
  }

  #make(tool: string): Plan {
    if (typeof tool !== "string") throw new TypeError("a tool's name is a string");
    const plan = new Plan(this.#engine.plan(tool));
    if (tool.length <= KEPT_NAME) {
      if (this.#plans.size >= KEPT) this.#plans.clear();
      this.#plans.set(tool, plan);
    }
    return plan;
  }
}
