/** The denoising, live: the unfinished canvas drawn in place of the text it is going to replace. */

import * as vscode from 'vscode';
import { layOutDraft } from './draftLayout';
import type { DraftParams } from './protocol';
import { settings } from './settings';

export class Drafts implements vscode.Disposable {
  private readonly replaced = vscode.window.createTextEditorDecorationType({
    // There is no option that hides text; what follows the value of this one becomes CSS as well.
    textDecoration: 'none; display: none;',
  });
  private readonly canvas = vscode.window.createTextEditorDecorationType({});
  private readonly drawn = new Map<string, string>();

  /** Draw a canvas, or clear it at the request's end. */
  show(params: DraftParams): void {
    const uri = vscode.Uri.parse(params.uri).toString();
    if (params.done) {
      this.drawn.delete(params.token);
    } else {
      this.drawn.set(params.token, uri);
    }
    for (const editor of vscode.window.visibleTextEditors) {
      if (editor.document.uri.toString() === uri) {
        this.draw(editor, params);
      }
    }
  }

  /** Clear everything: whoever drew it is gone. */
  clear(): void {
    this.drawn.clear();
    for (const editor of vscode.window.visibleTextEditors) {
      editor.setDecorations(this.replaced, []);
      editor.setDecorations(this.canvas, []);
    }
  }

  dispose(): void {
    this.replaced.dispose();
    this.canvas.dispose();
  }

  private draw(editor: vscode.TextEditor, params: DraftParams): void {
    const isCurrent = params.version === null || params.version === editor.document.version;
    const spans = params.done || !isCurrent || !settings.drafts() ? [] : (params.spans ?? []);
    const { document } = editor;
    const pieces = spans.flatMap((span) =>
      layOutDraft(span, (line) => document.lineAt(Math.min(line, document.lineCount - 1)).text.length),
    );
    const ranges = pieces.map((piece) => new vscode.Range(piece.line, piece.from, piece.line, piece.to));
    editor.setDecorations(this.replaced, ranges);
    editor.setDecorations(
      this.canvas,
      pieces.map((piece) => ({
        range: new vscode.Range(piece.line, piece.to, piece.line, piece.to),
        renderOptions: {
          after: {
            // Blanks would run together.
            contentText: piece.text.replaceAll(' ', '\u00a0'),
            color: new vscode.ThemeColor('editorGhostText.foreground'),
            backgroundColor: new vscode.ThemeColor('editor.wordHighlightBackground'),
          },
        },
      })),
    );
  }
}
