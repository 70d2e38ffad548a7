/** Whether a document may be changed, found out before the model works for nothing. */

import * as fs from 'node:fs/promises';
import * as vscode from 'vscode';
import { DOCUMENTS } from './server';

const OWNER_WRITES = 0o200;

/**
 * Apply an edit to its document; say so where VS Code does not take it. In an editor it is made as
 * the user would make it: `workspace.applyEdit` writes into read-only editors, too.
 */
export async function applyOrTell(edit: vscode.WorkspaceEdit, uri: vscode.Uri): Promise<boolean> {
  const wanted = uri.toString();
  const editor = vscode.window.visibleTextEditors.find(
    ({ document }) => document.uri.toString() === wanted,
  );
  const isApplied = await (editor
    ? editIn(editor, edit.get(uri))
    : Promise.resolve(vscode.workspace.applyEdit(edit)).catch(() => false));
  if (!isApplied) {
    // Not every way to make an editor read-only can be asked for beforehand.
    const text = 'VS Code did not take the edit: the file may be read-only, or have changed.';
    void vscode.window.showWarningMessage(text);
  }
  return isApplied;
}

async function editIn(editor: vscode.TextEditor, edits: readonly vscode.TextEdit[]): Promise<boolean> {
  const { version } = editor.document;
  const isTaken = await Promise.resolve(
    editor.edit((builder) => edits.forEach(({ range, newText }) => builder.replace(range, newText))),
  ).catch(() => false);
  // A read-only editor says yes, and does nothing.
  return isTaken && editor.document.version !== version;
}

/** Return why a document takes no edit, in one sentence; undefined where it does. */
export async function findObstacle(document: vscode.TextDocument): Promise<string | undefined> {
  const name = vscode.workspace.asRelativePath(document.uri);
  if (!DOCUMENTS.some(({ scheme }) => scheme === document.uri.scheme)) {
    return 'This is no file, new document or notebook: there is nothing that Remask could change.';
  }
  if (document.isUntitled || document.uri.scheme !== 'file') {
    const notebook = notebookOf(document);
    return notebook && (await isReadonly(notebook.uri)) ? readonlyText(name) : undefined;
  }
  return (await isReadonly(document.uri)) ? readonlyText(name) : undefined;
}

function readonlyText(name: string): string {
  return `${name} is read-only, so Remask leaves it.`;
}

function notebookOf(document: vscode.TextDocument): vscode.NotebookDocument | undefined {
  return vscode.workspace.notebookDocuments.find((notebook) =>
    notebook.getCells().some((cell) => cell.document === document),
  );
}

async function isReadonly(uri: vscode.Uri): Promise<boolean> {
  if (vscode.workspace.fs.isWritableFileSystem(uri.scheme) === false) {
    return true;
  }
  const files = vscode.workspace.getConfiguration('files', uri);
  const matches = (name: string): boolean => {
    const patterns = Object.entries(files.get<Record<string, boolean>>(name, {}));
    return patterns.some(([pattern, isOn]) => isOn && matchesPath(pattern, uri));
  };
  if (matches('readonlyExclude')) {
    return false;
  }
  if (matches('readonlyInclude')) {
    return true;
  }
  if (!files.get('readonlyFromPermissions', false)) {
    return false;
  }
  // As VS Code looks at them; its own `stat` does not tell an extension.
  const found = await fs.stat(uri.fsPath).catch(() => undefined);
  return found !== undefined && (found.mode & OWNER_WRITES) === 0;
}

/** Patterns of these settings are relative to the workspace's folder, or absolute. */
function matchesPath(pattern: string, uri: vscode.Uri): boolean {
  const folder = vscode.workspace.getWorkspaceFolder(uri);
  const isHere = (pattern: vscode.GlobPattern): boolean =>
    vscode.languages.match({ pattern, scheme: uri.scheme }, probe(uri)) > 0;
  return isHere(pattern) || (folder !== undefined && isHere(new vscode.RelativePattern(folder, pattern)));
}

function probe(uri: vscode.Uri): vscode.TextDocument {
  const wanted = uri.toString();
  const found = vscode.workspace.textDocuments.find((each) => each.uri.toString() === wanted);
  // The match looks at a document's URI and language alone.
  return found ?? ({ uri, languageId: '' } as vscode.TextDocument);
}
