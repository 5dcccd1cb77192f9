// The structures that C++ and Python (library.py) share, field for field.
#pragma once
#include <cstdint>

namespace systolith {

enum Channel { AR, R, AW, W, B, CHANNELS };

enum Response : uint8_t { OKAY = 0, SLVERR = 2, DECERR = 3 };

// Why a call returned.
enum Outcome : int32_t {
    REACHED = 0,    // the condition holds, or the transaction ended
    EXHAUSTED = 1,  // the cycles were used up first
    VIOLATION = 2,  // a bus rule was broken: see the message
    FATAL = 3,      // the model itself failed: see the message
};

enum Until : int32_t { CYCLES = 0, IRQ = 1, MEMORY = 2 };

struct Timing {
    uint64_t read_latency;
    uint64_t write_latency;
    uint64_t read_numerator, read_denominator;
    uint64_t write_numerator, write_denominator;
    uint64_t stall_threshold[CHANNELS];  // probability × 2^32
    uint64_t seed;
};

struct Outstanding {
    uint64_t reads;            // bursts accepted whose last beat has not been transferred
    uint64_t read_address;     // of the next beat of the oldest
    uint64_t read_beats;       // beats of the oldest still to come
    uint64_t writes;           // bursts whose address was accepted and whose response was not
    uint64_t write_address;    // of the oldest
    uint64_t write_beats;      // beats of the first burst without all its data still to come
    uint64_t early_beats;      // beats of data accepted before their address
    uint64_t waiting;          // bit per channel: valid and not ready in the last cycle
};

}  // namespace systolith
