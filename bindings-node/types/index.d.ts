export type { ArgsCheckOptions } from "./args-check.js";
export { ArgsCheck } from "./args-check.js";
export type { Actual, Amount, Code, CounterJson, CounterUse, DecisionJson, Effect, McpResult, Outcome, RuleRef, } from "./decision.js";
export { Decision, Reservation } from "./decision.js";
export type { Approval, AuditRecord, Check, Claims, EngineOptions, Explanation, FileOptions, Identity } from "./engine.js";
export { Engine } from "./engine.js";
export { CallgateError, Diagnostic, PolicyError, PolicyFileError, ReservationError, StoreError } from "./errors.js";
export type { NamedTool } from "./policy.js";
export { Policy } from "./policy.js";
