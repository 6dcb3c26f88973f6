// A client that sends anything, and a person who answers anything.
//
// In: a seed. Out: a guarded server of one kind that was sent so many messages, and the ledger's verdict on it. Every run of a seed is the same, as far
// as the SDKs' own timing is.

import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { Engine, Policy } from "callgate";
import { type ApprovalAnswer, approveByElicitation, type GuardOptions, type OnApproval } from "callgate/mcp";
import { Choices } from "./choices.mjs";
import { Ledger, type Message, type Question } from "./ledger.mjs";
import { type Connection, hasRounds, type Kind, POLICY, Served, TOOLS } from "./server.mjs";

const PREFIX = "io.modelcontextprotocol/";
const YES = { action: "accept", content: {} };
const CALLERS = ["alice", "bob", undefined];
const ODD = [null, true, 0, -1, 1.5, 1e21, "", "1", "x".repeat(300), [], ["free"], {}, { tool: "free" }, "\u0000", "__proto__"];
const ODD_NAMES = ["", "FREE", "free ", " free", "free\u0000", "Secret", "secret\u200b", "constructor", "*", "nowhere"];
const ODD_METHODS = ["tools/Call", "TOOLS/CALL", "tools/call ", "tools//call", "tools/call\u0000", "", "notifications/tools/call", "tasks/get", "tasks/cancel", "no/such"];

/** A round that the guard or the server asked for. */
interface Round {
  readonly message: Message;
  readonly caller: string | undefined;
  readonly state: string;
  /** Of the guard's own: who is asked. */
  question: Question | undefined;
}

/** A client's connection, and what it is owed. */
interface Client {
  readonly connection: Connection;
  readonly caller: string | undefined;
  /** Requests by the text of their ids: how often each was sent, and answered. */
  readonly requests: Map<string, { sent: number; answered: number; message: Message; caller: string | undefined }>;
  /** Ids of questions that the guard asked. */
  readonly questions: { id: unknown; question: Question | undefined }[];
}

/** A person's turn: what the host's callback waits for. */
interface Turn {
  readonly question: Question;
  readonly signal: AbortSignal;
  answer(answer: ApprovalAnswer | Promise<ApprovalAnswer>): void;
}

export class Fuzz {
  readonly #choices: Choices;
  readonly #kind: Kind;
  readonly #ledger: Ledger;
  readonly #engine: Engine;
  readonly #served: Served;
  readonly #clients: Client[] = [];
  readonly #turns: Turn[] = [];
  readonly #rounds: Round[] = [];
  readonly #asksClient: boolean;
  readonly #isSlow: boolean;
  #ids = 0;
  #marks = 0;
  #policies = 0;

