/** The language server: found, started, restarted. */

import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { LanguageClient, type LanguageClientOptions } from 'vscode-languageclient/node';
import { commandNote, findServer } from './findServer';
import type { GhostEvents } from './ghostEvents';
import type { CancellableProgress } from './progress';
import { KIND, type InfillParams } from './protocol';
import { serverSettings, settings } from './settings';
import { expand } from './variables';

/**
 * Files, new ones, notebooks, and the line at the foot of an interactive window; in remote
 * workspaces files are files too.
 */
export const DOCUMENTS = ['file', 'untitled', 'vscode-notebook-cell', 'vscode-interactive-input'].map(
  (scheme) => ({ scheme }),
);

/** What of the extension the client calls. */
export interface Parts {
  progress: CancellableProgress;
  ghost: GhostEvents;
  /** Show an edit for review; false where it is to be applied at once. */
  review: (edit: vscode.WorkspaceEdit, data: InfillParams) => Promise<boolean>;
}

/** Return a client that is not started yet; undefined where there is no server. */
export function createClient(
  output: vscode.LogOutputChannel,
  parts: Parts,
): LanguageClient | undefined {
  const folders = (vscode.workspace.workspaceFolders ?? []).map(({ name, uri }) => ({
    name,
    path: uri.fsPath,
  }));
  const values = { home: os.homedir(), folders, environment: process.env };
  const server = findServer({
    setting: settings.command().map((word) => expand(word, values)),
    folders: folders.map((folder) => folder.path),
    isTrusted: vscode.workspace.isTrusted,
    installedBy: readIfThere(commandNote(values.home, process.env, process.platform === 'win32')),
    searchPath: (process.env['PATH'] ?? '').split(path.delimiter),
    isWindows: process.platform === 'win32',
    exists: (file) => fs.existsSync(file),
  });
  if (!server) {
    return undefined;
  }
  output.info(`server: ${[server.command, ...server.args].join(' ')}`);
  const client = new LanguageClient('remask', 'Remask', server, clientOptions(output, parts));
  client.registerFeature({
    fillClientCapabilities: (capabilities) => {
      capabilities.experimental = { remask: { drafts: true, nextEdit: true, status: true } };
    },
    initialize: () => undefined,
    getState: () => ({ kind: 'static' }),
    clear: () => undefined,
  });
  return client;
}

function readIfThere(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

function clientOptions(
  output: vscode.LogOutputChannel,
  parts: Parts,
): LanguageClientOptions {
  return {
    documentSelector: DOCUMENTS,
    outputChannel: output,
    // The server asks for them too, but a request may come before it has the answer.
    initializationOptions: serverSettings,
    middleware: {
      handleWorkDoneProgress: parts.progress.handle,
      provideInlineCompletionItems: async (document, position, context, token, next) => {
        const { version } = document;
        const found = await next(document, position, context, token);
        if (!token.isCancellationRequested && document.version === version) {
          parts.ghost.replied(document, position, Array.isArray(found) ? found : (found?.items ?? []));
        }
        return found;
      },
      workspace: {
        configuration: (params) =>
          params.items.map((item) => (item.section === 'remask' ? serverSettings() : null)),
      },
      resolveCodeAction: async (action, token, next) => {
        const resolved = await next(action, token);
        const data = (action as { data?: InfillParams }).data;
        if (!resolved?.edit || !data || !resolved.kind?.value.startsWith(KIND)) {
          return resolved;
        }
        // VS Code applies what comes, be the text another by now.
        if (isStale(data) || (await parts.review(resolved.edit, data))) {
          delete resolved.edit;
        }
        return resolved;
      },
    },
  };
}

/** Whether a document is not what it was when something was asked for it. */
export function isStale(data: InfillParams): boolean {
  const document = findDocument(data.uri);
  return !document || (typeof data.version === 'number' && document.version !== data.version);
}

/** Return an open document. */
export function findDocument(uri: string): vscode.TextDocument | undefined {
  const wanted = vscode.Uri.parse(uri).toString();
  return vscode.workspace.textDocuments.find((document) => document.uri.toString() === wanted);
}
