/** The settings, read in one place. */

import * as vscode from 'vscode';

const SECTION = 'remask';
/** What the extension keeps to itself; the rest is the server's. */
const OWN = ['server', 'drafts', 'review'];

export const settings = {
  command: (): string[] => get('server.command', []),
  drafts: (): boolean => get('drafts', true),
  review: (): boolean => get('review', false),
  nextEdit: (): boolean => get('nextEdit.enabled', true),
  nextEditDebounce: (): number => get('nextEdit.debounceMs', 250),
};

function get<T>(name: string, fallback: T): T {
  return vscode.workspace.getConfiguration(SECTION).get(name, fallback);
}

/** Return what the server is told, as plain JSON. */
export function serverSettings(): Record<string, unknown> {
  const all = vscode.workspace.getConfiguration().get<Record<string, unknown>>(SECTION, {});
  const theirs = Object.entries(all).filter(([name]) => !OWN.includes(name));
  return JSON.parse(JSON.stringify(Object.fromEntries(theirs)));
}

/** Turn ghost text on or off, for the user. */
export async function toggleInline(): Promise<void> {
  const name = 'inline.enabled';
  const isOn = get(name, true);
  const target = vscode.ConfigurationTarget.Global;
  await vscode.workspace.getConfiguration(SECTION).update(name, !isOn, target);
}
