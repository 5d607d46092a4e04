// Matrices of 4, 6 and 8 bits, times rows of 8 bits, for processors with AVX2 and none of the later instructions for it.
//
// A matrix comes in blocks of 32 numbers with a scale: llama.cpp's Q4_0, Q4_1 and Q8_0, and Q4_K and Q6_K, where eight
// blocks share one in half precision. Eight of its rows lie interleaved, "a strip", so that a vector holds a piece of
// each and nothing is ever summed across a vector.
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
constexpr int FETCHED = 4096;  // bytes that are fetched before they are needed
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

inline __m256i bytes(const uint8_t * eight) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(eight)));
}

inline __m256i signed_bytes(const int8_t * eight) {
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(eight)));
}

inline uint32_t word(const void * four) {
    uint32_t value;
    std::memcpy(&value, four, sizeof value);
    return value;
}

inline __m256i four_bytes(const void * at) { return _mm256_set1_epi32(static_cast<int32_t>(word(at))); }

// `sums[r]` are those of row r's first 16 numbers and of its last.
template <int R> void sum(int32_t (&sums)[R][2], const Rows<R> & rows) {
    const __m256i sign = _mm256_set1_epi8(-128), none = _mm256_setzero_si256();
    int64_t eights[R * PIECES];  // of eight numbers that lie together, which are one row's; each 1,024 too large
    for (int i = 0; i < R; i++) {
        const __m256i four = _mm256_sad_epu8(_mm256_xor_si256(load(rows.numbers + 32 * i), sign), none);
        std::memcpy(eights + 4 * i, &four, sizeof four);
    }
    for (int r = 0; r < R; r++) {
        for (int half = 0; half < 2; half++) {
            const int64_t both = eights[2 * half * R + r] + eights[(2 * half + 1) * R + r];
            sums[r][half] = static_cast<int32_t>(both - 128 * BLOCK / 2);
        }
    }
}

// Numbers 0 to 15: vector v holds 4v to 4v + 3 of each row in the lower halves of its bytes, and those 16 further on in
// the upper ones.
struct Nibbles {
    uint8_t numbers[STRIP * BLOCK / 2];

    // `four[v]` are numbers 4v to 4v + 3 of each row.
    void unpack(__m256i (&four)[8]) const {
        const __m256i low = _mm256_set1_epi8(0x0F);
        for (int v = 0; v < 4; v++) {
            const __m256i both = load(numbers + 32 * v);
            four[v] = _mm256_and_si256(both, low);
            four[v + 4] = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
        }
    }

    template <int R> void multiply(__m256i (&products)[R], const Rows<R> & rows) const {
        __m256i four[8];
        unpack(four);
        for (int r = 0; r < R; r++) {
            __m256i sums = _mm256_setzero_si256();  // in 16 bits, which 8 * 2 * 15 * 127 = 30,480 fits
            for (int v = 0; v < 8; v += 2) {
                const int8_t * at = rows.numbers + (v / 2 * R + r) * PIECE;
                const __m256i first = _mm256_maddubs_epi16(four[v], four_bytes(at));
                const __m256i second = _mm256_maddubs_epi16(four[v + 1], four_bytes(at + 4));
                sums = _mm256_add_epi16(sums, _mm256_add_epi16(first, second));
            }
            products[r] = _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
        }
    }

    // Row `row` has numbers 0 to 15 in the lower halves of these bytes, and 16 to 31 in the upper ones.
    void lay(int row, const uint8_t * from) {
        for (int v = 0; v < 4; v++) std::memcpy(numbers + 32 * v + 4 * row, from + 4 * v, 4);
    }

    // The same where number i has four bits of byte i, from bit `shift` on.
    void lay(int row, const uint8_t * from, int shift) {
        for (int v = 0; v < 4; v++) {
            const uint32_t low = word(from + 4 * v) >> shift & 0x0F0F0F0F;
            const uint32_t high = word(from + 16 + 4 * v) >> shift & 0x0F0F0F0F;
            const uint32_t both = low | high << 4;
            std::memcpy(numbers + 32 * v + 4 * row, &both, sizeof both);
        }
    }
};

