// Bandwidth of one data channel as a rational number of beats per cycle.
#pragma once
#include <cstdint>

namespace systolith {

// Times are counted in ticks of 1/numerator of a cycle, so that a beat lasts `denominator` ticks and the
// sum of many beats is exact. A beat that comes later than it could have restarts the count at its cycle.
class Rate {
  public:
    void configure(uint64_t numerator, uint64_t denominator) {
        numerator_ = numerator;
        denominator_ = denominator;
        free_ticks_ = 0;
        limited_ = numerator != denominator;
    }
    bool allows(uint64_t cycle) const { return !limited_ || numerator_ * cycle >= free_ticks_; }
    void transfer(uint64_t cycle) {
        if (!limited_) return;
        const uint64_t now_ticks = numerator_ * cycle;
        const bool on_time = free_ticks_ + numerator_ > now_ticks;
        free_ticks_ = (on_time ? free_ticks_ : now_ticks) + denominator_;
    }

  private:
    uint64_t numerator_ = 1;
    uint64_t denominator_ = 1;
    uint64_t free_ticks_ = 0;
    bool limited_ = false;
};

}  // namespace systolith
