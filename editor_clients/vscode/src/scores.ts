/** The heat map: how much the model doubts each token of a selection, drawn until the text changes. */

import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import { SCORES, type ScoresParams, type ScoresResult } from './protocol';

/** From how many nats of doubt on a token is drawn, the strongest first, and in which colour. */
const LEVELS: [number, string][] = [
  [4, 'rgba(220, 50, 47, 0.45)'],
  [2, 'rgba(203, 120, 22, 0.40)'],
  [0.7, 'rgba(181, 160, 0, 0.30)'],
];

export class Scores implements vscode.Disposable {
  private readonly levels = LEVELS.map(([doubt, backgroundColor]) => ({
    doubt,
    type: vscode.window.createTextEditorDecorationType({ backgroundColor }),
  }));
  private readonly watching = vscode.workspace.onDidChangeTextDocument(({ document }) => {
    vscode.window.visibleTextEditors
      .filter((editor) => editor.document === document)
      .forEach((editor) => this.clear(editor));
  });

  constructor(private readonly client: () => LanguageClient | undefined) {}

  /** Draw the scores of the selection; with nothing selected, clear them. */
  async show(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const client = this.client();
    if (!editor || !client) {
      return;
    }
    this.clear(editor);
    const { document, selection } = editor;
    if (selection.isEmpty) {
      return;
    }
    const params: ScoresParams = {
      uri: client.code2ProtocolConverter.asUri(document.uri),
      version: document.version,
      range: client.code2ProtocolConverter.asRange(selection),
    };
    const result = await client
      .sendRequest<ScoresResult | null>(SCORES, params)
      // The server, or its end, is shown by others.
      .catch(() => undefined);
    if (!result || document.version !== params.version) {
      return;
    }
    for (const [index, { doubt, type }] of this.levels.entries()) {
      const stronger = this.levels[index - 1]?.doubt ?? Infinity;
      const tokens = (result.tokens ?? []).filter((token) => token.doubt >= doubt && token.doubt < stronger);
      editor.setDecorations(
        type,
        tokens.map((token) => ({
          range: client.protocol2CodeConverter.asRange(token.range),
          hoverMessage: `Remask: the model would rather say ${JSON.stringify(token.instead ?? '')} here`,
        })),
      );
    }
  }

  dispose(): void {
    this.watching.dispose();
    this.levels.forEach(({ type }) => type.dispose());
  }

  private clear(editor: vscode.TextEditor): void {
    this.levels.forEach(({ type }) => editor.setDecorations(type, []));
  }
}
