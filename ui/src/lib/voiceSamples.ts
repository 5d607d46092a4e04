// The sentence that a voice says to be heard, in its own language.

const SAMPLES: Readonly<Record<string, string>> = {
  en: "Hello, I am a synthetic voice, and this is how I read.",
  fr: "Bonjour, je suis une voix de synthèse, et voici comment je lis.",
  es: "Hola, soy una voz sintética y así leo en voz alta.",
  it: "Ciao, sono una voce sintetica, ed è così che leggo.",
  pt: "Olá, sou uma voz sintética, e é assim que leio.",
  de: "Guten Tag, ich bin eine künstliche Stimme, und so lese ich vor.",
};

/** The sample of a voice that speaks a language (ISO 639-1). */
export function voiceSample(language: string): string {
  return SAMPLES[language] ?? SAMPLES["en"] ?? "";
}
