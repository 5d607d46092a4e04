// The description of a photo in the page's language. The server writes it in English, as data for models; each of its
// sentences has one form, so that it can be told in another language. A sentence that isn't known stays as it is.

import { dateLocale, formatNumber, t } from "./i18n/translate.ts";

/** The server's names of colors, in the order of `photoColorNames`. */
const COLORS = ["red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink", "brown", "grey", "white", "black"];

/** Translate a description, sentence by sentence; a sentence is a line. */
export function translateDescription(text: string): string {
  return text.split("\n").map(translateSentence).join("\n");
}

function translateSentence(sentence: string): string {
  const size = /^This is a picture of ([\d,]+) × ([\d,]+) pixels \((\w+)\)\.$/.exec(sentence);
  if (size?.[1] && size[2] && size[3]) {
    return t("photoSize", { size: `${localNumber(size[1])} × ${localNumber(size[2])}`, format: size[3] });
  }
  const taken = /^Its file says that it was taken(?: on (\d{1,2} \w+ \d{4}) at (\d\d:\d\d))?(?: with a camera that calls itself (.+))?\.$/.exec(sentence);
  if (taken?.[1] || taken?.[3]) {
    const when = taken[1] ? [t("photoTaken", { when: localMoment(`${taken[1]} ${taken[2]}`) })] : [];
    return [...when, ...(taken[3] ? [t("photoCamera", { camera: taken[3] })] : [])].join(" ");
  }
  const thing = /^It looks most like this: (.+)\.$/.exec(sentence);
  if (thing?.[1]) return t("photoLooks", { thing: thing[1] });
  if (sentence.startsWith("What it shows isn't known;")) return t("photoUnknown");
  if (/^Its main colors? (?:is|are) /.test(sentence)) {
    const names = t("photoColorNames").split(", ");
    const shares = [...sentence.matchAll(/(\w+) \((\d+)%\)/g)];
    const colors = shares.map(([, name, share]) => `${names[COLORS.indexOf(name ?? "")] ?? name} (${formatNumber(Number(share) / 100, { style: "percent" })})`);
    return t("photoColors", { colors: colors.join(", ") });
  }
  const lines = /^It has ([\d,]+) lines? of text\.$/.exec(sentence);
  if (lines?.[1]) return t("photoLines", { lines: localNumber(lines[1]) });
  return sentence === "No text was found in it." ? t("photoNoText") : sentence;
}

function localNumber(english: string): string {
  return formatNumber(Number(english.replaceAll(",", "")));
}

/** A moment such as `17 May 2024 14:03` in the page's language; the camera's clock has no time zone. */
function localMoment(english: string): string {
  return new Intl.DateTimeFormat(dateLocale(), { dateStyle: "long", timeStyle: "short" }).format(new Date(english));
}
