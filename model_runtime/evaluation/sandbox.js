// Runs one JavaScript program from standard input; the child's side of `execution`, as sandbox.py is
// Python's. Its argument is a nonce. What it reports on standard output is the nonce, a verdict and a
// few words, once the program has come to its end; the program's own output goes nowhere.

'use strict';

const fs = require('fs');
const vm = require('vm');

const nonce = process.argv.pop();
const exit = process.exit.bind(process);
const write = fs.writeSync.bind(fs);

class Failed extends Error {}

function report(verdict, words = '') {
  write(1, `${nonce} ${verdict} ${words.slice(0, 200)}`);
  exit(0);
}

const quiet = () => undefined;
const allowed = new Set(['assert', 'util']);
const context = vm.createContext({
  console: {
    log: quiet, error: quiet, warn: quiet, info: quiet, debug: quiet,
    // Node's own only writes a line.
    assert: (holds, ...words) => {
      if (!holds) {
        throw new Failed(words.join(' '));
      }
    },
  },
  require: (name) => {
    if (!allowed.has(name)) {
      throw new Error(`no module ${name} here`);
    }
    return require(name);
  },
});

try {
  vm.runInContext(fs.readFileSync(0, 'utf8'), context, { filename: 'completed.js' });
} catch (error) {
  report(error instanceof Failed ? 'fail' : 'error', String(error));
}
report('pass');
