// Attention of one head over keys and values of 16 bits, for processors with AVX2 and FMA. Part of llama.cpp's ops.cpp.
//
// What attention adds up is kept in 32 bits and in registers, for many positions at a time: in 16 bits, as llama.cpp
// has it there, a processor without arithmetic of 16 bits converts all sums to and fro at each position.
#pragma once

#include <cstdint>

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__) && !defined(__AVX512F__)

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace eclair {

constexpr int LANES = 8;
constexpr int POSITIONS = 64;  // at a time
constexpr int REGISTERS = 8;   // of sums
constexpr int AHEAD = 16;      // positions that are fetched early, for they lie too far apart to be foreseen
constexpr float NOTHING = -std::numeric_limits<float>::infinity();

inline __m256 eight(const void * halves) {
    return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i *>(halves)));
}

inline void fetch(const char * halves, int count) {
    for (int i = 0; i < 2 * count; i += 64) _mm_prefetch(halves + i, _MM_HINT_T0);
}

// e to the power of x, for x <= 0: 0 below -87, and right to 2 in 10 million above.
inline __m256 exponential(__m256 x) {
    const __m256 whole = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT);
    __m256 rest = _mm256_fnmadd_ps(whole, _mm256_set1_ps(0.693359375f), x);  // the logarithm of 2 in two parts
    rest = _mm256_fnmadd_ps(whole, _mm256_set1_ps(-2.12194440e-4f), rest);
    __m256 sum = _mm256_set1_ps(1.0f / 5040);
    for (const float term : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) {
        sum = _mm256_fmadd_ps(sum, rest, _mm256_set1_ps(term));
    }
    const __m256i power = _mm256_slli_epi32(_mm256_cvtps_epi32(whole), 23);
    const __m256 found = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(sum), power));
    return _mm256_and_ps(found, _mm256_cmp_ps(x, _mm256_set1_ps(-87.0f), _CMP_GT_OQ));
}

// Lane i of the result is the sum of all lanes of sums[i].
inline __m256 across(const __m256 (&sums)[LANES]) {
    const __m256 low = _mm256_hadd_ps(_mm256_hadd_ps(sums[0], sums[1]), _mm256_hadd_ps(sums[2], sums[3]));
    const __m256 high = _mm256_hadd_ps(_mm256_hadd_ps(sums[4], sums[5]), _mm256_hadd_ps(sums[6], sums[7]));
    return _mm256_add_ps(_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31));
}

// `sums[d]` grows by each position's weight times its value d, for COUNT registers of them; those without weight are
// not read.
template <int COUNT>
void weigh(float * sums, const float * weights, int positions, const char * values, int64_t step) {
    __m256 registers[COUNT];
    for (int i = 0; i < COUNT; i++) registers[i] = _mm256_loadu_ps(sums + LANES * i);
    for (int at = 0; at < positions; at++, values += step) {
        if (weights[at] == 0.0f) continue;
        const __m256 weight = _mm256_set1_ps(weights[at]);
        fetch(values + AHEAD * step, LANES * COUNT);
        for (int i = 0; i < COUNT; i++) {
            registers[i] = _mm256_fmadd_ps(weight, eight(values + 2 * LANES * i), registers[i]);
        }
    }
    for (int i = 0; i < COUNT; i++) _mm256_storeu_ps(sums + LANES * i, registers[i]);
}

// What is added to the scores of up to eight positions; NOTHING beyond those.
inline __m256 masked(const uint16_t * mask, float slope, int positions) {
    if (mask && positions == LANES) return _mm256_mul_ps(eight(mask), _mm256_set1_ps(slope));
    float added[LANES];
    for (int i = 0; i < LANES; i++) added[i] = i >= positions ? NOTHING : mask ? slope * _cvtsh_ss(mask[i]) : 0.0f;
    return _mm256_loadu_ps(added);
}

