// Guarded servers under a client that sends anything: nothing that it sends gives a charge back, uses an approval twice, reaches a denied tool's handler
// or lists a hidden tool, and no request has two answers.
//
// Among the mistakes of `mistakes.mjs` it notices `answers-unfiltered`, `wrapper-unwatched` and `server-sees-the-guards-state` by itself.
//
// In: CALLGATE_FUZZ, how many seeds of each kind of server (8); CALLGATE_SEED, the first of them (1). `tests/proof.sh node_fuzz` runs thousands. Out: the
// seed of a run in which something was not so.

import { describe, test } from "node:test";
import { Fuzz } from "./fuzz/client.mjs";
import { KINDS } from "./fuzz/server.mjs";

const SEEDS = Number(process.env["CALLGATE_FUZZ"] ?? 8);
const FIRST = Number(process.env["CALLGATE_SEED"] ?? 1);
const STEPS = 120;

describe("a client that sends anything", () => {
  for (const kind of KINDS) {
    test(`${kind}: nothing comes of it that must not be`, async (t) => {
      let calls = 0;
      for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
        calls += await new Fuzz(kind, seed).run(STEPS).catch((error: Error) => {
          error.message = `${kind}, seed ${seed}: ${error.message}`;
          throw error;
        });
      }
      t.diagnostic(`${SEEDS} seeds, ${calls} calls that passed`);
    });
  }
});
