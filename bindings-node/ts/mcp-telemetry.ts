// The host's tracer, where it has one.
//
// In: decisions. Out: attributes of the span that is active, and its trace. Must not need OpenTelemetry, nor fail a call because of it.

import type { Span } from "@opentelemetry/api";
import type { Decision } from "./decision.js";

interface Api {
  readonly trace: { getActiveSpan(): Span | undefined };
}

let api: Api | null | undefined;

function active(): Span | undefined {
  if (api === undefined) {
    try {
      api = require("@opentelemetry/api") as Api;
    } catch {
      api = null;
    }
  }
  return api?.trace.getActiveSpan();
}

/** Puts a decision on the active span: `callgate.effect`, `callgate.code`, `callgate.tool`, `callgate.rule`. */
export function markSpan(decision: Decision): void {
  try {
    const span = active();
    if (span?.isRecording() !== true) return;
    const { effect, code, tool, rule } = decision;
    span.setAttributes({ "callgate.effect": effect, "callgate.code": code });
    if (tool !== null) span.setAttribute("callgate.tool", tool);
    if (rule !== null) span.setAttribute("callgate.rule", rule.name ?? rule.pointer);
  } catch {
    // A tracer that fails fails no call.
  }
}

/** The id of the trace that is active. */
export function traceId(): string | null {
  try {
    const traceId = active()?.spanContext().traceId;
    return traceId !== undefined && /[1-9a-f]/.test(traceId) ? traceId : null;
  } catch {
    return null;
  }
}
