// A client of a TypeScript SDK as a program that plays scenarios of `spec/guards`: what `tests/clients.py` runs.
//
//     scenario-client.mjs 1|2 JOBS
//
// In: the generation of the SDK, and a file of jobs, a JSON list. Each has a `scenario`, the name of its `guard`, the unix socket of its `host`,
// and the server as a `command` or a `url`. Out: a line of JSON for each job, with `failed` where something was not as the scenario says. The
// steps that no client plays go to the host, each on a connection of its own.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { type Answer, type Client, open, type Raw } from "./scenario-sdks.mjs";

interface Job {
  scenario: { era?: string; approvals?: unknown; steps: Step[] };
  guard: string;
  host: string;
  command?: string[];
  url?: string;
}
type Counts = Record<string, number>;
interface Step extends Raw {
  arguments?: Raw | null;
  times?: number;
  at_once?: number;
  expect?: string | Counts;
  text?: string;
  as?: string;
  progress?: true;
  task?: unknown;
  identity?: unknown;
  of?: string;
  cache?: Raw;
  params?: Raw;
}
interface Call {
  answer?: Answer;
  told: number;
  seen: number;
  given: AbortController;
}
interface Question {
  answer(action: string): void;
}

const LISTS: Record<string, [member: string, key: string]> = {
  "tools/list": ["tools", "name"],
  "resources/list": ["resources", "uri"],
  "prompts/list": ["prompts", "name"],
};
const UNCHECKED = "The call could not be checked against the policy";
/** What takes longer has failed: in milliseconds. */
const PATIENCE = 20_000;
const SECONDS = /Try again in \d+ seconds?\./;

/** One scenario, as the people at a client and at its server play it. */
class Play {
  readonly #job: Job;
  readonly #generation: number;
  readonly #calls = new Map<string, Call>();
  readonly #questions: Question[] = [];
  #counts: Counts = {};
  #client: Client | undefined;

  constructor(generation: number, job: Job) {
    this.#generation = generation;
    this.#job = job;
  }