struct StripQ4_0 {
    static constexpr int BLOCKS = 1;
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
            int32_t halves[R][2];
            sum(halves, rows);
            for (int r = 0; r < R; r++) {
                excess[r] = 8 * (halves[r][0] + halves[r][1]);
                scales[r] = _cvtsh_ss(rows.scales[r]);
            }
        }
    };

    template <int R> void multiply(__m256 (&sums)[R], const Rows<R> * rows, const Ready<R> * ready) const {
        __m256i products[R];
        nibbles.multiply(products, *rows);
        const __m256 scale = floats(scales);
        for (int r = 0; r < R; r++) {
            const __m256i product = _mm256_sub_epi32(products[r], _mm256_set1_epi32(ready->excess[r]));
            const __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(ready->scales[r]));
            sums[r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(product), both, sums[r]);
        }
    }

    void lay(int row, const Row & from) {
        scales[row] = from.scale;
        nibbles.lay(row, from.numbers);
    }
};

// Of a block of numbers that are each less by `least` than they are, once scaled.
template <int R> struct ReadyAboveLeast {
    float scales[R], sums[R];

    explicit ReadyAboveLeast(const Rows<R> & rows) {
        int32_t halves[R][2];
        sum(halves, rows);
        for (int r = 0; r < R; r++) {
            scales[r] = _cvtsh_ss(rows.scales[r]);
            sums[r] = scales[r] * static_cast<float>(halves[r][0] + halves[r][1]);
        }
    }

    void multiply(__m256 (&into)[R], const Nibbles & nibbles, __m256 scale, __m256 least, const Rows<R> & rows) const {
        __m256i products[R];
        nibbles.multiply(products, rows);
        for (int r = 0; r < R; r++) {
            const __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(scales[r]));
            into[r] = _mm256_fmadd_ps(least, _mm256_set1_ps(sums[r]), into[r]);
            into[r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products[r]), both, into[r]);
        }
    }
};

struct StripQ4_1 {
    static constexpr int BLOCKS = 1;
    struct Row {
        Half scale, least;
        uint8_t numbers[BLOCK / 2];
    };

    Half scales[STRIP], least[STRIP];
    Nibbles nibbles;

    template <int R> using Ready = ReadyAboveLeast<R>;

    template <int R> void multiply(__m256 (&sums)[R], const Rows<R> * rows, const Ready<R> * ready) const {
        ready->multiply(sums, nibbles, floats(scales), floats(least), *rows);
    }

    void lay(int row, const Row & from) {
        scales[row] = from.scale;
        least[row] = from.least;
        nibbles.lay(row, from.numbers);
    }
};

// A block's scale and what its numbers are less by have six bits. Byte r of `low[b]` are the lower four of either, of
// row r, and byte r of `high[b / 2]` the upper two of two blocks.
struct StripQ4_K {
    static constexpr int BLOCKS = 8;
    struct Row {
        Half scale, least;
        uint8_t scales[12];
        uint8_t numbers[BLOCKS * BLOCK / 2];
    };

    Half scales[STRIP], least[STRIP];
    uint8_t low[BLOCKS][STRIP], high[BLOCKS / 2][STRIP];
    Nibbles nibbles[BLOCKS];

    template <int R> using Ready = ReadyAboveLeast<R>;

    template <int R> void multiply(__m256 (&sums)[R], const Rows<R> * rows, const Ready<R> * ready) const {
        const __m256 scale = floats(scales), down = _mm256_sub_ps(_mm256_setzero_ps(), floats(least));
        const __m256i four = _mm256_set1_epi32(0x0F), two = _mm256_set1_epi32(0x30);
        for (int b = 0; b < BLOCKS; b++) {
            const __m256i lower = bytes(low[b]), above = bytes(high[b / 2]);
            const __m256i upper = b % 2 == 0 ? _mm256_slli_epi32(above, 4) : above;
            const __m256i first = _mm256_or_si256(_mm256_and_si256(lower, four), _mm256_and_si256(upper, two));
            const __m256i second =
                _mm256_or_si256(_mm256_srli_epi32(lower, 4), _mm256_and_si256(_mm256_srli_epi32(upper, 2), two));
            ready[b].multiply(sums, nibbles[b], _mm256_mul_ps(scale, _mm256_cvtepi32_ps(first)),
                              _mm256_mul_ps(down, _mm256_cvtepi32_ps(second)), rows[b]);
        }
    }

