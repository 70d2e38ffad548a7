/**
 * The server's progress, with a button to cancel it. The client library would show it in the status
 * bar, where nothing can be pressed.
 */

import * as vscode from 'vscode';
import type {
  HandleWorkDoneProgressSignature,
  LanguageClient,
  ProgressToken,
  WorkDoneProgressBegin,
  WorkDoneProgressEnd,
  WorkDoneProgressReport,
} from 'vscode-languageclient/node';

interface Shown {
  report: (message: string) => void;
  end: () => void;
}

export class CancellableProgress {
  private readonly shown = new Map<ProgressToken, Shown>();

  constructor(private readonly client: () => LanguageClient | undefined) {}

  /** What the client library calls for each step of a progress; `next` is its own way. */
  readonly handle = (
    token: ProgressToken,
    params: WorkDoneProgressBegin | WorkDoneProgressReport | WorkDoneProgressEnd,
    next: HandleWorkDoneProgressSignature,
  ): void => {
    if (params.kind === 'begin') {
      this.begin(token, params);
    } else if (params.kind === 'report') {
      this.shown.get(token)?.report(params.message ?? '');
    } else {
      this.shown.get(token)?.end();
      next(token, params);
    }
  };

  /** End all: the server is gone. */
  clear(): void {
    for (const each of this.shown.values()) {
      each.end();
    }
  }

  private begin(token: ProgressToken, params: WorkDoneProgressBegin): void {
    const location = vscode.ProgressLocation.Notification;
    const { title } = params;
    void vscode.window.withProgress({ location, title, cancellable: true }, (progress, cancel) => {
      cancel.onCancellationRequested(() => {
        void this.client()?.sendNotification('window/workDoneProgress/cancel', { token });
      });
      progress.report({ message: params.message });
      return new Promise<void>((resolve) => {
        this.shown.set(token, {
          report: (message) => progress.report({ message }),
          end: () => {
            this.shown.delete(token);
            resolve();
          },
        });
      });
    });
  }
}
