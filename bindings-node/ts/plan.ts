// Plans: what is known of the calls of a tool, or of another method, before they are made.
//
// In: its name and values of the host. Out: packed decisions of the native half. Fetches the values that core names,
// all at once, because every step across the border costs more than reading them here; what they mean is core's alone, and
// what is not fetched core reads itself.

import type { NativePlan } from "../native.js";
import type { DecisionJson } from "./decision.js";
import { throwing, typedFrom } from "./errors.js";
import { OBJECT, UNREADABLE, kindOf, own, probe, unreadable } from "./probe.js";

/** Plans that an engine keeps of tools, or of other methods. Agents may name any, so their number is bounded. */
const KEPT = 1_000;
/** A name that is kept has at most so many code units. */
const KEPT_NAME = 256;

/** What is given before the values: the probe, the time, and the kinds. `src/names.rs` counts the same. */
const BEFORE = 3;
// Spreading the values would ask an iterator for each, which takes longer and anybody could replace.
const { apply } = Reflect;
const { freeze } = Object;
const { parse } = JSON;
const { call } = Function.prototype;
const kept = call.bind(Map.prototype.get) as <K, V>(map: Map<K, V>, key: K) => V | undefined;
const keep = call.bind(Map.prototype.set) as <K, V>(map: Map<K, V>, key: K, value: V) => void;
const forget = call.bind(Map.prototype.clear) as (map: Map<unknown, unknown>) => void;

/** Several decisions may have the same fields, so nobody may change them. */
function frozen(fields: DecisionJson): DecisionJson {
  for (const part of [fields, fields.rule, fields.counters, ...fields.counters]) freeze(part);
  return fields;
}

type Decide = ReturnType<NativePlan["decider"]>;

/** Decisions of at most so many characters are kept: those that no counter has a part in, which a policy has few of. */
const KEPT_PACKED = 16;

/** @internal What there is to tell of a decision. */
export class Told {
  readonly json: string;
  #fields: DecisionJson | undefined;

  constructor(json: string) {
    this.json = json;
  }

  get fields(): DecisionJson {
    return (this.#fields ??= frozen(parse(this.json) as DecisionJson));
  }
}

/** @internal The plan of a tool or method under one policy. */
export class Plan {
  readonly native: NativePlan;
  readonly #decide: Decide;
  /** The node that a node's member belongs to, and the member's name. The first two nodes are arguments and identity. */
  readonly #parents: readonly number[];
  readonly #names: readonly string[];
  readonly #told = new Map<string, Told>();

  constructor(plan: NativePlan) {
    const { steps } = plan;
    this.native = plan;
    this.#decide = plan.decider();
    this.#parents = [0, 0, ...steps.map(({ parent }) => parent)];
    this.#names = ["", "", ...steps.map(({ name }) => name)];
  }

  /** What there is to tell of a decision that this plan made. */
  tell(packed: string): Told {
    const before = kept(this.#told, packed);
    if (before !== undefined) return before;
    const told = new Told(throwing(() => this.native.json(packed)));
    if (packed.length <= KEPT_PACKED) keep(this.#told, packed, told);
    return told;
  }

  /** Decides a call, packed; null once another policy is in force. `now` is NaN for the machine's time. */
  decide(args: unknown, identity: unknown, now: number): string | null {
    // What is given before the values, and room for a few without the array having to grow.
    const given: unknown[] = [probe, now, 0, args, identity, undefined, undefined, undefined, undefined];
    let kinds = kindOf(args) | (kindOf(identity) << 2);
    for (let node = 2; node < this.#names.length; node += 1) {
      const parent = this.#parents[node] as number;
      let value: unknown;
      // Two bits for each node, from the lowest. `src/names.rs` reads them.
      if (((kinds >>> (2 * parent)) & 3) === OBJECT) {
        value = own(given[parent + BEFORE] as object, this.#names[node] as string);
        kinds |= (value === unreadable ? UNREADABLE : kindOf(value)) << (2 * node);
      }
      given[node + BEFORE] = value;
    }
    given[BEFORE - 1] = kinds;
    try {
      return apply(this.#decide, undefined, given as Parameters<Decide>);
    } catch (error) {
      throw typedFrom(error);
    }
  }
}

/** @internal The plans of an engine's tools, or of its other methods, made when they are first called. */
export class Plans {
  readonly #what: string;
  readonly #native: (name: string) => NativePlan;
  readonly #plans = new Map<string, Plan>();

  /** `what` is what an error calls a name. */
  constructor(what: string, native: (name: string) => NativePlan) {
    this.#what = what;
    this.#native = native;
  }

  /** The plan of a tool or method. */
  of(name: string): Plan {
    return kept(this.#plans, name) ?? this.#make(name);
  }

  /** The plan of a tool or method when the one before says that another policy is in force. */
  renewed(name: string): Plan {
    forget(this.#plans);
    return this.of(name);
  }

  /** What `work` makes of the plan, and the plan: another one where `work` makes null. */
  with<R>(name: string, work: (plan: Plan) => R | null): [R, Plan] {
    let plan = this.of(name);
    for (;;) {
      const made = work(plan);
      if (made !== null) return [made, plan];
      plan = this.renewed(name);
    }
  }

  #make(name: string): Plan {
    if (typeof name !== "string") throw new TypeError(`${this.#what} is a string`);
    const plan = new Plan(this.#native(name));
    if (name.length <= KEPT_NAME) {
      if (this.#plans.size >= KEPT) forget(this.#plans);
      keep(this.#plans, name, plan);
    }
    return plan;
  }
}
