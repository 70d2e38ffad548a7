/** The language status item: the model, its device and speed, and what is wrong. */

import * as vscode from 'vscode';
import type { StatusResult } from './protocol';
import { DOCUMENTS } from './server';
import { describeStatus } from './statusText';

const SEVERITY = {
  fine: vscode.LanguageStatusSeverity.Information,
  warning: vscode.LanguageStatusSeverity.Warning,
  error: vscode.LanguageStatusSeverity.Error,
};
const FIXES = {
  restart: { title: 'Restart', command: 'remask.restart' },
  log: { title: 'Show log', command: 'remask.showLog' },
};

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.languages.createLanguageStatusItem('remask', DOCUMENTS);

  constructor() {
    this.item.name = 'Remask';
    this.show({ state: 'stopped' });
  }

  show(status: StatusResult): void {
    const face = describeStatus(status);
    this.item.text = face.text;
    this.item.detail = face.detail;
    this.item.busy = status.busy ?? false;
    this.item.severity = SEVERITY[face.level];
    this.item.command = FIXES[face.fix ?? 'log'];
  }

  dispose(): void {
    this.item.dispose();
  }
}
