export * from "./test.js";