  async all(): Promise<void> {
    await this.#connect();
    for (const [number, step] of this.#job.scenario.steps.entries()) {
      const late = new AbortController();
      const patience = pause(PATIENCE, undefined, { signal: late.signal }).then(() => assert.fail("it takes too long"));
      try {
        await Promise.race([this.#step(step), patience]);
      } catch (error) {
        throw new Error(`step ${number}, ${JSON.stringify(step).slice(0, 200)}: ${String(error)}`.slice(0, 1200));
      } finally {
        patience.catch(() => {});
        late.abort();
      }
    }
    for (const call of this.#calls.values()) call.given.abort();
    await this.#sdk.close();
  }

  get #sdk(): Client {
    return this.#client ?? assert.fail("it is not connected");
  }

  async #connect(): Promise<void> {
    this.#counts = {};
    this.#questions.length = 0;
    const { command, url, scenario } = this.#job;
    this.#client = await open(this.#generation, command ?? new URL(url ?? ""), scenario.era, {
      elicited: (schema) => this.#asked(schema),
      sampled: () => this.#count("sampling/createMessage"),
      notified: (method) => this.#count(method),
    });
  }

  #count(method: string): void {
    this.#counts[method] = (this.#counts[method] ?? 0) + 1;
  }

  /** The server, or a round of a call, asks the person at the client. */
  #asked(schema: Raw): Promise<Raw> {
    this.#count("elicitation/create");
    const which = "which" in ((schema["properties"] ?? {}) as Raw);
    return new Promise((resolve) => {
      const answer = (action: string) => resolve({ action, ...(action === "accept" ? { content: which ? { which: "this" } : {} } : {}) });
      this.#questions.push({ answer });
    });
  }

  async #step(step: Step): Promise<void> {
    const name = (what: string) => step[what] as string;
    if ("call" in step || "request" in step || "listed" in step || "round" in step) {
      await this.#host({ begins: step.as ?? null, identity: step.identity ?? null });
    }
    if ("call" in step) await this.#call(name("call"), step);
    else if ("request" in step) {
      for (let n = 0; n < (step.times ?? 1); n += 1) this.#check(await this.#sdk.request(name("request"), step.params ?? {}), step, false);
    } else if ("answer" in step) await this.#answer(name("answer"), step);
    else if ("round" in step) {
      // The SDK's client brings the answer in another round itself.
      this.#question().answer("accept");
      if (step.expect !== undefined) await this.#answer(name("round"), step);
    } else if ("approve" in step || "refuse" in step) await this.#decide("approve" in step ? "approve" : "refuse", step);
    else if ("finish" in step || "reload" in step || "change" in step) await this.#host(step);
    else if ("ran" in step || "used" in step) await until(() => this.#host(step), step);
    else if ("cancel" in step) {
      this.#of(name("cancel")).given.abort();
      await this.#sdk.ping();
    } else if ("progressed" in step) {
      const made = this.#of(name("progressed"));
      for (let n = 0; n < 300 && made.told <= made.seen; n += 1) await pause(10);
      assert.ok(made.told > made.seen, "there was no progress");
      made.seen = made.told;
    } else if ("disconnect" in step) {
      await this.#sdk.close();
      await this.#host({ left: true });
    }
    else if ("connect" in step) await this.#connect();
    else if ("listed" in step) await this.#listed(step["listed"] as string[], step);
    else if ("seen" in step) {
      // What must not come has come by the time that the server answers.
      await this.#sdk.ping();
      const times = step["seen"] as Counts;
      await until(async () => Object.fromEntries(Object.keys(times).map((method) => [method, this.#counts[method] ?? 0])), times);
    } else assert.fail("no client plays it");
  }

  async #host(step: object): Promise<object> {
    // Without a handshake, a client does not know when its server has started.
    for (;;) {
      const said = await told(this.#job.host, step).catch((error: NodeJS.ErrnoException) => {
        if (!["ENOENT", "ECONNREFUSED"].includes(error.code ?? "")) throw error;
      });
      if (said === undefined) await pause(10);
      else {
        const answer = JSON.parse(said) as { failed?: string };
        assert.equal(answer.failed, undefined);
        return answer;
      }
    }
  }

  async #call(tool: string, step: Step): Promise<void> {
    if (step.as !== undefined) {
      const made = newCall();
      this.#calls.set(step.as, made);
      void this.#made(made, tool, step);
      const asked = this.#questions.length;
      let began = false;
      void this.#host({ began: step.as }).then(
        () => (began = true),
        () => {},
      );
      while (!began && made.answer === undefined && this.#questions.length === asked) await pause(5);
    } else if (step.at_once !== undefined) {
      const counts: Counts = {};
      for (const answer of await Promise.all(Array.from({ length: step.at_once }, () => this.#made(newCall(), tool, step)))) {
        counts[kindOf(answer)] = (counts[kindOf(answer)] ?? 0) + 1;
      }
      assert.deepEqual(counts, step.expect);
    } else {
      for (let n = 0; n < (step.times ?? 1); n += 1) this.#check(await this.#made(newCall(), tool, step), step, true);
    }
  }

  async #made(made: Call, tool: string, { arguments: args, progress, task }: Step): Promise<Answer> {
    const told = progress ? (n: number) => (made.told = Math.max(made.told, n)) : undefined;
    const answer = await this.#sdk.call({ name: tool, ...(args == null ? {} : { arguments: args }), ...(task === undefined ? {} : { task }) }, told, made.given.signal);
    if (!made.given.signal.aborted) made.answer = answer;
    return answer;
  }

  #of(name: string): Call {
    return this.#calls.get(name) ?? assert.fail(`no call is named ${name}`);
  }

  #question(): Question {
    return this.#questions.shift() ?? assert.fail("the client was not asked");
  }

  async #answer(name: string, step: Step): Promise<void> {
    const made = this.#of(name);
    if (step.expect === "none") {
      await this.#sdk.ping();
      return assert.equal(made.answer, undefined);
    }
    const asks = step.expect === "input_required";
    while (made.answer === undefined && !(asks && this.#questions.length > 0)) await pause(5);
    if (asks) assert.equal(made.answer, undefined, `no question, but ${JSON.stringify(made.answer)}`);
    else this.#check(made.answer ?? assert.fail(), step, true);
  }

  async #decide(word: "approve" | "refuse", step: Step): Promise<void> {
    const name = step[word] as string;
    if (this.#job.scenario.approvals === "elicitation") {
      while (this.#questions.length === 0) await pause(5);
      return this.#question().answer(word === "approve" ? "accept" : "decline");
    }
    const filed = (this.#calls.get(name)?.answer?.result?.["_meta"] as Raw | undefined)?.["callgate/approval_id"] ?? null;
    await this.#host({ [word]: name, filed });
  }

  async #listed(names: string[], { of = "tools/list", cache = {} }: Step): Promise<void> {
    const [member, key] = LISTS[of] ?? assert.fail(`no list ${of}`);
    const found: unknown[] = [];
    for (const page of await this.#sdk.pages(of)) {
      found.push(...(page[member] as Raw[]).map((item) => item[key]));
      for (const [name, value] of Object.entries(cache)) assert.deepEqual(page[name], value, name);
    }
    assert.deepEqual(found.sort(), names);
  }

  #check(answer: Answer, { expect, text = "", task }: Step, isCall: boolean): void {
    const { error, result } = answer;
    // The gateway's clock goes.
    const plain = (said: string) => (this.#job.guard === "gateway" ? said.replace(SECONDS, "") : said);
    const content = result?.["content"] as { text: string }[] | undefined;
    const said = error?.message ?? content?.[0]?.text ?? JSON.stringify(result);
    const all = JSON.stringify(answer);
    assert.ok(plain(said).includes(plain(text)), all);
    if (expect === "failed") return assert.ok(error !== undefined || result?.["isError"] === true, all);
    if (expect === "unchecked") return assert.deepEqual([kindOf(answer), said], ["tool_error", UNCHECKED]);
    if (expect === "invalid_args") return assert.ok(result?.["isError"] === true && said.startsWith("Arguments are not valid: "), all);
    if (expect === undefined) return;
    assert.equal(kindOf(answer), expect, all);
    if (["result", "tool_error", "error"].includes(expect as string)) return;
    // The guard refused: it says why, and gives no result of the tool.
    assert.ok(said.length > 0, all);
    if (isCall && task === undefined) assert.deepEqual([result?.["isError"], result?.["structuredContent"]], [true, undefined], all);
  }
}

