// Matrices of 4 and 8 bits, times rows of 8 bits, for processors with AVX2 and none of the later instructions for it.
//
// A matrix comes in blocks of 32 numbers with a scale in half precision: llama.cpp's Q4_0, Q4_1 and Q8_0. Eight of its
// rows lie interleaved, "a strip", so that a vector holds a piece of each and nothing is ever summed across a vector.
// The rows that it is multiplied by are Q8_0, one by itself or four interleaved by eight, which llama.cpp calls
// `block_q8_0` and `block_q8_0x4`. The sums of a block are exact, as they are in llama.cpp's own kernels.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace eclair {

constexpr int BLOCK = 32;
constexpr int STRIP = 8;
constexpr int PIECE = 8;  // numbers of one row that lie together among four rows
constexpr int PIECES = BLOCK / PIECE;

using Half = uint16_t;

template <int R> struct Rows {
    Half scales[R];
    int8_t numbers[R * BLOCK];
};

inline __m256i load(const void * at) { return _mm256_loadu_si256(static_cast<const __m256i *>(at)); }

inline __m256 floats(const Half * eight) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(eight)));
}

inline __m256i four_bytes(const void * at) {
    int32_t bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    return _mm256_set1_epi32(bytes);
}

// `sums[r]` is that of row r's numbers.
template <int R> void sum(int32_t (&sums)[R], const Rows<R> & rows) {
    const __m256i sign = _mm256_set1_epi8(-128), none = _mm256_setzero_si256();
    __m256i eights = none;  // sums of eight numbers that lie together, all of which are of one row, each 128 too large
    for (int i = 0; i < R * BLOCK; i += 32) {
        eights = _mm256_add_epi64(eights, _mm256_sad_epu8(_mm256_xor_si256(load(rows.numbers + i), sign), none));
    }
    int64_t lanes[4];
    std::memcpy(lanes, &eights, sizeof lanes);
    for (int r = 0; r < R; r++) {
        const int64_t all = R == 1 ? lanes[0] + lanes[1] + lanes[2] + lanes[3] : lanes[r];
        sums[r] = static_cast<int32_t>(all - 128 * BLOCK);
    }
}

// Numbers 0 to 15: vector v holds 4v to 4v + 3 of each row in the lower halves of its bytes, and those 16 further on in
// the upper ones.
struct Nibbles {
    uint8_t numbers[STRIP * BLOCK / 2];

    template <int R> void multiply(__m256i (&products)[R], const Rows<R> & rows) const {
        const __m256i low = _mm256_set1_epi8(0x0F), ones = _mm256_set1_epi16(1);
        __m256i lower[4], upper[4];
        for (int v = 0; v < 4; v++) {
            const __m256i both = load(numbers + 32 * v);
            lower[v] = _mm256_and_si256(both, low);
            upper[v] = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
        }
        for (int r = 0; r < R; r++) {
            __m256i sums = _mm256_setzero_si256();  // in 16 bits, which 8 * 2 * 15 * 127 = 30,480 fits
            for (int v = 0; v < 4; v++) {
                const int8_t * at = rows.numbers + (v / 2 * R + r) * PIECE + v % 2 * 4;
                const __m256i first = _mm256_maddubs_epi16(lower[v], four_bytes(at));
                const __m256i second = _mm256_maddubs_epi16(upper[v], four_bytes(at + PIECES / 2 * R * PIECE));
                sums = _mm256_add_epi16(sums, _mm256_add_epi16(first, second));
            }
            products[r] = _mm256_madd_epi16(sums, ones);
        }
    }

    void lay(int row, const uint8_t * from) {
        for (int v = 0; v < 4; v++) std::memcpy(numbers + 32 * v + 4 * row, from + 4 * v, 4);
    }
};

struct StripQ4_0 {
    struct Row {
        Half scale;
        uint8_t numbers[BLOCK / 2];  // each greater by 8 than it is
    };

    Half scales[STRIP];
    Nibbles nibbles;

    // What is needed of R rows beside themselves.
    template <int R> struct Ready {
        float scales[R];
        int32_t excess[R];

        explicit Ready(const Rows<R> & rows) {
            sum(excess, rows);
            for (int r = 0; r < R; r++) {
                excess[r] *= 8;
                scales[r] = _cvtsh_ss(rows.scales[r]);
            }
        }
    };

    template <int R> void multiply(__m256 (&sums)[R], const Rows<R> & rows, const Ready<R> & ready) const {
        __m256i products[R];
        nibbles.multiply(products, rows);
        const __m256 scale = floats(scales);
        for (int r = 0; r < R; r++) {
            const __m256i product = _mm256_sub_epi32(products[r], _mm256_set1_epi32(ready.excess[r]));
            const __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(ready.scales[r]));
            sums[r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(product), both, sums[r]);
        }
    }

    void lay(int row, const Row & from) {
        scales[row] = from.scale;
        nibbles.lay(row, from.numbers);
    }
};

struct StripQ4_1 {
    struct Row {
        Half scale, least;
        uint8_t numbers[BLOCK / 2];  // each less by `least` than it is, once scaled
    };

