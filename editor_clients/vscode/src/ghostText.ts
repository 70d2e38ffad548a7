/** How much of a ghost text stands in the document, told from the document's changes. */

export interface ShownText {
  /** All of it, with "\n" for each line end. */
  text: string;
  /** How much of it stands in the document. */
  accepted: number;
  /** Where that ends, in the document's own units. */
  end: number;
}

export interface Change {
  rangeOffset: number;
  rangeLength: number;
  text: string;
}

export type Step =
  /** Written along, or a word or a line of it was accepted: `shown` is up to date. */
  | 'typed'
  | 'partly'
  /** All of it stands there. */
  | 'whole'
  /** The text has gone another way. */
  | 'gone';

/** What one key inserts where the editor closes pairs. */
const PAIRS = ['()', '[]', '{}', '""', "''", '``'];

/** Keep a ghost text up to date with the document's changes, and return what they mean for it. */
export function follow(shown: ShownText, changes: readonly Change[]): Step {
  const [change, ...others] = changes;
  if (!change || others.length > 0 || change.rangeOffset + change.rangeLength !== shown.end) {
    return 'gone';
  }
  const text = change.text.replaceAll('\r\n', '\n');
  const begin = shown.accepted - change.rangeLength;
  if (begin < 0 || !shown.text.startsWith(text, begin)) {
    return 'gone';
  }
  shown.accepted = begin + text.length;
  shown.end = change.rangeOffset + change.text.length;
  if (shown.accepted === shown.text.length) {
    return 'whole';
  }
  // A key replaces nothing, and brings one character or a pair.
  return change.rangeLength > 0 || text.length < 2 || PAIRS.includes(text) ? 'typed' : 'partly';
}
