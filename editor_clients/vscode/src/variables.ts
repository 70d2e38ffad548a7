/**
 * What stands for something else in a setting that names a program: `~`, and VS Code's own
 * variables, which it puts in for tasks and launches but not for an extension's settings.
 */

import * as path from 'node:path';

export interface Folder {
  name: string;
  /** Its place on disk. */
  path: string;
}

export interface Values {
  home: string;
  folders: readonly Folder[];
  environment: Readonly<Record<string, string | undefined>>;
}

/** Return a word with its variables put in; those that have no value stay as they are. */
export function expand(word: string, values: Values): string {
  const { home, folders, environment } = values;
  const atHome = /^~(?=$|[/\\])/.test(word) ? home + word.slice(1) : word;
  return atHome.replace(/\$\{([^}:]+)(?::([^}]*))?\}/g, (whole, name: string, of?: string) => {
    const folder = of === undefined ? folders[0] : folders.find((each) => each.name === of);
    switch (name) {
      case 'userHome':
        return home;
      case 'workspaceFolder':
        return folder?.path ?? whole;
      case 'workspaceFolderBasename':
        return folder ? path.basename(folder.path) : whole;
      case 'env':
        return environment[of ?? ''] ?? '';
      case 'pathSeparator':
      case '/':
        return path.sep;
      default:
        return whole;
    }
  });
}