    Half scales[STRIP], least[STRIP];
    Nibbles nibbles;

    template <int R> struct Ready {
        float scales[R], sums[R];

        explicit Ready(const Rows<R> & rows) {
            int32_t whole[R];
            sum(whole, rows);
            for (int r = 0; r < R; r++) {
                scales[r] = _cvtsh_ss(rows.scales[r]);
                sums[r] = scales[r] * whole[r];
            }
        }
    };

    template <int R> void multiply(__m256 (&sums)[R], const Rows<R> & rows, const Ready<R> & ready) const {
        __m256i products[R];
        nibbles.multiply(products, rows);
        const __m256 scale = floats(scales), low = floats(least);
        for (int r = 0; r < R; r++) {
            const __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(ready.scales[r]));
            sums[r] = _mm256_fmadd_ps(low, _mm256_set1_ps(ready.sums[r]), sums[r]);
            sums[r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products[r]), both, sums[r]);
        }
    }

    void lay(int row, const Row & from) {
        scales[row] = from.scale;
        least[row] = from.least;
        nibbles.lay(row, from.numbers);
    }
};

// Two numbers of each row, then the next two of each. They and the rows are widened to 16 bits, where sums of two
// products never overflow.
struct StripQ8_0 {
    struct Row {
        Half scale;
        int8_t numbers[BLOCK];
    };

    Half scales[STRIP];
    int8_t numbers[STRIP * BLOCK];

    template <int R> struct Ready {
        float scales[R];
        int16_t wide[R * BLOCK];

        explicit Ready(const Rows<R> & rows) {
            for (int r = 0; r < R; r++) scales[r] = _cvtsh_ss(rows.scales[r]);
            for (int i = 0; i < R * BLOCK; i++) wide[i] = rows.numbers[i];
        }
    };

    template <int R> void multiply(__m256 (&sums)[R], const Rows<R> &, const Ready<R> & ready) const {
        __m256i products[R];
        for (int r = 0; r < R; r++) products[r] = _mm256_setzero_si256();
#pragma GCC unroll 1  // more, and the compiler keeps half of the products in memory
        for (int piece = 0; piece < PIECES; piece++) {
            for (int pair = 0; pair < PIECE / 2; pair++) {
                const auto * at = reinterpret_cast<const __m128i *>(numbers) + piece * PIECE / 2 + pair;
                const __m256i two = _mm256_cvtepi8_epi16(_mm_loadu_si128(at));
                for (int r = 0; r < R; r++) {
                    const int16_t * by = ready.wide + (piece * R + r) * PIECE + 2 * pair;
                    products[r] = _mm256_add_epi32(products[r], _mm256_madd_epi16(two, four_bytes(by)));
                }
            }
        }
        const __m256 scale = floats(scales);
        for (int r = 0; r < R; r++) {
            const __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(ready.scales[r]));
            sums[r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products[r]), both, sums[r]);
        }
    }

    void lay(int row, const Row & from) {
        scales[row] = from.scale;
        for (int pair = 0; pair < BLOCK / 2; pair++) {
            std::memcpy(numbers + 16 * pair + 2 * row, from.numbers + 2 * pair, 2);
        }
    }
};

// `out[r * stride + column]` becomes row r times the matrix's row `column`, each of n numbers; of R rows.
template <class Strip, int R>
void multiply(int n, float * out, int64_t stride, const Strip * strips, const Rows<R> * rows, int columns) {
    thread_local std::vector<typename Strip::template Ready<R>> ready;
    const int blocks = n / BLOCK;
    ready.clear();
    for (int b = 0; b < blocks; b++) ready.emplace_back(rows[b]);
    for (int column = 0; column < columns; column += STRIP, strips += blocks) {
        __m256 sums[R];
        for (int r = 0; r < R; r++) sums[r] = _mm256_setzero_ps();
        for (int b = 0; b < blocks; b++) strips[b].multiply(sums, rows[b], ready[b]);
        for (int r = 0; r < R; r++) _mm256_storeu_ps(out + r * stride + column, sums[r]);
    }
}

// The same of `count` rows, a multiple of four.
template <class Strip>
void multiply_all(int n, float * out, int64_t stride, const Strip * strips, const Rows<4> * rows, int count,
                  int columns) {
    for (int row = 0; row < count; row += 4, rows += n / BLOCK) {
        multiply(n, out + row * stride, stride, strips, rows, columns);
    }
}

// Makes strips of a matrix's `count` rows of n numbers, a multiple of eight.
template <class Strip> void lay(Strip * strips, const typename Strip::Row * rows, int64_t n, int64_t count) {
    const int64_t blocks = n / BLOCK;
    for (int64_t row = 0; row < count; row++) {
        for (int64_t b = 0; b < blocks; b++) {
            strips[row / STRIP * blocks + b].lay(static_cast<int>(row % STRIP), rows[row * blocks + b]);
        }
    }
}

template <class Strip> constexpr bool packs = sizeof(Strip) == STRIP * sizeof(typename Strip::Row);
static_assert(packs<StripQ4_0> && packs<StripQ4_1> && packs<StripQ8_0>, "strips take the place of rows");

}  // namespace eclair
