/**
 * What becomes of ghost text, told to a server that wants to know: an item was shown, and how much
 * of it was accepted. VS Code tells an extension only that all of an item was accepted, by running
 * its command; a word or a line is seen in the document.
 */

import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import { follow, type ShownText } from './ghostText';

const SHOWN = 'textDocument/didShowCompletion';
const PARTLY_ACCEPTED = 'textDocument/didPartiallyAcceptCompletion';

interface Shown extends ShownText {
  uri: string;
  /** As the server sent it. */
  item: unknown;
}

export class GhostEvents implements vscode.Disposable {
  private shown: Shown | undefined;
  private readonly watching = vscode.workspace.onDidChangeTextDocument((event) => this.changed(event));

  constructor(private readonly client: () => LanguageClient | undefined) {}

  /** Take note of what a request has brought, where it is still the text that it was asked for. */
  replied(
    document: vscode.TextDocument,
    position: vscode.Position,
    items: readonly vscode.InlineCompletionItem[],
  ): void {
    const [first] = items;
    const client = this.client();
    if (!first || typeof first.insertText !== 'string' || !client || !isWanted(client)) {
      return;
    }
    const start = first.range?.start ?? position;
    const item = {
      insertText: first.insertText,
      filterText: first.filterText,
      range: first.range && client.code2ProtocolConverter.asRange(first.range),
      command: first.command,
    };
    this.shown = {
      uri: document.uri.toString(),
      text: first.insertText,
      accepted: document.offsetAt(position) - document.offsetAt(start),
      end: document.offsetAt(position),
      item,
    };
    void client.sendNotification(SHOWN, { item });
  }

  dispose(): void {
    this.watching.dispose();
  }

  private changed({ document, contentChanges }: vscode.TextDocumentChangeEvent): void {
    const { shown } = this;
    if (!shown || contentChanges.length === 0 || document.uri.toString() !== shown.uri) {
      return;
    }
    const step = follow(shown, contentChanges);
    if (step === 'gone' || step === 'whole') {
      this.shown = undefined;
    } else if (step === 'partly') {
      const params = { item: shown.item, acceptedLength: shown.accepted };
      void this.client()?.sendNotification(PARTLY_ACCEPTED, params);
    }
  }
}

function isWanted(client: LanguageClient): boolean {
  const announced: unknown = client.initializeResult?.capabilities.experimental;
  const ours = (announced as { remask?: { ghostEvents?: unknown } } | undefined)?.remask;
  return ours?.ghostEvents === true;
}
