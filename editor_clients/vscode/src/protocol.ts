/**
 * What Remask says beyond LSP: the mirror of `lsp_server/protocol_ext.py`, and the only place of
 * the extension where these names stand.
 * protocol: 147c6465f4365f41
 */

export type Mode = 'infill' | 'rewrite' | 'repair' | 'holes';
export type Scope = 'selection' | 'expression' | 'statement' | 'body';
export type Lines = 'auto' | 'one' | 'many';
export type RuntimeStateName = 'stopped' | 'starting' | 'running' | 'failed';

export const DRAFT = 'remask/draft';
export const SCORES = 'remask/scores';
export const SHOWN = 'remask/shown';
export const NEXT_EDIT = 'remask/nextEdit';
export const DISMISS_NEXT_EDIT = 'remask/dismissNextEdit';
export const STATUS = 'remask/status';
export const DID_CHANGE_STATUS = 'remask/didChangeStatus';
export const KIND = 'refactor.rewrite.remask';
export const COMMANDS: Record<string, Mode> = {
  'remask.infill': 'infill',
  'remask.rewrite': 'rewrite',
  'remask.repair': 'repair',
  'remask.holes': 'holes',
};

export interface Position {
  line: number;
  character: number;
}

export interface Range {
  start: Position;
  end: Position;
}

export interface InfillParams {
  uri: string;
  ranges?: Range[];
  version?: number | null;
  mode?: Mode;
  scope?: Scope;
  instruction?: string;
  lines?: Lines;
  told?: Range;
  another?: boolean;
  strength?: number | null;
  model?: string | null;
  sampler?: string | null;
  params?: Record<string, unknown> | null;
  seed?: number | null;
}

export interface CommandResult {
  applied: boolean;
  reason?: string;
}

export interface ScoresParams {
  uri: string;
  range: Range;
  version?: number | null;
}

export interface ScoredToken {
  range: Range;
  doubt: number;
  instead?: string;
}

export interface ScoresResult {
  version: number | null;
  tokens?: ScoredToken[];
}

export interface ShownParams {
  uri: string;
}

export interface ShownResult {
  text: string;
  model?: string;
}

export interface NextEditParams {
  uri: string;
  version?: number | null;
  position?: Position | null;
}

export interface NextEdit {
  range: Range;
  text: string;
}

export interface NextEditResult {
  version: number | null;
  edits: NextEdit[];
  title?: string;
  confidence?: number;
  uri?: string;
}

export interface DraftSpan {
  range: Range;
  text: string;
}

export interface DraftParams {
  token: string;
  uri: string;
  version: number | null;
  spans?: DraftSpan[];
  mark?: string;
  stepIndex?: number;
  nForwards?: number;
  nCommitted?: number;
  done?: boolean;
}

export interface StatusResult {
  state: RuntimeStateName;
  busy?: boolean;
  text?: string;
  model?: string;
  device?: string;
  tokensPerSecond?: number | null;
  problems?: string[];
}