// The scores of up to eight positions: `scale` times the product of query and key, and what is added to it; NOTHING
// where that is, whatever the key may be.
inline __m256 scored(int width, const float * query, float scale, const char * keys, int64_t step, __m256 added,
                     int positions) {
    const __m256 wanted = _mm256_cmp_ps(added, _mm256_set1_ps(NOTHING), _CMP_NEQ_OQ);
    if (_mm256_movemask_ps(wanted) == 0) return added;
    __m256 sums[LANES];
    for (int i = 0; i < LANES; i++) {
        fetch(keys + (i + AHEAD) * step, width);
        sums[i] = _mm256_setzero_ps();
    }
    for (int d = 0; d < width; d += LANES) {
        const __m256 part = _mm256_loadu_ps(query + d);
        for (int i = 0; i < LANES; i++) {
            const char * key = keys + std::min(i, positions - 1) * step + 2 * d;
            sums[i] = _mm256_fmadd_ps(part, eight(key), sums[i]);
        }
    }
    return _mm256_blendv_ps(added, _mm256_fmadd_ps(across(sums), _mm256_set1_ps(scale), added), wanted);
}

// Attends to positions `first` to `end`. `most` becomes the largest score, `total` the sum of the weights, which are
// e to the score less `most`, and `sums` that of the weighted values: what llama.cpp calls M, S and VKQ. Keys and
// values are `key_width` and `value_width` halves each, so many bytes apart; `mask` has a half for each position, or is
// null. False, and nothing done, where the widths do not suit.
inline bool attend(int64_t key_width, int64_t value_width, const float * query, float scale, const char * keys,
                   int64_t key_step, const char * values, int64_t value_step, const uint16_t * mask, float slope,
                   int64_t first, int64_t end, float & most, float & total, float * sums) {
    if (key_width % LANES != 0 || value_width % LANES != 0) return false;
    std::memset(sums, 0, value_width * sizeof(float));
    for (int64_t at = first; at < end; at += POSITIONS) {
        const int positions = static_cast<int>(std::min<int64_t>(POSITIONS, end - at));
        float weights[POSITIONS];
        __m256 largest = _mm256_set1_ps(NOTHING);
        for (int i = 0; i < positions; i += LANES) {
            const int some = std::min(LANES, positions - i);
            const __m256 added = masked(mask ? mask + at + i : nullptr, slope, some);
            const __m256 scores =
                scored(static_cast<int>(key_width), query, scale, keys + (at + i) * key_step, key_step, added, some);
            _mm256_storeu_ps(weights + i, scores);
            largest = _mm256_max_ps(largest, scores);
        }
        float lanes[LANES];
        _mm256_storeu_ps(lanes, largest);
        const float here = *std::max_element(lanes, lanes + LANES);
        if (here == NOTHING) continue;
        if (here > most) {
            const float less = std::exp(most - here);
            for (int64_t d = 0; d < value_width; d++) sums[d] *= less;
            total *= less;
            most = here;
        }
        __m256 added = _mm256_setzero_ps();
        for (int i = 0; i < positions; i += LANES) {
            const __m256 scores = _mm256_loadu_ps(weights + i);
            const __m256 weight = exponential(_mm256_sub_ps(scores, _mm256_set1_ps(most)));
            _mm256_storeu_ps(weights + i, weight);
            added = _mm256_add_ps(added, weight);
        }
        _mm256_storeu_ps(lanes, added);
        for (const float lane : lanes) total += lane;
        int64_t d = 0;
        for (; d + LANES * REGISTERS <= value_width; d += LANES * REGISTERS) {
            weigh<REGISTERS>(sums + d, weights, positions, values + at * value_step + 2 * d, value_step);
        }
        for (; d < value_width; d += LANES) {
            weigh<1>(sums + d, weights, positions, values + at * value_step + 2 * d, value_step);
        }
    }
    return true;
}

}  // namespace eclair

#else

namespace eclair {

inline bool attend(int64_t, int64_t, const float *, float, const char *, int64_t, const char *, int64_t,
                   const uint16_t *, float, int64_t, int64_t, float &, float &, float *) {
    return false;
}

}  // namespace eclair

#endif
