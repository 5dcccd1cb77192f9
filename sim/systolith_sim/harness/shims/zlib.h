// What Verilator's FST writer needs of zlib, for machines without zlib's headers: no compression. The
// writer stores the smaller of the compressed and the original data, so it stores the original.
#pragma once
#include <cstring>

typedef unsigned char Bytef;
typedef unsigned long uLong;
typedef unsigned long uLongf;
#define Z_OK 0

static inline uLong compressBound(uLong length) { return length; }

static inline int compress2(Bytef* to, uLongf* to_length, const Bytef* from, uLong length, int) {
    std::memcpy(to, from, length);
    *to_length = length;
    return Z_OK;
}
