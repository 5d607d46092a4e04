// The pages of the administration, in the order of their list. A page is a component and a line here.

import type { Component } from "svelte";
import type { Role } from "../../api/session.ts";
import type { PlainKey } from "../../lib/i18n/translate.ts";

export interface AdminPage {
  readonly label: PlainKey;
  /** Only for administrators; auditors see all others. */
  readonly forAdmins?: true;
  /** Only where people have accounts. */
  readonly needsAccounts?: true;
  load(): Promise<{ default: Component }>;
}

/** Each page by its name, which is its address below `/admin/`. */
export const ADMIN_PAGES: Readonly<Record<string, AdminPage>> = {
  overview: { label: "overview", load: () => import("./Overview.svelte") },
  people: { label: "people", needsAccounts: true, load: () => import("./People.svelte") },
  groups: { label: "groups", needsAccounts: true, load: () => import("./Groups.svelte") },
  rights: { label: "rights", needsAccounts: true, load: () => import("./Rights.svelte") },
  "sign-in": { label: "signInWays", needsAccounts: true, load: () => import("./SignInWays.svelte") },
  emergency: { label: "emergencyReads", needsAccounts: true, load: () => import("./EmergencyReads.svelte") },
  budgets: { label: "budgets", load: () => import("./Budgets.svelte") },
  capacity: { label: "capacity", forAdmins: true, load: () => import("../capacity/CapacityPage.svelte") },
  retention: { label: "retention", load: () => import("./RetentionPage.svelte") },
  branding: { label: "branding", load: () => import("./BrandingPage.svelte") },
  announcements: { label: "announcements", load: () => import("./Announcements.svelte") },
  policy: { label: "policyFile", load: () => import("./PolicyFile.svelte") },
  audit: { label: "auditLog", load: () => import("./AuditLog.svelte") },
  compliance: { label: "compliance", load: () => import("../compliance/Compliance.svelte") },
};

/** The names of the pages that a person sees. */
export function visiblePages(role: Role, hasAccounts: boolean): readonly string[] {
  if (role !== "admin" && role !== "auditor") return [];
  return Object.entries(ADMIN_PAGES)
    .filter(([, page]) => (hasAccounts || page.needsAccounts !== true) && (role === "admin" || page.forAdmins !== true))
    .map(([name]) => name);
}
