// callgate: a policy engine for MCP tool calls. What the package gives to its users.

export type { ArgsCheckOptions } from "./args-check.js";
export { ArgsCheck } from "./args-check.js";
export type {
  Actual,
  Amount,
  ApprovalNeeded,
  Code,
  CounterJson,
  CounterUse,
  DecisionJson,
  DecisionSummary,
  Effect,
  Flip,
  McpMeta,
  McpResult,
  Observation,
  Observations,
  Observed,
  ObservedRule,
  Outcome,
  AskingRule,
  RuleRef,
} from "./decision.js";
export { Decision, MCP_DENIED, Reservation } from "./decision.js";
export type { Approval, AuditRecord, Check, EngineOptions, Explanation, FileOptions } from "./engine.js";
export type { Claims, Identity } from "./identity.js";
export { Engine } from "./engine.js";
export { CallgateError, Diagnostic, PolicyError, PolicyFileError, ReservationError, StackError, StoreError } from "./errors.js";
export type { ApprovalByPerson, FiledCall } from "./filed.js";
export { definitionDigests } from "./lock.js";
export type { ListedTool } from "./lint.js";
export { lint } from "./lint.js";
export { currentReservation } from "./mcp-reservation.js";
export type { IdentityNeed, NamedTool, UnmatchedName } from "./policy.js";
export { Policy } from "./policy.js";
export type { ClassifyOptions, RiskClass, RiskFinding, RiskOverride, RiskReason, ToolRisk } from "./risk.js";
export { classifyTools } from "./risk.js";
export type { LiveCounter, StoreOptions } from "./store.js";
export { Store } from "./store.js";
