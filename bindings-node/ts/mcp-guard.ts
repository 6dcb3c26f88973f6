// The guard of one transport: what `callgate/mcp` puts between a connection and its server.
//
// In: messages in both directions, each made text once. Out: what the relay makes of them, in the hands of the server or the transport. Must not judge
// or keep what the relay knows: ids, lists, rounds, tasks. Must not pass anything on once the connection is closed.

import { NativeStream, type StreamStep } from "../native.js";
import type { Outcome } from "./decision.js";
import type { Engine } from "./engine.js";
import type { Settled } from "./mcp-approvals.js";
import { Asks } from "./mcp-asks.js";
import { Audit } from "./mcp-audit.js";
import { type Arrived, type Call, type Step, isPromise } from "./mcp-call.js";
import type { EngineOf, McpTransport, MessageExtra } from "./mcp-context.js";
import { Deadlines, now } from "./mcp-deadlines.js";
import { Endings } from "./mcp-endings.js";
import { Exchanges, isExchange } from "./mcp-exchanges.js";
import { Judge, type Known } from "./mcp-judge.js";
import { type Message, clientText, isObject, requestId, textOf } from "./mcp-message.js";
import type { GuardOptions } from "./mcp-options.js";
import { callAround, deliver } from "./mcp-reservation.js";
import { pinsOf } from "./mcp-lock.js";
import { bringsState } from "./mcp-rounds.js";
import { around, streamOf, watchInput, watchStreams } from "./mcp-streams.js";
import { markSpan } from "./mcp-telemetry.js";
import { Underway } from "./mcp-underway.js";
import { ENDED, Waiting } from "./mcp-waiting.js";
import { warnOfChanged, warnOfRequests } from "./mcp-warnings.js";
import { promised } from "./options.js";

type Receive = (message: Message, extra?: MessageExtra) => void;
type Send = (message: Message, options?: unknown) => Promise<void>;
type Close = () => Promise<void>;

/** Shown to the agent when deciding itself failed, or the call ended before. No detail: that is for the host. */
const UNDECIDED = "The call could not be checked against the policy";
/** JSON-RPC's code for a request that cannot be read as one. */
const INVALID_PARAMS = -32602;

/** What guards of one engine share: a call may come again to another of them. */
const exchanges = new WeakMap<object, Exchanges>();

/** @internal */
export class Guard {
  readonly #options: GuardOptions;
  readonly #transport: McpTransport;
  readonly #send: Send;
  readonly #relay: NativeStream;
  readonly #judge: Judge;
  readonly #endings: Endings;
  readonly #asks: Asks;
  /** Where each request has a connection of its own. */
  readonly #exchanges: Exchanges | undefined;
  readonly #calls = new Map<number, Call>();
  readonly #underway: Underway;
  #closed = false;
  /** When the relay wants to be woken. */
  readonly #wakes = new Deadlines<number>((_, time) => void this.#take(this.#relay.wake(time)));
  /** Messages on their way to the server: where several receivers are chained, each gets them, decided once. Nobody else has them. */
  readonly #passed = new WeakSet<Message>();
  /** What the server set to receive messages. */
  readonly #receiver: () => Receive | undefined;
  /** The engine holds it weakly. */
  readonly #reloaded = () => {
    for (const engine of this.#engines.keys()) this.#applies(engine);
    void this.#take(this.#relay.reloaded());
  };
  /** The engines that decide here, and what ends hearing of them. */
  readonly #engines = new Map<Engine, () => void>();
  readonly #audit: Audit | undefined;

