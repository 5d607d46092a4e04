// Names and descriptions of the skills that come with Éclair, in the person's language; models read them in English.

import { type PlainKey, t } from "./i18n/translate.ts";

interface SkillTexts {
  readonly name: PlainKey;
  readonly description: PlainKey;
  readonly compatibility?: PlainKey;
}

const PACKAGED: Readonly<Record<string, SkillTexts>> = {
  "data-check": { name: "skillData", description: "skillDataHint", compatibility: "skillDataNeeds" },
  "law-summary": { name: "skillLaw", description: "skillLawHint" },
  "meeting-minutes": { name: "skillMinutes", description: "skillMinutesHint" },
  "plain-letter": { name: "skillLetter", description: "skillLetterHint" },
};

/** The name of a skill of which a step or call has the one of its folder; a packaged one's is in the page's language. */
export function skillName(name: string, isPackaged: boolean): string {
  const texts = isPackaged ? textsOf(name) : undefined;
  return texts === undefined ? name : t(texts.name);
}

/** A skill's name, what it is for and what it needs; one that somebody made says that itself. */
export function skillTexts(skill: { name: string; description: string; compatibility: string | null; is_packaged: boolean }) {
  const texts = skill.is_packaged ? textsOf(skill.name) : undefined;
  if (texts === undefined) return skill;
  const { name, description, compatibility } = texts;
  return { name: t(name), description: t(description), compatibility: compatibility === undefined ? skill.compatibility : t(compatibility) };
}

function textsOf(name: string): SkillTexts | undefined {
  return Object.hasOwn(PACKAGED, name) ? PACKAGED[name] : undefined;
}
