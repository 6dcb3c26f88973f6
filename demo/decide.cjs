// Decides a stream of calls, as `callgate eval --calls - --format json` does: `decide.cjs POLICY < CALLS > DECISIONS`.
const { readFileSync } = require("node:fs");
const { Engine } = require("./.work/node/dist/index.js");

let now = 0;
const engine = Engine.fromFile(process.argv[2], { clock: () => now });
for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  // The arguments stay the text that they are: a key that stands twice must be seen.
  const at = line.indexOf(', "args": ');
  const call = JSON.parse(`${line.slice(0, at)}}`);
  now = Date.parse(call.at);
  console.log(JSON.stringify(engine.evaluateJson(call.tool, line.slice(at + 10, -1), call.identity)));
}
