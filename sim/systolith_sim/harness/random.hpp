// Random stalls: a counter-based generator, so that a stall depends on seed, channel and cycle only.
#pragma once
#include <cstdint>

namespace systolith {

inline uint64_t splitmix64(uint64_t value) {
    value += 0x9E3779B97F4A7C15u;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
}

// A channel stalls in cycle t (counted from the cycle in which the timing was set) when the upper half of
// splitmix64(key + t) is below the threshold, where key = splitmix64(seed + (channel << 56)).
class Stall {
  public:
    void configure(uint64_t seed, uint64_t channel, uint64_t threshold, uint64_t origin) {
        key_ = splitmix64(seed + (channel << 56)) - origin;
        threshold_ = threshold;
    }
    bool at(uint64_t cycle) const { return threshold_ && (splitmix64(key_ + cycle) >> 32) < threshold_; }

  private:
    uint64_t key_ = 0;
    uint64_t threshold_ = 0;
};

}  // namespace systolith
