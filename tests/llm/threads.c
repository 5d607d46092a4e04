// `threads.h` for ctypes: what test_kernels.py calls.
#include "threads.h"

#include <stdlib.h>

struct eclair_gear * gear(void) { return calloc(1, sizeof(struct eclair_gear)); }
int threads(struct eclair_gear * gear, int most) { return eclair_threads(gear, most); }
void took(struct eclair_gear * gear, int64_t tokens, int64_t taken) { eclair_took(gear, tokens, taken); }
void done(struct eclair_gear * gear) { free(gear); }
