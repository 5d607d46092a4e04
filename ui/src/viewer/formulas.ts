// Renders the formulas of an exported file.

import "katex/dist/katex.min.css";
import { renderFormula } from "../lib/markdown/typesetting.ts";
import { scripts } from "./scripts.ts";

scripts.renderFormula = renderFormula;
