/** Next edits: after a change, the places that no longer fit are marked; Tab jumps, Tab again accepts. */

import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import {
  DISMISS_NEXT_EDIT,
  NEXT_EDIT,
  type NextEditParams,
  type NextEditResult,
} from './protocol';
import { findDocument } from './server';
import { settings } from './settings';

/** While there is an offer; the keys ask for it. */
const CONTEXT = 'remask.nextEdit';

interface Edit {
  range: vscode.Range;
  text: string;
}

interface Offer {
  /** What was changed; mostly the same document. */
  source: vscode.TextDocument;
  document: vscode.TextDocument;
  version: number;
  edits: Edit[];
}

export class NextEdits implements vscode.Disposable {
  private readonly removed = vscode.window.createTextEditorDecorationType({
    backgroundColor: new vscode.ThemeColor('diffEditor.removedTextBackground'),
    textDecoration: 'line-through',
    overviewRulerColor: new vscode.ThemeColor('editorOverviewRuler.infoForeground'),
    overviewRulerLane: vscode.OverviewRulerLane.Center,
  });
  private readonly added = vscode.window.createTextEditorDecorationType({});
  private readonly subscriptions: vscode.Disposable[];
  private offer: Offer | undefined;
  private timer: NodeJS.Timeout | undefined;
  private asked: vscode.CancellationTokenSource | undefined;

  constructor(private readonly client: () => LanguageClient | undefined) {
    this.subscriptions = [
      this.removed,
      this.added,
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length > 0) {
          this.changed(document);
        }
      }),
      vscode.workspace.onDidCloseTextDocument((document) => {
        if (this.isOf(document)) {
          this.clear();
        }
      }),
      vscode.window.onDidChangeVisibleTextEditors(() => this.draw()),
      vscode.window.onDidChangeActiveTextEditor(() => this.tellKeys()),
      vscode.commands.registerCommand('remask.nextEdit.accept', () => this.jumpOrAccept()),
      vscode.commands.registerCommand('remask.nextEdit.acceptAll', () => this.acceptAll()),
      vscode.commands.registerCommand('remask.nextEdit.dismiss', () => this.dismiss()),
    ];
  }

  /** Take away what is shown, and forget what is on its way. */
  clear(): void {
    clearTimeout(this.timer);
    this.asked?.cancel();
    this.asked?.dispose();
    this.asked = undefined;
    this.offer = undefined;
    this.draw();
    this.tellKeys();
  }

  dispose(): void {
    this.clear();
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  private changed(document: vscode.TextDocument): void {
    const editor = vscode.window.activeTextEditor;
    if (editor?.document !== document) {
      if (this.isOf(document)) {
        this.clear();
      }
      return;
    }
    this.clear();
    if (settings.nextEdit()) {
      this.timer = setTimeout(() => void this.ask(editor), settings.nextEditDebounce());
    }
  }

  private async ask(editor: vscode.TextEditor): Promise<void> {
    const { document, selection } = editor;
    const client = this.client();
    if (!client?.isRunning() || document.isClosed) {
      return;
    }
    const params: NextEditParams = {
      uri: client.code2ProtocolConverter.asUri(document.uri),
      version: document.version,
      position: client.code2ProtocolConverter.asPosition(selection.active),
    };
    const asked = new vscode.CancellationTokenSource();
    this.asked = asked;
    const result = await client
      .sendRequest<NextEditResult | null>(NEXT_EDIT, params, asked.token)
      // The server, or its end, is shown by others.
      .catch(() => undefined);
    if (this.asked !== asked || !result || document.version !== params.version) {
      return;
    }
    const place = result.uri ? findDocument(result.uri) : document;
    if (!place || (result.version !== null && place.version !== result.version)) {
      return;
    }
    this.offer = {
      source: document,
      document: place,
      version: place.version,
      edits: result.edits.map(({ range, text }) => ({
        range: client.protocol2CodeConverter.asRange(range),
        text,
      })),
    };
    this.draw();
    this.tellKeys();
  }

  /** Show the offer in the editors of its document, and nothing in the others. */
  private draw(): void {
    for (const editor of vscode.window.visibleTextEditors) {
      const edits = editor.document === this.offer?.document ? this.offer.edits : [];
      editor.setDecorations(
        this.removed,
        edits.map(({ range }) => range),
      );
      editor.setDecorations(
        this.added,
        edits.map(({ range, text }) => ({
          range: new vscode.Range(range.end, range.end),
          renderOptions: {
            after: {
              contentText: text,
              backgroundColor: new vscode.ThemeColor('diffEditor.insertedTextBackground'),
            },
          },
        })),
      );
    }
  }

  private isOf(document: vscode.TextDocument | undefined): boolean {
    return !!this.offer && (this.offer.document === document || this.offer.source === document);
  }

  private tellKeys(): void {
    const isHere = this.isOf(vscode.window.activeTextEditor?.document);
    void vscode.commands.executeCommand('setContext', CONTEXT, isHere);
  }

  /** Return the offer and the editor of its document, shown if need be, while it still holds. */
  private async current(): Promise<{ editor: vscode.TextEditor; edits: Edit[] } | undefined> {
    const active = vscode.window.activeTextEditor;
    const { offer } = this;
    if (!active || !offer || !this.isOf(active.document)) {
      return undefined;
    }
    const isThere = active.document === offer.document;
    const editor = isThere ? active : await vscode.window.showTextDocument(offer.document);
    const holds = this.offer === offer && offer.document.version === offer.version;
    return holds ? { editor, edits: offer.edits } : undefined;
  }

  private async jumpOrAccept(): Promise<void> {
    const current = await this.current();
    const [first] = current?.edits ?? [];
    if (!current || !first) {
      return this.clear();
    }
    const { editor } = current;
    const here = current.edits.find(({ range }) => range.contains(editor.selection.active));
    if (here) {
      await this.apply(editor, [here]);
      return;
    }
    editor.selection = new vscode.Selection(first.range.start, first.range.start);
    editor.revealRange(first.range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
  }

  private async acceptAll(): Promise<void> {
    const current = await this.current();
    if (current) {
      await this.apply(current.editor, current.edits);
    }
  }

  /** Make edits, as one step of undo; the change that they are brings the next offer. */
  private async apply(editor: vscode.TextEditor, edits: Edit[]): Promise<void> {
    await editor.edit(
      (builder) => edits.forEach(({ range, text }) => builder.replace(range, text)),
      { undoStopBefore: true, undoStopAfter: true },
    );
  }

  private async dismiss(): Promise<void> {
    const client = this.client();
    const document = this.offer?.source;
    this.clear();
    if (client?.isRunning() && document) {
      const uri = client.code2ProtocolConverter.asUri(document.uri);
      await client.sendNotification(DISMISS_NEXT_EDIT, { uri }).catch(() => undefined);
    }
  }
}
