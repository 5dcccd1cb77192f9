// One accepted burst address, and the rules that it must keep.
#pragma once
#include <cstdint>

#include "checker.hpp"

namespace systolith {

struct Address {
    uint32_t address;
    uint8_t length;  // beats - 1
    uint8_t size;    // binary logarithm of the bytes per beat
    uint8_t burst;   // 1: incrementing
    uint8_t id;

    bool operator==(const Address& other) const {
        return address == other.address && length == other.length && size == other.size &&
               burst == other.burst && id == other.id;
    }
    unsigned beats() const { return length + 1u; }
};

template <unsigned BYTES>
void check_address(Checker& checker, uint64_t cycle, const char* channel, const Address& a) {
    if (a.burst != 1)
        checker.fail(cycle, "burst-type", "%s: burst type must be 1 (incrementing), not %u", channel,
                     a.burst);
    else if (1u << a.size != BYTES)
        checker.fail(cycle, "burst-size", "%s: beats must be the bus's %u bytes, not %u", channel, BYTES,
                     1u << a.size);
    else if (a.address % BYTES)
        checker.fail(cycle, "alignment", "%s: address must be a multiple of %u, not 0x%08x", channel, BYTES,
                     a.address);
    else if (a.address % 4096 + a.beats() * BYTES > 4096)
        checker.fail(cycle, "burst-4k", "%s: %u beats of %u bytes at 0x%08x cross a 4 KiB boundary", channel,
                     a.beats(), BYTES, a.address);
}

}  // namespace systolith