  constructor(transport: McpTransport, engine: Engine | EngineOf, options: GuardOptions) {
    this.#options = options;
    this.#transport = transport;
    const { lock, onDrift } = options;
    const pins = lock === undefined ? null : pinsOf(lock, options.serverName);
    const only = typeof engine === "function" ? null : engine.native;
    this.#relay = NativeStream.open(only, options.checkArgs !== false, options.serverName, pins, onDrift !== "deny");
    this.#underway = new Underway(typeof engine === "function" ? undefined : engine);
    if (isExchange(transport)) exchanges.set(engine, (this.#exchanges = exchanges.get(engine) ?? new Exchanges()));
    this.#send = (transport.send as unknown as Send).bind(transport);
    const isHttp = isExchange(transport) || typeof (transport as { handleRequest?: unknown }).handleRequest === "function";
    const { audit, serverName } = options;
    this.#audit = audit === undefined ? undefined : new Audit(audit, serverName, isHttp, (error) => this.#report(error));
    this.#asks = new Asks((message, sendOptions) => this.#write(message, sendOptions));
    this.#judge = new Judge(engine, options, transport, isHttp, this.#asks, this.#audit);
    this.#endings = new Endings(options, transport, this.#audit, (error) => this.#report(error));
    this.#receiver = around<Receive>(transport, "onmessage", (receiver) => this.#receiving(receiver));
    around<() => void>(transport, "onclose", (closed) => () => {
      this.close();
      closed?.();
    });
    const send: Send = (message, sendOptions) => this.#answered(message, sendOptions);
    transport.send = send as unknown as McpTransport["send"];
    const close = (transport as { close?: Close }).close?.bind(transport);
    if (close !== undefined) {
      (transport as { close?: Close }).close = () => {
        this.close();
        return close();
      };
    }
    watchStreams(transport);
    // The client may still read what is on its way: only who waits for a person waits in vain.
    watchInput(transport, () => {
      this.#judge.mute();
      for (const { waiting } of this.#calls.values()) if (waiting.asking) waiting.end("refused");
    });
    if (typeof engine !== "function") this.#sees(engine);
  }

  /** The connection is closed: nothing is decided or passed on any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const unsubscribe of this.#engines.values()) unsubscribe();
    this.#wakes.clear();
    this.#asks.close();
    void this.#take(this.#relay.clientClosed());
    this.#underway.clear();
  }

  /** What the transport, or a receiver that was set later, calls for a message. */
  #receiving(receiver: Receive | undefined): Receive | undefined {
    if (receiver === undefined) return undefined;
    return (message, extra) => {
      if (isObject(message) && this.#passed.has(message)) receiver(message, extra);
      else this.#received(message, extra);
    };
  }

  /** From the client. */
  #received(message: unknown, extra: MessageExtra | undefined): void {
    if (this.#closed) return;
    let text: string;
    try {
      text = clientText(message);
    } catch (error) {
      this.#report(error);
      const id = requestId(message);
      const told = { code: INVALID_PARAMS, message: "Invalid params: they cannot be read as JSON" };
      if (id !== undefined) void this.#write({ jsonrpc: "2.0", id, error: told }, undefined).catch((failure) => this.#report(failure));
      return;
    }
    const others = this.#others(text);
    if (others === null) return;
    const arrived = this.#underway.arrive({ ...others, isClients: true, extra, stream: streamOf(this.#transport) });
    // A dispatcher may call its inner tool so, which was decided with it.
    const outer = callAround(this);
    const steps = outer === undefined ? this.#relay.fromClient(arrived.text, arrived.tag, now()) : this.#relay.fromWithin(arrived.text, arrived.tag, outer, now());
    const taken = this.#take(steps);
    taken.catch((error: unknown) => this.#report(error)).finally(() => this.#underway.read(arrived));
  }

  /** A client's message without what is the guard's own, before anybody else sees it; null where all of it is. */
  #others(text: string): Pick<Arrived, "text" | "resumed"> | null {
    if (this.#options.onApproval === undefined || !(this.#asks.concerns(text) || bringsState(text))) return { text };
    const message = JSON.parse(text) as unknown;
    if (!isObject(message)) return { text };
    if (this.#asks.heard(message)) return null;
    const { params } = message;
    if (!isObject(params)) return { text };
    const taken = this.#judge.approvals.taken(params);
    return taken.params === params ? { text } : { text: textOf({ ...message, params: taken.params }), resumed: taken.resumed };
  }

  /** From the server. Resolves when what can be sent now was sent. */
  async #answered(message: Message, options: unknown): Promise<void> {
    const text = textOf(message);
    if (this.#closed) return;
    if (message["method"] === "notifications/tools/list_changed") this.#judge.names.changed();
    const arrived = this.#underway.answered(text, message["id"], options);
    await this.#take(this.#relay.fromServer(text, arrived.tag, now()), text);
    this.#underway.read(arrived);
  }

  /** An engine decides here from now on. */
  #sees(engine: Engine): void {
    if (this.#engines.has(engine)) return;
    this.#engines.set(engine, engine.onReplaced(this.#reloaded));
    this.#applies(engine);
  }

  /** A policy is in force. */
  #applies(engine: Engine): void {
    this.#judge.names.isRight(engine);
    warnOfRequests(engine, this.#options.onWarning);
    this.#audit?.inForce(engine);
  }

  /** Does what the relay asks for. `answer` is the text of the server's message that led to it. */
  async #take(first: StreamStep[], answer?: string): Promise<void> {
    const steps = [...first];
    const sent: Promise<void>[] = [];
    for (const step of steps) {
      switch (step.kind) {
        case "to_client":
          sent.push(this.#toClient(step));
          break;
        case "to_server":
          steps.push(...this.#toServer(step));
          break;
        case "identify":
          steps.push(...this.#identify(step));
          break;
        case "decide":
          steps.push(...this.#decide(step));
          break;
        case "finish": {
          const finished = this.#finish(step, answer);
          if (finished !== undefined) await finished;
          break;
        }
        case "accepted":
          this.#accepted(step.call, answer);
          break;
        case "given_up":
          this.#giveUp(step.call);
          break;
        case "listed":
          this.#judge.names.listed(step.tools, this.#engines.keys());
          warnOfChanged(step.changed, this.#engines.keys(), this.#options.onWarning);
          break;
        case "changed":
          this.#changed(step);
          break;
        case "list_filtered":
          this.#audit?.filtered(step.method, step.hidden);
          break;
        case "list_failed":
          this.#audit?.unlisted(step.reason);
          this.#judge.names.failed(new Error(`the server's tools are not known: ${step.reason}`));
          this.#report(new Error(`the server's tools are not known: ${step.reason}`));
          break;
        case "wake_at":
          if (!this.#closed) this.#wakes.add(step.at, step.at);
          break;
        case "failed":
          this.#report(new Error(step.reason));
      }
    }
    await Promise.all(sent);
  }

  /** What follows is done as soon as it is there. */
  #later(id: number, call: Call, steps: Promise<StreamStep[]>): [] {
    steps.catch((error: unknown) => this.#undecided(id, call, error)).then((then) => this.#take(then)).catch((error: unknown) => this.#report(error));
    return [];
  }

  #toServer({ tag, text, call: id }: Step<"to_server">): StreamStep[] {
    if (this.#closed) return [];
    const message = JSON.parse(text) as Message;
    const arrived = this.#underway.toServer(tag, text, message);
    const call = id === undefined ? undefined : this.#calls.get(id);
    const receiver = this.#receiver();
    if (receiver === undefined) {
      if (id === undefined) return [];
      this.#report(new TypeError("no server receives what the transport does"));
      return this.#relay.unsent(id);
    }
    this.#passed.add(message);
    if (call !== undefined && id !== undefined) call.running = { ...call.running, guard: this, call: id, decision: call.decision };
    if (call !== undefined && this.#audit !== undefined) call.sent ??= { at: performance.now(), bytes: Buffer.byteLength(text) };
    deliver(call?.running ?? null, () => receiver(message, arrived?.extra));
    return [];
  }

  async #toClient({ tag, text }: Step<"to_client">): Promise<void> {
    this.#exchanges?.leave(this.#relay, this.#calls, this.#endings);
    const message = JSON.parse(text) as Message;
    const { isServers, options } = this.#underway.toClient(tag, text, message);
    try {
      await this.#write(message, options);
    } catch (error) {
      if (isServers) throw error;
      this.#report(error);
    }
  }

  async #write(message: Message, options: unknown): Promise<void> {
    if (!this.#closed) await this.#send(message, options);
  }

  /** Finds out for whom a request is. */
  #identify({ call: id, tag }: Step<"identify">): StreamStep[] {
    const call = this.#begin(id, tag);
    try {
      const known = this.#judge.known(call);
      if (!isPromise(known)) return this.#identified(id, call, known);
      return this.#later(id, call, known.then((then) => this.#identified(id, call, then)));
    } catch (error) {
      return this.#undecided(id, call, error);
    }
  }

  #begin(id: number, tag: number): Call {
    const arrived = this.#underway.begin(tag);
    const waiting = new Waiting();
    const call: Call = { arrived, waiting };
    this.#calls.set(id, call);
    const { stream } = arrived;
    if (stream?.aborted === true) waiting.end("refused");
    else stream?.addEventListener("abort", () => waiting.end("refused"), { once: true });
    return call;
  }

  #identified(id: number, { arrived, waiting }: Call, known: Known): StreamStep[] {
    if (waiting.ended !== null) throw ENDED;
    arrived.identity = known.identity;
    arrived.engine = known.engine;
    this.#sees(known.engine);
    const identified = () => this.#relay.identified(id, textOf(known.identity ?? null), known.engine.native, now());
    // Over HTTP it may go on with a call of an earlier connection.
    const steps = this.#exchanges?.join(arrived.text, this.#relay, this.#calls, identified) ?? identified();
    for (const step of steps) {
      if (step.kind !== "to_server" || step.text !== arrived.text || step.call === id) continue;
      // Nothing is decided: it is a list, or goes on with a call that was.
      this.#calls.delete(id);
      const first = step.call === undefined ? undefined : this.#calls.get(step.call);
      if (first !== undefined) first.arrived = arrived;
    }
    return steps;
  }

  #decide(ask: Step<"decide">): StreamStep[] {
    const id = ask.call;
    // A request for input in an answer is for whom the answer is.
    const call = this.#calls.get(id) ?? this.#begin(id, ask.tag);
    call.ask = ask;
    if (!this.#judge.waitsForNames(ask)) return this.#evaluated(id, call);
    const then = (isRight: boolean) => {
      if (isRight) return this.#evaluated(id, call);
      this.#endings.refused(call, "unmatched");
      return this.#relay.refuse(id, UNDECIDED, now());
    };
    return this.#later(id, call, this.#judge.isNamed(call).then(then));
  }

  #evaluated(id: number, call: Call): StreamStep[] {
    try {
      if (call.waiting.ended !== null) throw ENDED;
      const settled = this.#judge.settled(call);
      if (!isPromise(settled)) return this.#concluded(id, call, settled);
      return this.#later(id, call, settled.then((then) => this.#concluded(id, call, then)));
    } catch (error) {
      return this.#undecided(id, call, error);
    }
  }

  #concluded(id: number, call: Call, settled: Settled): StreamStep[] {
    if ("question" in settled) {
      if (call.waiting.ended !== null) throw ENDED;
      return this.#relay.answer(id, textOf(settled.question), now());
    }
    const { decision, told } = settled;
    call.decision = decision;
    markSpan(decision);
    // It ended while it was decided. It never reached the tool.
    if (decision.allowed && call.waiting.ended !== null) return this.#relay.refuse(id, UNDECIDED, now());
    const steps = this.#relay.decided(id, ...decision.native, now(), told?.refused, told?.approvalId);
    if (decision.allowed) return steps;
    const refusal = steps.find((step): step is Step<"to_client"> => step.kind === "to_client" && step.tag === call.arrived.tag);
    const heard = this.#endings.denied(call, decision, refusal?.text);
    return heard === undefined ? steps : this.#later(id, call, heard.then(() => steps));
  }

  /** A call was refused, since its tool is not as it was approved. */
  #changed({ call: id, request, tool }: Step<"changed">): void {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (call !== undefined) this.#endings.changed(call, request, tool);
  }

  /** It cannot be said whether it may run, so it does not. */
  #undecided(id: number, call: Call, error: unknown): StreamStep[] {
    const { ask } = call;
    if (error !== ENDED) this.#report(error);
    this.#endings.refused(call, error === ENDED ? "withdrawn" : "undecided");
    // Nobody says how what was never to be decided ends.
    if (ask === undefined) this.#calls.delete(id);
    return this.#relay.refuse(id, UNDECIDED, now());
  }

  #giveUp(id: number): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    call.waiting.end("silent");
    this.#underway.givenUp(call.arrived);
    // The end of one that is being decided follows from the decision.
    if (call.ask === undefined) this.#calls.delete(id);
  }

  /** Its charges are given back before this is done. */
  #finish({ call: id, outcome }: Step<"finish">, answer: string | undefined): Promise<void> | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    return call === undefined ? undefined : this.#endings.finished(call, outcome as Outcome, answer);
  }

  /** A task has not ended, and nobody says when it does. */
  #accepted(id: number, answer: string | undefined): void {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (call !== undefined) this.#endings.record(call, "done", answer);
  }

  #report(error: unknown): void {
    try {
      promised(this.#options.onError?.(error), () => {});
    } catch {
      // A reporter that fails has nobody to report to.
    }
  }
}
