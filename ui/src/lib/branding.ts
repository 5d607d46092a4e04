// The branding of the house, which the server writes into the page.

import { toAddress } from "../api/address.ts";

const { house, logo } = document.documentElement.dataset;

/** The name that the house gave itself; null where it has none. */
export const HOUSE: string | null = house ?? null;
/** The address of its logo, else of Éclair's. */
export const LOGO: string = toAddress(logo === undefined ? "/favicon.svg" : `/api/branding/logo?v=${logo}`);
