/** The parts that need no editor. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Coalesced } from '../src/coalesced';
import { BREAK, layOutDraft, WIDEST } from '../src/draftLayout';
import { commandNote, findServer, type Surroundings } from '../src/findServer';
import { follow } from '../src/ghostText';
import { describeStatus } from '../src/statusText';
import { expand } from '../src/variables';

const files = new Set(['/w/.venv/bin/remask', '/w/venv/bin/remask', '/usr/bin/remask']);
const around: Surroundings = {
  setting: [],
  folders: ['/w'],
  isTrusted: true,
  installedBy: '',
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

test('then what installed the extension, as long as it is there, then the PATH', () => {
  const noFolders = { ...around, folders: [] };
  const exists = (file: string): boolean => file === '/opt/venv/bin/remask' || files.has(file);
  const installedBy = '/opt/venv/bin/remask';
  assert.equal(findServer({ ...noFolders, installedBy, exists })?.command, installedBy);
  assert.equal(findServer({ ...noFolders, installedBy })?.command, '/usr/bin/remask');
});

test('the note lies with the user\'s data', () => {
  assert.equal(commandNote('/home/me', {}, false), '/home/me/.local/share/remask/command');
  assert.equal(commandNote('/home/me', { XDG_DATA_HOME: '/data' }, false), '/data/remask/command');
  assert.equal(
    commandNote('C:\\me', {}, true),
    'C:\\me\\AppData\\Local\\remask\\command',
  );
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

const values = {
  home: '/home/me',
  folders: [
    { name: 'one', path: '/w/one' },
    { name: 'two', path: '/w/two' },
  ],
  environment: { VENV: '/opt/venv' },
};

test("a command's variables are put in", () => {
  const expected = {
    '~/venv/bin/remask': '/home/me/venv/bin/remask',
    '~': '/home/me',
    '${userHome}/remask': '/home/me/remask',
    '${workspaceFolder}/.env/bin/remask': '/w/one/.env/bin/remask',
    '${workspaceFolder:two}/remask': '/w/two/remask',
    '${workspaceFolderBasename}': 'one',
    '${env:VENV}/bin/remask': '/opt/venv/bin/remask',
    '--config=${workspaceFolder}/a/${workspaceFolderBasename}': '--config=/w/one/a/one',
  };
  for (const [word, path] of Object.entries(expected)) {
    assert.equal(expand(word, values), path);
  }
});

test('what has no value, or is none, stays as it is', () => {
  for (const word of ['lsp', '~other/remask', 'a~/b', '${unknown}', '${workspaceFolder:three}/x', '$HOME']) {
    assert.equal(expand(word, values), word);
  }
  assert.equal(expand('${workspaceFolder}/x', { ...values, folders: [] }), '${workspaceFolder}/x');
});

/** Return what changes mean for a ghost text at offset 10 of which so much is typed. */
function followed(text: string, accepted: number, ...changes: [number, number, string][]): unknown[] {
  const shown = { text, accepted, end: 10 + accepted };
  return changes.map(([rangeOffset, rangeLength, inserted]) => [
    follow(shown, [{ rangeOffset, rangeLength, text: inserted }]),
    shown.accepted,
  ]);
}

test('words and lines of a ghost text that were accepted are counted', () => {
  assert.deepEqual(followed('one two\nthree', 0, [10, 0, 'one'], [13, 0, ' two'], [17, 0, '\nth'], [20, 0, 'ree']), [
    ['partly', 3],
    ['partly', 7],
    ['partly', 10],
    ['whole', 13],
  ]);
});

test('line ends of two characters count as one', () => {
  assert.deepEqual(followed('a1\nb2\nc3', 0, [10, 0, 'a1\r\n'], [14, 0, 'b2\r\n'], [18, 0, 'c3']), [
    ['partly', 3],
    ['partly', 6],
    ['whole', 8],
  ]);
});

test('typing along is no accepting', () => {
  assert.deepEqual(followed('f(x)', 1, [11, 0, '('], [12, 0, 'x']), [
    ['typed', 2],
    ['typed', 3],
  ]);
  assert.deepEqual(followed('f()x', 1, [11, 0, '()']), [['typed', 3]]);
});

test('accepting all replaces what was typed of it', () => {
  assert.deepEqual(followed('one two', 2, [10, 2, 'one two']), [['whole', 7]]);
});

test('another text, another place, or several at once end it', () => {
  const shown = { text: 'one', accepted: 0, end: 10 };
  for (const [rangeOffset, rangeLength, text] of [[10, 0, 'x'], [4, 0, 'one'], [8, 2, 'one'], [10, 1, 'one']] as const) {
    assert.equal(follow({ ...shown }, [{ rangeOffset, rangeLength, text }]), 'gone');
  }
  const change = { rangeOffset: 10, rangeLength: 0, text: 'on' };
  assert.equal(follow({ ...shown }, [change, change]), 'gone');
});
