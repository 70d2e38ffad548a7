/** What the model was shown at the last request of the active document, in an editor of its own. */

import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import { SHOWN, type ShownParams, type ShownResult } from './protocol';

export async function showShown(client: LanguageClient | undefined): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (!editor || !client) {
    return;
  }
  const params: ShownParams = { uri: client.code2ProtocolConverter.asUri(editor.document.uri) };
  const result = await client
    .sendRequest<ShownResult | null>(SHOWN, params)
    // The server, or its end, is shown by others.
    .catch(() => undefined);
  if (result) {
    const shown = await vscode.workspace.openTextDocument({ content: result.text });
    await vscode.window.showTextDocument(shown, { preview: true, viewColumn: vscode.ViewColumn.Beside });
  } else if (result === null) {
    void vscode.window.showInformationMessage('Nothing was asked of the model in this file yet.');
  }
}
