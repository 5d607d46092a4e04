// The style and the fonts of formulas, fetched with the first one.

import "katex/dist/katex.min.css";
