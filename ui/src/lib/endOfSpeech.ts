// Tells from what was said so far how long a silence must be to mean that the person has ended.

/** After a whole sentence, and after one that goes on. */
const AFTER_SENTENCE_MS = 450;
const IN_SENTENCE_MS = 1200;

const SENTENCE_END = /[.?!。？！؟।][\s"'»”’)\]]*$/u;
/** In Greek, a semicolon asks; only there does it end a sentence. */
const GREEK_QUESTION = /[;\u037e][\s"'»”’)\]]*$/u;
const GOES_ON = /(?:\.\.+|…)[\s"'»”’)\]]*$/u;
const QUESTION = /[?!？！؟][\s"'»”’)\]]*$/u;
const LAST_WORD = /([\p{L}\p{M}’']+)[^\p{L}\p{M}]*$/u;

/** Words that join what comes, though a recognizer may put a full stop behind them. Those that also end sentences, such as
 * the French « car », aren't among them. */
const CONJUNCTIONS: Readonly<Record<string, string>> = {
  bg: "и или но защото ако че",
  cs: "a nebo ale protože když že",
  da: "og eller men fordi hvis",
  de: "und oder aber weil wenn dass",
  el: "και ή αλλά επειδή αν ότι",
  en: "and or but because if",
  es: "y e o pero porque si",
  et: "ja või aga sest kui",
  fi: "ja tai mutta koska jos että",
  fr: "et ou mais parce que",
  hr: "i ili ali jer ako",
  hu: "és vagy de mert ha hogy",
  it: "e ed o ma",
  lt: "ir ar bet nes jei kad",
  lv: "un vai bet jo ja ka",
  mt: "u jew imma għax jekk li",
  nl: "en of maar omdat want",
  pl: "i lub albo ale bo jeśli że",
  pt: "e ou mas porque se",
  ro: "și sau dar pentru dacă că",
  sk: "a alebo ale pretože ak že",
  sl: "in ali pa ker če",
  sv: "och eller men att",
};

/** The silence in milliseconds after which a text, in a language (ISO 639-1), is all that was to be said. */
export function silenceThatEnds(text: string, language: string): number {
  const said = text.trim();
  const ends = SENTENCE_END.test(said) || (language === "el" && GREEK_QUESTION.test(said));
  if (!ends || GOES_ON.test(said)) return IN_SENTENCE_MS;
  if (QUESTION.test(said)) return AFTER_SENTENCE_MS;
  const last = LAST_WORD.exec(said)?.[1]?.toLowerCase() ?? "";
  return (CONJUNCTIONS[language] ?? "").split(" ").includes(last) ? IN_SENTENCE_MS : AFTER_SENTENCE_MS;
}
