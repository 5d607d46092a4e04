// How many threads compute a graph. Part of llama.cpp's ggml-cpu.c.
//
// Threads wait for each other hundreds of times a token: while another program keeps one of them from its core, all
// wait, and two are slower than one. So as many as are allowed compute, but at first, and whenever they have become
// slower than they were, half as many are tried, and kept while they are faster; now and then more are tried again.
#pragma once

#include <stdint.h>
#include <string.h>

enum {
    ECLAIR_RUN = 4,        // graphs by which a number of threads is judged
    ECLAIR_SOONEST = 16,   // graphs until more threads are tried again
    ECLAIR_LATEST = 256,   // the same where that was in vain again and again
    ECLAIR_FIXED = 6,      // tokens that take as long as what is the same for any number of them
};

// Graphs of one token, of several that are written at once or were guessed, and of a prompt are judged apart.
enum { ECLAIR_GEARS = 3 };

static inline int eclair_gear_of(int64_t tokens) {
    return tokens < 2 ? 0 : tokens < 32 ? 1 : 2;
}

struct eclair_gear {
    int most;      // threads that are allowed; 0 before the first graph
    int now;       // that compute
    int trying;    // that are tried in their place, or 0
    unsigned graphs;  // since that was last settled
    int rest;      // graphs until more are tried, and how many that was the last time
    int patience;
    int64_t taken[ECLAIR_RUN];  // time of the last graphs, and the least that so many took in a row, or 0
    int64_t least;
    int64_t tried;  // time of those that were tried, and how many
    int tries;
};

static inline int eclair_threads(struct eclair_gear * gear, int most) {
    if (gear->most != most) {
        memset(gear, 0, sizeof *gear);
        gear->most = gear->now = most;
        gear->rest = gear->patience = ECLAIR_SOONEST;
    }
    return gear->trying ? gear->trying : gear->now;
}

static inline int64_t eclair_usual(const struct eclair_gear * gear) {
    int64_t usual = 0;
    for (int i = 0; i < ECLAIR_RUN; i++) {
        usual += gear->taken[i];
    }
    return usual;
}

// The threads that were tried are kept, or not.
static inline void eclair_settle(struct eclair_gear * gear) {
    const int64_t usual = eclair_usual(gear);
    if (gear->tried < usual - usual / 20) {
        // Where fewer are faster still fewer may be: without a least, what comes next counts as slower.
        gear->least = gear->trying < gear->now ? 0 : gear->tried;
        gear->now = gear->trying;
        gear->patience = ECLAIR_SOONEST;
    } else {
        gear->least = usual;
        gear->patience = gear->patience < ECLAIR_LATEST ? 2 * gear->patience : ECLAIR_LATEST;
    }
    gear->rest = gear->patience;
    gear->trying = gear->tries = gear->graphs = 0;
    gear->tried = 0;
}

// Others are tried, if it is time.
static inline void eclair_doubt(struct eclair_gear * gear) {
    const int64_t usual = eclair_usual(gear);
    const int slower = usual > gear->least + gear->least / 2;
    // A text that grows makes graphs slower too, so what was the least is forgotten by and by.
    gear->least = usual < gear->least || gear->least == 0 ? usual : gear->least + gear->least / 512;
    if (slower && gear->now > 1) {
        gear->trying = gear->now / 2;
    } else if (gear->now < gear->most && gear->rest == 0) {
        gear->trying = 2 * gear->now < gear->most ? 2 * gear->now : gear->most;
    }
}

// The threads that were asked for took so many microseconds for so many tokens.
static inline void eclair_took(struct eclair_gear * gear, int64_t tokens, int64_t taken) {
    const int64_t time = 1000 * taken / (tokens + ECLAIR_FIXED);
    if (gear->trying) {
        gear->tried += time;
        if (++gear->tries == ECLAIR_RUN) {
            eclair_settle(gear);
        }
        return;
    }
    gear->taken[gear->graphs++ % ECLAIR_RUN] = time;
    if (gear->rest > 0) {
        gear->rest--;
    }
    if (gear->graphs >= ECLAIR_RUN) {
        eclair_doubt(gear);
    }
}
