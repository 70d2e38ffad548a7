/** The parts that need no editor. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Coalesced } from '../src/coalesced';
import { BREAK, layOutDraft, WIDEST } from '../src/draftLayout';
import { findServer, type Surroundings } from '../src/findServer';
import { describeStatus } from '../src/statusText';

const files = new Set(['/w/.venv/bin/remask', '/w/venv/bin/remask', '/usr/bin/remask']);
const around: Surroundings = {
  setting: [],
  folders: ['/w'],
  isTrusted: true,
  searchPath: ['', '/usr/bin'],
  isWindows: false,
  exists: (file) => files.has(file),
};

test('the setting comes first', () => {
  const setting = ['/opt/remask', 'lsp', '--log-level', 'debug'];
  assert.deepEqual(findServer({ ...around, setting }), {
    command: '/opt/remask',
    args: ['lsp', '--log-level', 'debug'],
  });
});

test("then the workspace's environment", () => {
  assert.equal(findServer(around)?.command, '/w/.venv/bin/remask');
});

test('but not where the workspace is not trusted', () => {
  assert.equal(findServer({ ...around, isTrusted: false })?.command, '/usr/bin/remask');
});

test('none is none', () => {
  assert.equal(findServer({ ...around, exists: () => false }), undefined);
});

test('Windows has other names', () => {
  const found = findServer({
    ...around,
    folders: ['C:\\w'],
    isWindows: true,
    exists: (file) => file === 'C:\\w\\venv\\Scripts\\remask.exe',
  });
  assert.equal(found?.command, 'C:\\w\\venv\\Scripts\\remask.exe');
});

test('restarts asked for during one become one more', async () => {
  let n = 0;
  let release = (): void => undefined;
  const coalesced = new Coalesced(async () => {
    n++;
    await new Promise<void>((resolve) => (release = resolve));
  });
  const first = coalesced.run();
  const others = [coalesced.run(), coalesced.run(), coalesced.run()];
  assert.equal(n, 1);
  release();
  await first;
  await new Promise(setImmediate);
  assert.equal(n, 2);
  release();
  await Promise.all(others);
  assert.equal(n, 2);
});

test('a run that failed does not stop the next', async () => {
  let n = 0;
  const coalesced = new Coalesced(async () => {
    n++;
    if (n === 1) {
      throw new Error('first');
    }
  });
  const first = coalesced.run();
  const second = coalesced.run();
  await assert.rejects(first, /first/);
  await second;
  assert.equal(n, 2);
});

const at = (line: number, character: number) => ({ line, character });

test('a draft goes line by line over the text it replaces', () => {
  const range = { start: at(1, 4), end: at(2, 3) };
  assert.deepEqual(layOutDraft({ range, text: 'a ░░\n░\nb' }, () => 9), [
    { line: 1, from: 4, to: 9, text: 'a ░░' },
    { line: 2, from: 0, to: 3, text: `░${BREAK}b` },
  ]);
});

test('a draft shorter than the text leaves lines empty', () => {
  const range = { start: at(0, 0), end: at(2, 1) };
  const pieces = layOutDraft({ range, text: 'x' }, () => 5);
  assert.deepEqual(pieces.map((piece) => piece.text), ['x', '', '']);
});

test('a long line is cut', () => {
  const range = { start: at(0, 0), end: at(0, 0) };
  const [piece] = layOutDraft({ range, text: '░'.repeat(500) }, () => 0);
  assert.equal(piece?.text.length, WIDEST);
});

test('the status says what is wrong, and what to do', () => {
  const running = { state: 'running', model: 'm', device: 'cpu' } as const;
  assert.deepEqual(describeStatus({ ...running, tokensPerSecond: 31.4 }), {
    text: 'Remask',
    detail: 'm · cpu · 31 tokens/s',
    level: 'fine',
  });
  assert.equal(describeStatus({ ...running, text: 'It took too long.' }).fix, 'log');
  assert.equal(describeStatus({ state: 'failed', text: 'No weights.' }).fix, 'restart');
  assert.match(describeStatus({ state: 'failed', text: 'No weights.' }).detail, /No weights/);
});