/** What a host answers to a step. */
function told(host: string, step: object): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const socket = connect(host, () => void socket.write(`${JSON.stringify(step)}\n`));
    socket.on("data", (part) => (said += part.toString()));
    socket.on("error", reject);
    socket.on("close", () => resolve(said));
  });
}

const newCall = (): Call => ({ told: -1, seen: -1, given: new AbortController() });

/** What kind of answer it is: the code, where the guard refused. */
function kindOf({ result, error }: Answer): string {
  const code = ((error?.data ?? result?.["_meta"]) as Raw | undefined)?.["callgate/code"];
  if (typeof code === "string") return code;
  // What the client itself throws is no answer of a server.
  if (error !== undefined) return error.code === 0 ? "thrown" : "error";
  return result?.["isError"] === true ? "tool_error" : "result";
}

async function until(found: () => Promise<object>, expected: object): Promise<void> {
  for (let n = 0; n < 200; n += 1) {
    try {
      return assert.deepEqual(await found(), expected);
    } catch {
      await pause(25);
    }
  }
  assert.deepEqual(await found(), expected);
}

const [generation, file = ""] = process.argv.slice(2);
for (const job of JSON.parse(readFileSync(file, "utf8")) as Job[]) {
  const failed = await new Play(Number(generation), job).all().then(
    () => undefined,
    (error: Error) => error.message,
  );
  console.log(JSON.stringify(failed === undefined ? {} : { failed }));
}
process.exit(0);
