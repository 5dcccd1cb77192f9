// What Verilator's FST writer needs of LZ4, for machines without LZ4's headers: a compressor of the LZ4
// block format that looks for the last place with the same four bytes.
#pragma once
#include <cstdint>
#include <cstring>
#include <vector>

static inline int LZ4_compressBound(int length) { return length + length / 255 + 16; }

static inline int LZ4_compress_default(const char* from, char* to, int length, int) {
    constexpr int MIN_MATCH = 4;
    constexpr int MATCH_LIMIT = 12;  // the format: no match begins in the last 12 bytes,
    constexpr int LITERAL_TAIL = 5;  // and the last 5 are literals
    constexpr int MAX_DISTANCE = 65535;
    constexpr int HASH_BITS = 14;
    char* out = to;
    const auto extend = [&out](int rest) {
        for (; rest >= 255; rest -= 255) *out++ = static_cast<char>(255);
        *out++ = static_cast<char>(rest);
    };
    const auto emit = [&](int begin, int end, int distance, int match) {
        const int literals = end - begin;
        const int extra = distance ? match - MIN_MATCH : 0;
        *out++ = static_cast<char>((literals < 15 ? literals : 15) << 4 | (extra < 15 ? extra : 15));
        if (literals >= 15) extend(literals - 15);
        std::memcpy(out, from + begin, literals);
        out += literals;
        if (!distance) return;
        *out++ = static_cast<char>(distance & 255);
        *out++ = static_cast<char>(distance >> 8);
        if (extra >= 15) extend(extra - 15);
    };
    std::vector<int> last_place(1 << HASH_BITS, -1);
    int begin = 0;
    for (int at = 0; at < length - MATCH_LIMIT;) {
        uint32_t word;
        std::memcpy(&word, from + at, sizeof word);
        int& place = last_place[word * 2654435761u >> (32 - HASH_BITS)];
        const int candidate = place;
        place = at;
        if (candidate < 0 || at - candidate > MAX_DISTANCE ||
            std::memcmp(from + candidate, from + at, MIN_MATCH) != 0) {
            ++at;
            continue;
        }
        int match = MIN_MATCH;
        while (at + match < length - LITERAL_TAIL && from[candidate + match] == from[at + match]) ++match;
        emit(begin, at, at - candidate, match);
        at += match;
        begin = at;
    }
    emit(begin, length, 0, 0);
    return static_cast<int>(out - to);
}
