// The shared cases, as data, and messages that tell a time.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Outcome, Policy } from "callgate";

/** The project's root, where `spec/` is: tests run from the package's folder. */
export const PROJECT = join(process.cwd(), "..");

/** A message, with S in place of the seconds until a limit has room: they pass while a test runs. */
export const timeless = (text: string): string => text.replace(/Try again in \d+ seconds?\.$/, "Try again in S seconds.");

export interface Step {
  at?: string;
  tool?: string;
  args?: string;
  method?: string;
  params?: string;
  identity?: string;
  server?: string;
  raw_only?: string;
  explain?: boolean;
  repeat?: number;
  approve?: { id: string; key?: string; key_of?: number; given_at?: string };
  check?: { schema?: object; folding?: boolean };
  finish?: Outcome | { settle: string | { [counter: string]: string } };
  finish_error?: string;
  finish_of?: number;
  reload?: string[] | string[][];
  expect: Record<string, unknown>;
  observed?: object;
}

export interface Case {
  name: string;
  candidate?: string[];
  policy?: string[];
  policy_file?: string;
  layers?: string[][];
  visible?: { identity?: string | null; server?: string; shown: string[]; left_out: string[] }[];
  steps: Step[];
}

export interface Invalid {
  name: string;
  policy?: string[];
  generate?: { repeat: string; times: number; before?: string; after?: string };
  warnings?: boolean;
  expect: { code: string; severity: string; line: number; column?: number; pointer?: string; help?: string; message?: string }[];
}

function files<T>(folder: string): [string, T[]][] {
  const path = join(PROJECT, "spec/cases", folder);
  const names = readdirSync(path).filter((name) => name.endsWith(".json")).sort();
  return names.map((name) => {
    const file = JSON.parse(readFileSync(join(path, name), "utf8")) as T[] | { cases: T[] };
    return [name, Array.isArray(file) ? file : file.cases];
  });
}

export const decisions = () => files<Case>("decisions");
export const invalid = () => files<Invalid>("invalid");

/** The policy of lines, or the stack of several policies' lines. */
export function policyOfLines(lines: readonly string[] | readonly (readonly string[])[]): Policy {
  const texts = lines.map((line) => (typeof line === "string" ? line : line.join("\n")));
  if (lines.every((line) => typeof line === "string")) return Policy.fromString(texts.join("\n"));
  return Policy.stack(texts.map((text) => Policy.fromString(text)));
}

/** The policy of a case. */
export function policyOfCase(given: Case): Policy {
  return given.layers ? policyOfLines(given.layers) : Policy.fromString(policyOf(given));
}

export function policyOf(given: { policy?: string[]; policy_file?: string }): string {
  if (given.policy) return given.policy.join("\n");
  return readFileSync(join(PROJECT, "spec/policies", given.policy_file ?? ""), "utf8");
}
