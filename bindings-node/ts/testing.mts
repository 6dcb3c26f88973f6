// The same module for `import`: one copy of the classes, whichever way it is loaded.

export * from "./testing.js";
