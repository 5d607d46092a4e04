// Highlights the code of an exported file.

import { highlightCode } from "../lib/markdown/typesetting.ts";
import { scripts } from "./scripts.ts";

scripts.highlightCode = highlightCode;
