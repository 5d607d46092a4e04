// The official languages of the European Union, each in its own name.

export const LANGUAGES: Readonly<Record<string, string>> = {
  bg: "български",
  cs: "čeština",
  da: "dansk",
  de: "Deutsch",
  et: "eesti",
  el: "ελληνικά",
  en: "English",
  es: "español",
  fr: "français",
  ga: "Gaeilge",
  hr: "hrvatski",
  it: "italiano",
  lv: "latviešu",
  lt: "lietuvių",
  hu: "magyar",
  mt: "Malti",
  nl: "Nederlands",
  pl: "polski",
  pt: "português",
  ro: "română",
  sk: "slovenčina",
  sl: "slovenščina",
  fi: "suomi",
  sv: "svenska",
};

/** The first wanted language that is offered, else English. */
export function firstAvailable(wanted: readonly string[], offered: readonly string[]): string {
  const codes = wanted.map((tag) => tag.toLowerCase().split("-")[0] ?? "");
  return codes.find((code) => offered.includes(code)) ?? "en";
}