    void lay(int row, const Row & from) {
        scales[row] = from.scale;
        least[row] = from.least;
        for (int b = 0; b < BLOCKS; b++) {
            // As llama.cpp packs them: the first four of each kind whole, the upper bits of the others above these.
            const uint8_t * at = from.scales + b % 4;
            const int first = b < 4 ? at[0] & 63 : (at[8] & 15) | at[0] >> 6 << 4;
            const int second = b < 4 ? at[4] & 63 : at[8] >> 4 | at[4] >> 6 << 4;
            low[b][row] = static_cast<uint8_t>((first & 15) | (second & 15) << 4);
            const int above = first >> 4 | second >> 4 << 2;
            high[b / 2][row] = static_cast<uint8_t>(b % 2 == 0 ? above : high[b / 2][row] | above << 4);
            nibbles[b].lay(row, from.numbers + b / 2 * BLOCK, b % 2 * 4);
        }
    }
};

// Numbers of six bits, each greater by 32 than it is, with a scale for every 16 of them. Byte i of `upper` are the
// upper two bits of what is at byte i of four vectors.
struct StripQ6_K {
    static constexpr int BLOCKS = 8;
    struct Row {
        uint8_t low[BLOCKS * BLOCK / 2], high[BLOCKS * BLOCK / 4];
        int8_t scales[2 * BLOCKS];
        Half scale;
    };
    struct Upper {
        uint8_t bits[2][STRIP * 4];
    };

    Half scales[STRIP];
    int8_t sixteens[2 * BLOCKS][STRIP];
    Nibbles lower[BLOCKS];
    Upper upper[BLOCKS];

    template <int R> struct Ready {
        float scales[R];
        int32_t halves[R];  // the sums of the first and the last 16 numbers, in 16 bits each

        explicit Ready(const Rows<R> & rows) {
            int32_t sums[R][2];
            sum(sums, rows);
            for (int r = 0; r < R; r++) {
                scales[r] = _cvtsh_ss(rows.scales[r]);
                halves[r] = static_cast<int32_t>((sums[r][0] & 0xFFFF) | static_cast<uint32_t>(sums[r][1]) << 16);
            }
        }
    };

    template <int R> void multiply(__m256 (&sums)[R], const Rows<R> * rows, const Ready<R> * ready) const {
        const __m256 whole = floats(scales);
        const __m256i two = _mm256_set1_epi8(0x30), sixteen = _mm256_set1_epi32(0xFFFF);
        for (int b = 0; b < BLOCKS; b++) {
            __m256i four[8];
            lower[b].unpack(four);
            for (int half = 0; half < 2; half++) {
                const __m256i bits = load(upper[b].bits[half]);
                __m256i * at = four + 4 * half;
                at[0] = _mm256_or_si256(at[0], _mm256_and_si256(_mm256_slli_epi16(bits, 4), two));
                at[1] = _mm256_or_si256(at[1], _mm256_and_si256(_mm256_slli_epi16(bits, 2), two));
                at[2] = _mm256_or_si256(at[2], _mm256_and_si256(bits, two));
                at[3] = _mm256_or_si256(at[3], _mm256_and_si256(_mm256_srli_epi16(bits, 2), two));
            }
            const __m256i first = signed_bytes(sixteens[2 * b]), last = signed_bytes(sixteens[2 * b + 1]);
            const __m256i both = _mm256_or_si256(_mm256_and_si256(first, sixteen), _mm256_slli_epi32(last, 16));
            const __m256i twice[2] = {_mm256_or_si256(_mm256_and_si256(first, sixteen), _mm256_slli_epi32(first, 16)),
                                      _mm256_or_si256(_mm256_and_si256(last, sixteen), _mm256_slli_epi32(last, 16))};
            for (int r = 0; r < R; r++) {
                const __m256i excess = _mm256_madd_epi16(both, _mm256_set1_epi32(ready[b].halves[r]));
                __m256i product = _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_slli_epi32(excess, 5));
                for (int v = 0; v < 8; v += 2) {
                    const int8_t * at = rows[b].numbers + (v / 2 * R + r) * PIECE;
                    // In 16 bits, which 2 * 2 * 63 * 127 = 32,004 fits.
                    const __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16(four[v], four_bytes(at)),
                                                           _mm256_maddubs_epi16(four[v + 1], four_bytes(at + 4)));
                    product = _mm256_add_epi32(product, _mm256_madd_epi16(pairs, twice[v / 4]));
                }
                const __m256 scale = _mm256_mul_ps(whole, _mm256_set1_ps(ready[b].scales[r]));
                sums[r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(product), scale, sums[r]);
            }
        }
    }

    void lay(int row, const Row & from) {
        scales[row] = from.scale;
        for (int i = 0; i < 2 * BLOCKS; i++) sixteens[i][row] = from.scales[i];
        for (int b = 0; b < BLOCKS; b++) {
            // As llama.cpp packs them: 128 numbers in 64 and 32 bytes, those 32 apart in one byte of the latter.
            lower[b].lay(row, from.low + b / 4 * 64 + b % 2 * 32, b % 4 / 2 * 4);
            const uint8_t * high = from.high + b / 4 * 32;
            for (int half = 0; half < 2; half++) {
                uint32_t bits = 0;
                for (int v = 0; v < 4; v++) bits |= (word(high + 16 * half + 4 * v) >> b % 4 * 2 & 0x03030303) << 2 * v;
                std::memcpy(upper[b].bits[half] + 4 * row, &bits, sizeof bits);
            }
        }
    }
};

