// Adds the English texts of the parts that are loaded when needed; the build imports this module into them.

import later from "./en.json";
import { addEnglish } from "./translate.ts";

addEnglish(later);
