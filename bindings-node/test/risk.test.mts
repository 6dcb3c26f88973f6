// Every case of `spec/risk`, and what hosts may pass.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { classifyTools, type ListedTool, type RiskClass, type RiskOverride, type ToolRisk } from "callgate";

import { PROJECT } from "./cases.mjs";

interface Expected {
  class?: string;
  severity?: string;
  labels?: string[];
  has?: string[];
  lacks?: string[];
  findings?: string[];
  least?: number;
  most?: number;
  reason?: { direction: string; place: string; text: string };
}
interface Case {
  name: string;
  server?: string;
  trusted?: boolean;
  overrides?: RiskOverride[];
  tools?: ListedTool[];
  classes?: Record<string, string>;
  expect?: Record<string, Expected>;
}

function cases(): [string, Case][] {
  const folder = join(PROJECT, "spec", "risk");
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
  assert.ok(files.length >= 5);
  return files.flatMap((file) => {
    const { cases } = JSON.parse(readFileSync(join(folder, file), "utf8")) as { cases: Case[] };
    return cases.map((one): [string, Case] => [`${file}: ${one.name}`, one]);
  });
}

function holds(risk: ToolRisk | undefined, expected: Expected, about: string): void {
  assert.ok(risk, about);
  const labels = new Set<string>(risk.labels);
  const { reason } = expected;
  if (expected.class !== undefined) assert.equal(risk.class, expected.class, about);
  if (expected.severity !== undefined) assert.equal(risk.severity, expected.severity, about);
  if (expected.labels !== undefined) assert.deepEqual(risk.labels, expected.labels, about);
  for (const label of expected.has ?? []) assert.ok(labels.has(label), `${about}: ${label}`);
  for (const label of expected.lacks ?? []) assert.ok(!labels.has(label), `${about}: ${label}`);
  if (expected.findings !== undefined) assert.deepEqual(risk.findings.map(({ code }) => code), expected.findings, about);
  assert.ok(risk.confidence >= (expected.least ?? 0) && risk.confidence <= (expected.most ?? 100), `${about}: ${risk.confidence}`);
  const given = ({ direction, place, text }: { direction: string; place: string; text: string }) =>
    direction === reason?.direction && place === reason.place && text.includes(reason.text);
  if (reason !== undefined) assert.ok(risk.reasons.some(given), `${about}: ${reason.text}`);
}

test("every case of risk holds", () => {
  let count = 0;
  for (const [about, { server = "server", trusted, overrides, tools = [], classes = {}, expect = {} }] of cases()) {
    for (const [name, one] of Object.entries(classes)) {
      const tool = { name, description: name, inputSchema: { type: "object", properties: {} } };
      holds(classifyTools([tool], { server })[0], { class: one }, `${about}: ${name}`);
      count += 1;
    }
    const risks = classifyTools(tools, { server, ...(trusted && { trusted }), ...(overrides && { overrides }) });
    for (const [name, expected] of Object.entries(expect)) {
      holds(risks.find((risk) => risk.name === name), expected, `${about}: ${name}`);
      count += 1;
    }
  }
  assert.ok(count >= 200);
});

test("a result has all its fields", () => {
  const tools = [{ name: "delete_repo", description: "Deletes.", annotations: { readOnlyHint: true } }, 7 as unknown as ListedTool];
  const [risk, none] = classifyTools({ tools }, { server: "code" });
  assert.ok(risk && none);
  assert.deepEqual(
    Object.keys(risk).sort(),
    ["class", "confidence", "findings", "labels", "name", "reasons", "server", "severity"],
  );
  assert.deepEqual([risk.server, risk.name, risk.class, risk.severity], ["code", "delete_repo", "Destructive", "high"]);
  assert.deepEqual(risk.findings.map(({ place }) => place), ["/annotations/readOnlyHint"]);
  assert.deepEqual([none.name, none.class, none.severity], ["", "Unknown", "high"]);
});

test("hostile definitions are read like others", () => {
  let deep: object = { type: "string" };
  for (let level = 0; level < 1000; level += 1) deep = { type: "object", properties: { a: deep } };
  const tools = [{ name: "delete_\ud800file", inputSchema: deep }, { name: "get_\u{1f600}", description: "\\ud800 is text" }];
  const [risk, other] = classifyTools(tools);
  assert.equal(risk?.name, "delete_\ufffdfile");
  assert.ok(risk.class === "Destructive" || risk.class === "Unknown");
  assert.deepEqual([other?.name, other?.class], ["get_\u{1f600}", "Read"]);
});

test("what is no list of tools is an error, and so is an override without a class or a reason", () => {
  for (const none of [undefined, null, {}, "pay", { tools: "pay" }]) assert.throws(() => classifyTools(none as never), TypeError);
  const wrong: [string, string][] = [["Risky", "ours"], ["Read", " \n"]];
  for (const [one, reason] of wrong) {
    const overrides = [{ tool: "pay", class: one as RiskClass, reason }];
    assert.throws(() => classifyTools([], { overrides }), { name: "TypeError", message: /an override needs a/ });
  }
});

test("an override of the server wins", () => {
  const overrides: RiskOverride[] = [
    { tool: "sync", class: "Write", reason: "of all" },
    { server: "ours", tool: "sync", class: "Read", reason: "it only compares" },
  ];
  for (const [server, one] of [["ours", "Read"], ["theirs", "Write"]] as const) {
    const [risk] = classifyTools([{ name: "sync" }], { server, overrides });
    assert.deepEqual([risk?.class, risk?.confidence], [one, 100]);
  }
});
