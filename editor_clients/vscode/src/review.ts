/** A result shown as a diff; the document stays as it is until the result is accepted. */

import * as vscode from 'vscode';
import { findDocument, isStale } from './server';
import type { InfillParams } from './protocol';
import { applyOrTell } from './writable';

const SCHEME = 'remask-review';
const REVIEWING = 'remask.reviewing';

interface Shown {
  data: InfillParams;
  edit: vscode.WorkspaceEdit;
  preview: vscode.Uri;
}

export class Review implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private shown: Shown | undefined;
  private text = '';
  private count = 0;
  private readonly disposables: vscode.Disposable[];
  /** Asks for another result, which takes the place of this one, if that is still shown by then. */
  onNext: (data: InfillParams, isShown: () => boolean) => Promise<void> = async () => undefined;

  constructor() {
    this.disposables = [
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      vscode.window.tabGroups.onDidChangeTabs((event) => {
        if (this.shown && event.closed.some((tab) => this.isOurs(tab))) {
          this.forget();
        }
      }),
    ];
  }

  provideTextDocumentContent(): string {
    return this.text;
  }

  /** Show what an edit would make of its document. */
  async show(edit: vscode.WorkspaceEdit, data: InfillParams): Promise<void> {
    const document = findDocument(data.uri);
    if (!document) {
      return;
    }
    await this.close();
    this.text = applied(document, edit.get(document.uri));
    // A new name each time, or VS Code shows what it has.
    const path = `${document.uri.path}.${++this.count}`;
    const preview = vscode.Uri.from({ scheme: SCHEME, path });
    this.shown = { data, edit, preview };
    const content = await vscode.workspace.openTextDocument(preview);
    await vscode.languages.setTextDocumentLanguage(content, document.languageId);
    const title = `Remask: ${data.mode ?? 'infill'} (accept or reject above)`;
    // A preview would take the place of the document's own tab, where that is one.
    const options = { preview: false };
    await vscode.commands.executeCommand('vscode.diff', document.uri, preview, title, options);
    await vscode.commands.executeCommand('setContext', REVIEWING, true);
  }

  /** Apply what is shown; nothing where the document is another by now. */
  async accept(): Promise<boolean> {
    const shown = this.shown;
    await this.close();
    if (!shown) {
      return false;
    }
    if (isStale(shown.data)) {
      void vscode.window.showInformationMessage('The text changed meanwhile; the result is dropped.');
      return false;
    }
    return applyOrTell(shown.edit, vscode.Uri.parse(shown.data.uri));
  }

  /** Leave the document as it is. */
  async reject(): Promise<void> {
    await this.close();
  }

  /** Show another result; this one stays until it comes. */
  async next(): Promise<void> {
    const shown = this.shown;
    if (shown) {
      await this.onNext({ ...shown.data, another: true }, () => this.shown === shown);
    }
  }

  dispose(): void {
    for (const disposable of this.disposables) {
      disposable.dispose();
    }
  }

  private async close(): Promise<void> {
    const groups = vscode.window.tabGroups;
    const tabs = groups.all.flatMap((group) => group.tabs).filter((tab) => this.isOurs(tab));
    this.forget();
    await groups.close(tabs);
  }

  private forget(): void {
    this.shown = undefined;
    void vscode.commands.executeCommand('setContext', REVIEWING, false);
  }

  private isOurs(tab: vscode.Tab): boolean {
    return tab.input instanceof vscode.TabInputTextDiff && tab.input.modified.scheme === SCHEME;
  }
}

function applied(document: vscode.TextDocument, edits: readonly vscode.TextEdit[]): string {
  const inOrder = [...edits].sort((a, b) => a.range.start.compareTo(b.range.start));
  const text = document.getText();
  const pieces: string[] = [];
  let end = 0;
  for (const edit of inOrder) {
    pieces.push(text.slice(end, document.offsetAt(edit.range.start)), edit.newText);
    end = document.offsetAt(edit.range.end);
  }
  return [...pieces, text.slice(end)].join('');
}
