// The kernels for x86, for ctypes: what test_strips.py calls.
#include "attention.h"
#include "strips.h"

using namespace eclair;

// `rows` are `count` rows in Q8_0; every four are interleaved by eight, as llama.cpp does, and the rest go one by one.
template <class Strip>
static void all(int n, int columns, int count, const void * matrix, const Rows<1> * rows, float * out) {
    const int blocks = n / BLOCK;
    std::vector<Strip> strips(columns / STRIP * blocks / Strip::BLOCKS);
    lay(strips.data(), static_cast<const typename Strip::Row *>(matrix), n, columns);
    const int fours = count / 4 * 4;
    std::vector<Rows<4>> interleaved(fours / 4 * blocks);
    for (int row = 0; row < fours; row++) {
        for (int b = 0; b < blocks; b++) {
            Rows<4> & four = interleaved[row / 4 * blocks + b];
            four.scales[row % 4] = rows[row * blocks + b].scales[0];
            for (int i = 0; i < BLOCK; i++) {
                four.numbers[(i / PIECE * 4 + row % 4) * PIECE + i % PIECE] = rows[row * blocks + b].numbers[i];
            }
        }
    }
    multiply_all(n, out, columns, strips.data(), interleaved.data(), fours, columns);
    for (int row = fours; row < count; row++) {
        multiply(n, out + row * columns, 0, strips.data(), rows + row * blocks, columns);
    }
}

extern "C" {
void q4_0(int n, int columns, int count, const void * matrix, const void * rows, float * out) {
    all<StripQ4_0>(n, columns, count, matrix, static_cast<const Rows<1> *>(rows), out);
}
void q4_1(int n, int columns, int count, const void * matrix, const void * rows, float * out) {
    all<StripQ4_1>(n, columns, count, matrix, static_cast<const Rows<1> *>(rows), out);
}
void q8_0(int n, int columns, int count, const void * matrix, const void * rows, float * out) {
    all<StripQ8_0>(n, columns, count, matrix, static_cast<const Rows<1> *>(rows), out);
}
void q4_k(int n, int columns, int count, const void * matrix, const void * rows, float * out) {
    all<StripQ4_K>(n, columns, count, matrix, static_cast<const Rows<1> *>(rows), out);
}
void q6_k(int n, int columns, int count, const void * matrix, const void * rows, float * out) {
    all<StripQ6_K>(n, columns, count, matrix, static_cast<const Rows<1> *>(rows), out);
}

bool attention(int64_t width, const float * query, float scale, const void * keys, const void * values, int64_t step,
               const uint16_t * mask, float slope, int64_t first, int64_t end, float * most, float * total, float * sums) {
    *most = NOTHING;
    *total = 0.0f;
    return attend(width, width, query, scale, static_cast<const char *>(keys), step, static_cast<const char *>(values),
                  step, mask, slope, first, end, *most, *total, sums);
}
}
