// Runs the search of the built documentation as a browser would: node search.js FOLDER QUERY... prints the pages by query.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const [folder, ...queries] = process.argv.slice(2);
const stored = new Map();
const context = vm.createContext({
  console,
  document: { getElementById: () => null, addEventListener: () => {}, readyState: "loading", documentElement: { dataset: {} } },
  localStorage: { setItem: (name, value) => stored.set(name, value) },
  SPHINX_HIGHLIGHT_ENABLED: false,
  _: (text) => text,
  _ready: () => {},
});
context.window = context;
const names = ["_static/base-stemmer.js", "_static/language_data.js", "_static/searchtools.js", "searchindex.js"];
const present = ["_static/base-stemmer.js", "_static/english-stemmer.js", ...names.slice(1)].filter((name) => fs.existsSync(path.join(folder, name)));
vm.runInContext(present.map((name) => fs.readFileSync(path.join(folder, name), "utf8")).join("\n;\n"), context);
const found = vm.runInContext(
  `(queries) => queries.map((query) => [query, Search._performSearch(...Search._parseQuery(query)).reverse()])`,
  context,
)(queries);
console.log(JSON.stringify(Object.fromEntries(found)));
