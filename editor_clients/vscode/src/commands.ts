/** The commands: what is selected and said becomes one request, its result an edit or a review. */

import * as vscode from 'vscode';
import {
  CancellationTokenSource,
  type CodeAction,
  type LanguageClient,
  type WorkspaceEdit,
} from 'vscode-languageclient/node';
import { KIND, type InfillParams, type Mode } from './protocol';
import type { Review } from './review';
import { isStale } from './server';
import { settings } from './settings';
import { applyOrTell, findObstacle } from './writable';

export class Commands {
  private running: CancellationTokenSource | undefined;

  constructor(
    private readonly client: () => LanguageClient | undefined,
    private readonly review: Review,
  ) {
    review.onNext = (data, isShown) => this.request(data, true, isShown);
  }

  /** Fill, rewrite or repair the selections of the active editor. */
  async run(mode: Mode, instruction = ''): Promise<void> {
    const found = await this.findPlace();
    if (!found) {
      return;
    }
    const { editor, client } = found;
    const { document } = editor;
    // One empty selection is the whole document's holes.
    const isWhole = mode === 'holes' && editor.selections.every((selection) => selection.isEmpty);
    const places = isWhole && editor.selections.length === 1 ? [] : editor.selections;
    await this.request(
      {
        uri: client.code2ProtocolConverter.asUri(document.uri),
        version: document.version,
        ranges: places.map((place) => client.code2ProtocolConverter.asRange(place)),
        mode: places.length > 1 ? 'holes' : mode,
        instruction,
      },
      settings.review(),
    );
  }

  /** Ask what is to be done, then rewrite. */
  async instruct(): Promise<void> {
    if (!(await this.findPlace())) {
      return;
    }
    const instruction = await vscode.window.showInputBox({
      title: 'Remask: rewrite the selection',
      prompt: 'What is to be done?',
      placeHolder: 'handle an empty list',
    });
    if (instruction !== undefined) {
      await this.run('rewrite', instruction);
    }
  }

  /** Return the editor to work in, and the server; where there is none, say why. */
  private async findPlace(): Promise<
    { editor: vscode.TextEditor; client: LanguageClient } | undefined
  > {
    const editor = vscode.window.activeTextEditor;
    const client = this.client();
    if (!editor) {
      void vscode.window.showWarningMessage('Open a file first, for Remask to work in.');
    } else if (!client) {
      void vscode.window.showWarningMessage("Remask's server does not run; its status item says why.");
    } else {
      const obstacle = await findObstacle(editor.document);
      if (!obstacle) {
        return { editor, client };
      }
      void vscode.window.showWarningMessage(obstacle);
    }
    return undefined;
  }

  private async request(
    data: InfillParams,
    reviewing: boolean,
    isWanted: () => boolean = () => true,
  ): Promise<void> {
    const client = this.client();
    if (!client) {
      return;
    }
    this.running?.cancel();
    const source = (this.running = new CancellationTokenSource());
    const asked = { title: 'Remask', kind: `${KIND}.${data.mode ?? 'infill'}`, data };
    const answer = await client
      .sendRequest<CodeAction>('codeAction/resolve', asked, source.token)
      // Cancelled, or the server died: both are shown by others.
      .catch(() => undefined);
    const { changeAnnotations, ...plain } = answer?.edit ?? {};
    const edit = await client.protocol2CodeConverter.asWorkspaceEdit(answer?.edit && plain);
    if (!edit || source.token.isCancellationRequested || !isWanted()) {
      return; // The server, or the user, has said why.
    }
    if (edit.size === 0 || edit.entries().every(([, edits]) => edits.length === 0)) {
      // The server has said why.
      return;
    } else if (isStale(data)) {
      void vscode.window.showInformationMessage('The text changed meanwhile; the result is dropped.');
    } else if (reviewing || needsReview(changeAnnotations)) {
      await this.review.show(edit, data);
    } else {
      await applyOrTell(edit, vscode.Uri.parse(data.uri));
    }
  }
}

/** Whether the server wants an edit to be looked at before it is applied. */
function needsReview(annotations: WorkspaceEdit['changeAnnotations']): boolean {
  return Object.values(annotations ?? {}).some((annotation) => annotation.needsConfirmation);
}