  constructor(kind: Kind, seed: number) {
    this.#choices = new Choices(seed);
    this.#kind = kind;
    this.#ledger = new Ledger(kind === "rounds-http", kind !== "transport");
    this.#engine = Engine.fromString(this.#policy(), { clock: () => Date.UTC(2026, 10, 21, 10) });
    this.#ledger.reloaded(this.#engine.policy.digest);
    this.#asksClient = this.#choices.oneIn(2);
    this.#isSlow = this.#choices.oneIn(2);
    const onApproval: OnApproval = this.#asksClient ? approveByElicitation() : (request) => this.#asked(request);
    const options: GuardOptions = { onApproval, maxWaiting: 50, refundOnError: () => false };
    if (this.#isSlow && kind !== "rounds-stream") {
      const identity: GuardOptions["identity"] = async ({ authInfo }) => {
        for (let n = this.#choices.number(3); n > 0; n -= 1) await turn();
        return authInfo?.extra?.["sub"] as string | undefined;
      };
      Object.assign(options, { identity });
    } else if (kind === "rounds-stream") {
      Object.assign(options, { identity: () => "alice" });
    }
    this.#served = new Served(kind, this.#engine, options, this.#ledger);
  }

  async run(steps: number): Promise<number> {
    try {
      return await this.#runs(steps);
    } finally {
      for (const { connection } of this.#clients) connection.close();
    }
  }

  async #runs(steps: number): Promise<number> {
    for (let step = 0; step < steps && this.#ledger.failure === undefined; step += 1) {
      this.#act();
      for (let n = this.#choices.number(4); n > 0; n -= 1) await turn();
    }
    await this.#rest();
    if (this.#ledger.failure !== undefined) throw this.#ledger.failure;
    const used = new Map<string, number>();
    for (const { entry, counter, used: held } of this.#engine.counters()) used.set(`${entry} ${counter}`, (used.get(`${entry} ${counter}`) ?? 0) + Number(held));
    for (const [name, owed] of this.#ledger.owed()) if (Number.isNaN(owed)) used.set(name, NaN);
    assert.deepEqual(sorted(used), sorted(this.#ledger.owed()), "what the counters hold is what the calls owe");
    return this.#ledger.calls;
  }

  /** Everything that waits goes on, and nothing new comes. */
  async #rest(): Promise<void> {
    for (let times = 0; times < 3; times += 1) {
      for (const { answer } of this.#turns.splice(0)) answer(null);
      for (const go of this.#served.handlers.waiting.splice(0)) go();
      for (let n = 0; n < 40; n += 1) await turn();
    }
  }

  #policy(): string {
    return POLICY.replace("TEXT", `version ${(this.#policies += 1)}`);
  }

  #act(): void {
    const client = this.#client();
    const choice = this.#choices.number(100);
    if (choice < 45) this.#call(client);
    else if (choice < 52) this.#list(client);
    else if (choice < 62) this.#send(client, this.#malformed(client));
    else if (choice < 70) this.#cancel(client);
    else if (choice < 77) this.#served.handlers.waiting.splice(0, 1)[0]?.();
    else if (choice < 85) this.#answers(client);
    else if (choice < 94) this.#goesOn(client);
    else if (choice < 97) client.connection.close();
    else if (choice < 98) this.#reload();
    else this.#connect();
  }

  #client(): Client {
    const open = this.#clients.filter(({ connection }) => connection.isOpen);
    return open.length === 0 ? this.#connect() : this.#choices.of(open);
  }

  #connect(): Client {
    const caller = this.#kind === "rounds-stream" ? "alice" : this.#choices.of(CALLERS);
    const requests: Client["requests"] = new Map();
    const connection = this.#served.connect(caller, (message) => this.#hears(client, message));
    const client: Client = { connection, caller, requests, questions: [] };
    this.#clients.push(client);
    if (!hasRounds(this.#kind)) {
      const capabilities = this.#choices.oneIn(4) ? {} : { elicitation: {} };
      this.#send(client, { id: this.#id(), method: "initialize", params: { protocolVersion: "2025-11-25", capabilities, clientInfo: { name: "fuzz", version: "1" } } });
      this.#send(client, { method: "notifications/initialized" });
    }
    return client;
  }

  #send(client: Client, message: unknown, caller = this.#kind === "rounds-stream" || this.#choices.oneIn(2) ? client.caller : this.#choices.of(CALLERS)): void {
    const whole = isObject(message) && !("jsonrpc" in message) ? { jsonrpc: "2.0", ...message } : message;
    this.#ledger.sent(whole);
    if (isObject(whole) && "id" in whole) {
      const key = JSON.stringify(whole["id"]) ?? "";
      const { sent = 0, answered = 0 } = client.requests.get(key) ?? {};
      client.requests.set(key, { sent: sent + 1, answered, message: whole, caller });
    }
    client.connection.send(whole, caller);
  }

  #id(): unknown {
    return this.#choices.oneIn(2) ? (this.#ids += 1) : `id ${(this.#ids += 1)}`;
  }

  /** An id that is in use, or none that a server has to take. */
  #oddId(client: Client): unknown {
    const used = [...client.requests.keys()].map((key) => JSON.parse(key || "null") as unknown);
    if (used.length === 0 || this.#choices.oneIn(3)) return this.#choices.of(ODD);
    const id = this.#choices.of(used.slice(-5));
    if (!this.#choices.oneIn(3)) return id;
    return typeof id === "number" ? String(id) : Number(id) || id;
  }

  #meta(): Message {
    const about = hasRounds(this.#kind) ? { [`${PREFIX}protocolVersion`]: "2026-07-28", [`${PREFIX}clientInfo`]: { name: "fuzz", version: "1" }, [`${PREFIX}clientCapabilities`]: { elicitation: { form: {} } } } : {};
    if (!this.#choices.oneIn(4)) return about;
    const claims = [{ identity: "alice", client_id: "alice", sub: "alice" }, { progressToken: this.#choices.of([1, "t"]) }, { "callgate/approval_id": "00000000", "callgate/approval_key": "ak1:x" }];
    return { ...this.#choices.of(claims), ...about };
  }

  #args(): Message {
    const amount = this.#choices.of([0, 1, 2.5, 9, 10, 100, 101, 5000]);
    const args: Message = { n: (this.#marks += 1), amount };
    if (this.#choices.oneIn(8)) args["amount"] = this.#choices.of([null, "5", -1, true, [], {}, 1e300]);
    if (this.#choices.oneIn(12)) args[this.#choices.of(["Amount", "AMOUNT", "identity", "constructor"])] = 1;
    if (this.#choices.oneIn(20)) delete args["amount"];
    return args;
  }

  #call(client: Client): void {
    const name = this.#choices.of(hasRounds(this.#kind) ? [...TOOLS, "book", "book", "ask_book"] : TOOLS);
    const args = this.#args();
    if (name.endsWith("book")) Object.assign(args, { rounds: hasRounds(this.#kind) ? this.#choices.number(3) : 0, same: this.#choices.oneIn(3) });
    if (hasRounds(this.#kind) && this.#choices.oneIn(40)) args["rounds"] = 20;
    const params: Message = { name, arguments: args };
    const meta = this.#meta();
    if (Object.keys(meta).length > 0) params["_meta"] = meta;
    const message: Message = { id: this.#id(), method: "tools/call", params };
    switch (this.#choices.number(24)) {
      case 0:
        message["id"] = this.#oddId(client);
        break;
      case 1:
        params["name"] = this.#choices.of<unknown>([...ODD_NAMES, ...ODD]);
        break;
      case 2:
        params["arguments"] = this.#choices.of<unknown>([...ODD, JSON.parse('{"__proto__": {"amount": 5}}')]);
        break;
      case 3:
        params["task"] = this.#choices.of<unknown>([{}, { ttl: 1000 }, null, 5]);
        break;
      case 4:
        params["requestState"] = this.#choices.of<unknown>(["state 0", "same 0", `callgate.ask.${"x".repeat(32)}`, 5]);
        params["inputResponses"] = { callgate: { action: "accept", content: {} } };
        break;
      case 5:
        params["_meta"] = { ...meta, ...this.#choices.of<object>([{ progressToken: {} }, { [`${PREFIX}related-task`]: { taskId: "none" } }, { [`${PREFIX}protocolVersion`]: 5 }]) };
        break;
      case 6:
        params[this.#choices.of(["Name", "ARGUMENTS", "NAME"])] = "secret";
        break;
      case 7:
        message[this.#choices.of(["Method", "PARAMS", "Id"])] = this.#choices.of<unknown>(["tools/call", { name: "free" }, 7]);
        break;
      case 8:
        message["method"] = this.#choices.of(ODD_METHODS);
        break;
      case 9:
        delete message["id"];
    }
    this.#send(client, message);
    // The very same message, once more.
    if (this.#choices.oneIn(20)) this.#send(client, message);
  }

  #list(client: Client): void {
    const meta = this.#meta();
    const params = { ...(this.#choices.oneIn(4) ? { cursor: this.#choices.of(ODD) } : {}), ...(Object.keys(meta).length > 0 ? { _meta: meta } : {}) };
    this.#send(client, { id: this.#id(), method: "tools/list", params });
  }

  #malformed(client: Client): unknown {
    const id = this.#oddId(client);
    const call = { jsonrpc: "2.0", id: this.#id(), method: "tools/call", params: { name: "never", arguments: {} } };
    return this.#choices.of<unknown>([
      null, 5, "x", [], [call], [call, call], {}, { ...call, jsonrpc: "1.0" }, { id }, { id, method: 5 }, { id, method: "ping" }, { id, result: {} },
      { id, result: {}, error: {} }, { id, result: {}, method: "tools/call", params: call.params }, { id, error: { code: 1, message: "no" } }, { id, method: "tools/call" },
      { id, method: "tools/call", params: null }, { id, method: "tools/call", params: [] }, { id, method: "tools/call", params: [call.params] }, { method: "notifications/initialized" },
      { method: "notifications/progress", params: { progressToken: 1, progress: 1 } }, { method: "tools/call", params: call.params }, { id, method: "resources/read", params: { uri: "x" } },
      { id: `callgate-${"0".repeat(36)}-1`, result: { action: "accept", content: {} } }, { id, method: "initialize", params: { protocolVersion: "1", capabilities: { elicitation: {} } } },
    ]);
  }

  #cancel(client: Client): void {
    const requests = [...client.requests.values()].slice(-8).map(({ message }) => message["id"]);
    const requestId = requests.length > 0 && !this.#choices.oneIn(4) ? this.#choices.of(requests) : this.#oddId(client);
    this.#send(client, { method: "notifications/cancelled", params: { requestId } });
  }

  #reload(): void {
    const policy = Policy.fromString(this.#policy());
    this.#engine.replace(policy);
    this.#ledger.reloaded(policy.digest);
  }

  /** The host's callback: a person is asked. */
  #asked({ tool, arguments: args, identity, signal }: Parameters<OnApproval>[0]): Promise<ApprovalAnswer> {
    const question = this.#ledger.asked({ tool, args: args as Message, caller: isObject(identity) ? String((identity as Message)["id"]) : (identity as string | undefined) });
    return new Promise((answer) => void this.#turns.push({ question, signal, answer }));
  }

  #answers(client: Client): void {
    if (!this.#asksClient) return this.#decides();
    const asked = this.#choices.of(this.#clients.flatMap((one) => one.questions.map((question) => ({ one, question }))).slice(-6).concat([{ one: client, question: { id: this.#oddId(client), question: undefined } }]));
    const { one, question } = asked;
    const result = this.#choices.of<unknown>([{ action: "accept", content: {} }, { action: "accept", content: {} }, { action: "decline" }, { action: "Accept" }, { action: "cancel" }, {}, { action: ["accept"] }, null, "accept"]);
    // Somebody else may answer, too.
    const by = this.#choices.oneIn(4) ? client : one;
    const isYes = isObject(result) && result["action"] === "accept" && by === one && by.connection.isOpen;
    const { question: person } = question;
    if (isYes && person !== undefined) person.isYes = true;
    // What was answered once counts once.
    if (by === one) question.question = undefined;
    this.#send(by, { id: question.id, result });
  }

  #decides(): void {
    const { length } = this.#turns;
    if (length === 0) return;
    const [index] = [this.#choices.number(length)];
    const { question, signal, answer } = this.#turns[index] ?? assert.fail();
    // Now and then it is answered again.
    if (!this.#choices.oneIn(6)) this.#turns.splice(index, 1);
    const yes = () => {
      question.isYes = !signal.aborted;
      return this.#choices.oneIn(2) ? true : `approval ${(this.#marks += 1)}`;
    };
    switch (this.#choices.number(8)) {
      case 0:
        return answer(this.#choices.of<ApprovalAnswer>([false, null, undefined, "", { refused: "no" }]));
      case 1:
        return answer(this.#choices.of<unknown>([1, {}, { id: 5 }, ["x"], "x".repeat(300)]) as ApprovalAnswer);
      case 2:
        return answer(failed());
      default:
        return answer(yes());
    }
  }

  /** A call that is to be made again, in one way or another. */
  #goesOn(client: Client): void {
    if (this.#rounds.length === 0) return this.#call(client);
    const round = this.#choices.of(this.#rounds.slice(-8));
    const { message, caller, state } = round;
    const params: Message = { ...(message["params"] as Message), requestState: state, inputResponses: { which: YES, callgate: YES } };
    let by = caller;
    let isSame = true;
    switch (this.#choices.number(12)) {
      case 0:
        params["arguments"] = { ...(params["arguments"] as Message), amount: 1, n: (this.#marks += 1) };
        isSame = false;
        break;
      case 1:
        if (this.#kind === "rounds-stream") return;
        by = this.#choices.of(CALLERS.filter((one) => one !== caller));
        isSame = false;
        break;
      case 2:
        params["inputResponses"] = { callgate: this.#choices.of<unknown>([{ action: "decline" }, { action: "Accept" }, true, null]) };
        isSame = false;
        break;
      case 3:
        params["name"] = this.#choices.of(TOOLS);
        isSame = params["name"] === (message["params"] as Message)["name"];
        break;
      case 4:
        params["requestState"] = `${state}x`;
        isSame = false;
    }
    const { question } = round;
    if (question !== undefined) {
      // A state is taken once, whatever comes with it.
      if (params["requestState"] === state) round.question = undefined;
      if (isSame) question.isYes = true;
    }
    this.#send(client, { ...message, id: this.#id(), params }, by);
  }

  #hears(client: Client, message: Message): void {
    if (this.#ledger.failure !== undefined) return;
    try {
      this.#heard(client, message);
    } catch (error) {
      this.#ledger.failure = error;
    }
  }

  #heard(client: Client, message: Message): void {
    const { id, method, result } = message;
    if (method === "elicitation/create") {
      const [, tool, args] = /\nTool: (\S+)\nArguments: (.*)\n/.exec(String((message["params"] as Message)["message"])) ?? assert.fail("nobody can read this");
      const { n } = JSON.parse(args ?? "") as Message;
      const asked = [...client.requests.values()].find(({ message: { params } }) => isObject(params) && (params["arguments"] as Message | undefined)?.["n"] === n);
      assert.ok(asked, "another client is asked");
      const question = this.#ledger.asked({ tool: String(tool), args: (asked.message["params"] as Message)["arguments"] as Message, caller: asked.caller });
      client.questions.push({ id, question });
      return;
    }
    if (method !== undefined || id === null || id === undefined) return;
    const request = client.requests.get(JSON.stringify(id)) ?? assert.fail(`an answer to nobody: ${JSON.stringify(message)}`);
    request.answered += 1;
    assert.ok(request.answered <= request.sent, `a request has two answers: ${JSON.stringify(message)}`);
    if (!isObject(result)) return;
    if (Array.isArray(result["tools"])) this.#listed(result["tools"] as Message[], request.sent === 1 ? request.caller : "alice");
    if (result["resultType"] === "input_required" && request.sent === 1) this.#asks(request.message, request.caller, String(result["requestState"]));
  }

  #listed(tools: Message[], caller: string | undefined): void {
    const names = tools.map(({ name }) => String(name));
    const visible = TOOLS.filter((name) => !["secret", "unlisted", "never"].includes(name) && (name !== "mine" || caller === "alice"));
    assert.deepEqual(names.filter((name) => !visible.includes(name)), [], `what ${String(caller)} may not see`);
  }

  #asks(message: Message, caller: string | undefined, state: string): void {
    const params = message["params"] as Message;
    const own = state.startsWith("callgate.ask.");
    const question = own ? this.#ledger.asked({ tool: String(params["name"]), args: params["arguments"] as Message, caller }) : undefined;
    this.#rounds.push({ message, caller, state, question });
  }
}

/** What nobody waits for ends no process. */
function failed(): Promise<never> {
  const answer = Promise.reject(new Error("nobody is there"));
  answer.catch(() => {});
  return answer;
}
const isObject = (value: unknown): value is Message => typeof value === "object" && value !== null && !Array.isArray(value);
const sorted = (counters: Map<string, number>) => [...counters].filter(([, amount]) => amount !== 0).sort(([a], [b]) => (a < b ? -1 : 1));