// Two numbers of each row, then the next two of each. They and the rows are widened to 16 bits, where sums of two
// products never overflow.
struct StripQ8_0 {
    static constexpr int BLOCKS = 1;
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

    template <int R> void multiply(__m256 (&sums)[R], const Rows<R> *, const Ready<R> * ready) const {
        __m256i products[R];
        for (int r = 0; r < R; r++) products[r] = _mm256_setzero_si256();
#pragma GCC unroll 1  // more, and the compiler keeps half of the products in memory
        for (int piece = 0; piece < PIECES; piece++) {
            for (int pair = 0; pair < PIECE / 2; pair++) {
                const auto * at = reinterpret_cast<const __m128i *>(numbers) + piece * PIECE / 2 + pair;
                const __m256i two = _mm256_cvtepi8_epi16(_mm_loadu_si128(at));
                for (int r = 0; r < R; r++) {
                    const int16_t * by = ready->wide + (piece * R + r) * PIECE + 2 * pair;
                    products[r] = _mm256_add_epi32(products[r], _mm256_madd_epi16(two, four_bytes(by)));
                }
            }
        }
        const __m256 scale = floats(scales);
        for (int r = 0; r < R; r++) {
            const __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(ready->scales[r]));
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
    for (int column = 0; column < columns; column += STRIP, strips += blocks / Strip::BLOCKS) {
        __m256 sums[R];
        for (int r = 0; r < R; r++) sums[r] = _mm256_setzero_ps();
        for (int b = 0; b < blocks; b += Strip::BLOCKS) {
            const Strip & strip = strips[b / Strip::BLOCKS];
            if (R == 1) {  // memory is what one row waits for
                const char * later = reinterpret_cast<const char *>(&strip) + FETCHED;
                for (size_t line = 0; line < sizeof(Strip); line += 64) _mm_prefetch(later + line, _MM_HINT_T0);
            }
            strip.multiply(sums, rows + b, ready.data() + b);
        }
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
    const int64_t blocks = n / (BLOCK * Strip::BLOCKS);
    for (int64_t row = 0; row < count; row++) {
        for (int64_t b = 0; b < blocks; b++) {
            strips[row / STRIP * blocks + b].lay(static_cast<int>(row % STRIP), rows[row * blocks + b]);
        }
    }
}

template <class Strip> constexpr bool packs = sizeof(Strip) == STRIP * sizeof(typename Strip::Row);
static_assert(packs<StripQ4_0> && packs<StripQ4_1> && packs<StripQ8_0>, "strips take the place of rows");
static_assert(packs<StripQ4_K> && packs<StripQ6_K>, "strips take the place of rows");

}  // namespace eclair
