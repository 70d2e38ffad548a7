/** The settings, read in one place. */

import * as vscode from 'vscode';

const SECTION = 'remask';
/** What the extension keeps to itself; the rest is the server's. */
const OWN = ['server', 'drafts'];

export const settings = {
  command: (): string[] => get('server.command', []),
  drafts: (): boolean => get('drafts', true),
  /** Whether all results are; the server says it of single ones. */
  review: (): boolean => isTrue(get<unknown>('review', 'never')),
  nextEdit: (): boolean => get('nextEdit.enabled', true),
  nextEditDebounce: (): number => get('nextEdit.debounceMs', 150),
};

function get<T>(name: string, fallback: T): T {
  return vscode.workspace.getConfiguration(SECTION).get(name, fallback);
}

/** Return what the server is told, as plain JSON. */
export function serverSettings(): Record<string, unknown> {
  const all = vscode.workspace.getConfiguration().get<Record<string, unknown>>(SECTION, {});
  const theirs = Object.entries(all).filter(([name]) => !OWN.includes(name));
  const told: Record<string, unknown> = JSON.parse(JSON.stringify(Object.fromEntries(theirs)));
  if (typeof told['review'] === 'boolean') {
    told['review'] = told['review'] ? 'always' : 'never';
  }
  return told;
}

/** It was a switch once. */
function isTrue(review: unknown): boolean {
  return review === true || review === 'always';
}

/** Turn ghost text on or off, for the user. */
export async function toggleInline(): Promise<void> {
  const name = 'inline.enabled';
  const isOn = get(name, true);
  const target = vscode.ConfigurationTarget.Global;
  await vscode.workspace.getConfiguration(SECTION).update(name, !isOn, target);
}
