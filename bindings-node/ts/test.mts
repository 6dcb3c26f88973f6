// The same module for `import`: one copy of it, whichever way it is loaded.

export * from "./test.js";
