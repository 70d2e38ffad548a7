/** Where the lines of an unfinished canvas are drawn. */

import type { DraftSpan } from './protocol';

export interface DraftPiece {
  line: number;
  from: number;
  to: number;
  text: string;
}

/** Shown for a line break where a draft has more lines than the text it replaces. */
export const BREAK = ' ⏎ ';
/** Longer text would only push the rest of the line out of sight. */
export const WIDEST = 120;

/**
 * Return one piece for each line that a span covers: what is replaced of it, and the draft's line
 * that goes there. Lines of the draft without a line of their own follow on the last one.
 */
export function layOutDraft(span: DraftSpan, lineLength: (line: number) => number): DraftPiece[] {
  const { start, end } = span.range;
  const texts = span.text.split('\n');
  const pieces: DraftPiece[] = [];
  for (let line = start.line; line <= end.line; line++) {
    const index = line - start.line;
    const isLast = line === end.line;
    pieces.push({
      line,
      from: index === 0 ? start.character : 0,
      to: isLast ? end.character : lineLength(line),
      text: clip(isLast ? texts.slice(index).join(BREAK) : (texts[index] ?? '')),
    });
  }
  return pieces;
}

function clip(text: string): string {
  return text.length <= WIDEST ? text : `${text.slice(0, WIDEST - 1)}…`;
}
