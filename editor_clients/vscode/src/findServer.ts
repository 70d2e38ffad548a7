/**
 * Which command is the language server. In this order:
 *
 * 1. the setting `remask.server.command`;
 * 2. `remask` in a virtual environment of a workspace folder (`.venv`, then `venv`), but only where
 *    the workspace is trusted: what a stranger's folder holds must not run by itself;
 * 3. what `remask install vscode` wrote down, for VS Code often has another PATH than a terminal;
 * 4. `remask` on the PATH.
 */

import * as path from 'node:path';

export interface Surroundings {
  /** What the setting says; empty for nothing. */
  setting: readonly string[];
  /** The workspace's folders on disk. */
  folders: readonly string[];
  isTrusted: boolean;
  /** The command that installed the extension; empty where that is not known. */
  installedBy: string;
  /** The folders of PATH. */
  searchPath: readonly string[];
  isWindows: boolean;
  exists: (file: string) => boolean;
}

export interface ServerCommand {
  command: string;
  args: string[];
}

/** Return the command; undefined where there is none. */
export function findServer(around: Surroundings): ServerCommand | undefined {
  const [command, ...args] = around.setting;
  if (command) {
    return { command, args };
  }
  const { join } = around.isWindows ? path.win32 : path.posix;
  const name = around.isWindows ? 'remask.exe' : 'remask';
  const bin = around.isWindows ? 'Scripts' : 'bin';
  const inFolders = around.isTrusted
    ? around.folders.flatMap((f) => ['.venv', 'venv'].map((env) => join(f, env, bin, name)))
    : [];
  const onPath = around.searchPath.filter(Boolean).map((folder) => join(folder, name));
  const found = [...inFolders, around.installedBy, ...onPath].filter(Boolean).find(around.exists);
  return found ? { command: found, args: ['lsp'] } : undefined;
}

/** Return the file in which `remask install vscode` writes down its own command. */
export function commandNote(
  home: string,
  environment: Readonly<Record<string, string | undefined>>,
  isWindows: boolean,
): string {
  const { join } = isWindows ? path.win32 : path.posix;
  const data = isWindows
    ? environment['LOCALAPPDATA'] || join(home, 'AppData', 'Local')
    : environment['XDG_DATA_HOME'] || join(home, '.local', 'share');
  return join(data, 'remask', 'command');
}
