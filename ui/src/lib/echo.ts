// Tells words of a person from those that the microphone heard from the loudspeaker.

/** The share of the words that are those of the sentence, in its order: recognition mishears some of an echo. */
const MIN_SHARE = 0.75;
/** A single word, such as "stop", may be in the sentence by chance. */
const MIN_WORDS = 2;
/** A person may choose in the words of the question, such as "the second law". */
const MIN_WORDS_OF_QUESTION = 4;
const QUESTION = /[?？؟]/u;

/** Tell whether what was heard is part of the sentence that was being spoken. */
export function isEcho(heard: string, sentence: string): boolean {
  const words = wordsOf(heard);
  const least = QUESTION.test(sentence) ? MIN_WORDS_OF_QUESTION : MIN_WORDS;
  return words.length >= least && longestCommonOrder(words, wordsOf(sentence)) / words.length >= MIN_SHARE;
}

function wordsOf(text: string): readonly string[] {
  return text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
}

/** The number of words that both have in the same order. */
function longestCommonOrder(left: readonly string[], right: readonly string[]): number {
  let row = new Array<number>(right.length + 1).fill(0);
  for (const word of left) {
    const next = [0];
    for (const [at, other] of right.entries()) {
      next.push(word === other ? (row[at] ?? 0) + 1 : Math.max(row[at + 1] ?? 0, next[at] ?? 0));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}
