/** Wires the parts together; each does its own. */

import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import { Coalesced } from './coalesced';
import { Commands } from './commands';
import { Drafts } from './drafts';
import { GhostEvents } from './ghostEvents';
import { NextEdits } from './nextEdits';
import { CancellableProgress } from './progress';
import { DID_CHANGE_STATUS, DRAFT, type DraftParams, type StatusResult } from './protocol';
import { Review } from './review';
import { Scores } from './scores';
import { createClient } from './server';
import { settings, toggleInline } from './settings';
import { showShown } from './shown';
import { StatusItem } from './status';

let client: LanguageClient | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const output = vscode.window.createOutputChannel('Remask', { log: true });
  const status = new StatusItem();
  const drafts = new Drafts();
  const review = new Review();
  const progress = new CancellableProgress(() => client);
  const commands = new Commands(() => client, review);
  const scores = new Scores(() => client);
  const ghost = new GhostEvents(() => client);
  const nextEdits = new NextEdits(() => client);

  const restart = new Coalesced(async () => {
    await client?.dispose().catch((fault: unknown) => output.warn(`stopping: ${String(fault)}`));
    drafts.clear();
    progress.clear();
    client = createClient(output, {
      progress,
      ghost,
      review: async (edit, data) => {
        if (settings.review()) {
          await review.show(edit, data);
        }
        return settings.review();
      },
    });
    if (!client) {
      status.show({ state: 'failed', text: 'The remask command is not to be found.' });
      void tellMissing();
      return;
    }
    client.onNotification(DRAFT, (params: DraftParams) => drafts.show(params));
    client.onNotification(DID_CHANGE_STATUS, (params: StatusResult) => status.show(params));
    client.onDidChangeState(() => {
      drafts.clear();
      nextEdits.clear();
      progress.clear();
    });
    await client.start().catch((fault: unknown) => {
      status.show({ state: 'failed', text: String(fault) });
    });
  });

  const register = vscode.commands.registerCommand;
  context.subscriptions.push(
    output,
    status,
    drafts,
    review,
    scores,
    ghost,
    nextEdits,
    register('remask.infillSelection', () => commands.run('infill')),
    register('remask.rewriteSelection', () => commands.run('rewrite')),
    register('remask.repairSelection', () => commands.run('repair')),
    register('remask.fillHoles', () => commands.run('holes')),
    register('remask.instruct', () => commands.instruct()),
    register('remask.scores', () => scores.show()),
    register('remask.shown', () => showShown(client)),
    register('remask.review.accept', () => review.accept()),
    register('remask.review.reject', () => review.reject()),
    register('remask.review.next', () => review.next()),
    register('remask.restart', () => restart.run()),
    register('remask.showLog', () => output.show()),
    register('remask.toggleInline', toggleInline),
    vscode.workspace.onDidGrantWorkspaceTrust(() => restart.run()),
    vscode.workspace.onDidChangeConfiguration(async (event) => {
      if (event.affectsConfiguration('remask.server')) {
        await restart.run();
      }
    }),
  );
  await restart.run();
}

export async function deactivate(): Promise<void> {
  await client?.dispose();
}

async function tellMissing(): Promise<void> {
  const howTo = 'How to install it';
  const text = 'Remask is not installed here: the remask command is not to be found.';
  if ((await vscode.window.showWarningMessage(text, howTo)) === howTo) {
    const walkthrough = 'remask.remask#start';
    await vscode.commands.executeCommand('workbench.action.openWalkthrough', walkthrough, false);
  }
}
