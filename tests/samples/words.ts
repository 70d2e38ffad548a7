/** Count how often each word stands in a text, whatever its case. */
export function countWords(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of text.toLowerCase().split(/\s+/)) {
    ___
  }
  return counts;
}

/** Return the word that stands most often in a text. */
export function commonestWord(text: string): string | undefined {
  const sorted = [...countWords(text)].sort((a, b) => b[1] - a[1]);
  return ___;
}
