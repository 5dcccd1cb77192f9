// The memory's data channels and the burst splitters before them.
#pragma once
#include "types.hpp"

namespace systolith::cycles {

// A data channel: as harness/rate.hpp, many beats at once.
class Channel {
  public:
    Channel(int64_t numerator, int64_t denominator) : numerator_{numerator}, denominator_{denominator} {}

    // Transfers beats, the first not before `ready`; the cycle of the last.
    Cycle transfer(Cycle ready, int64_t beats) {
        if (numerator_ == denominator_) {
            last_ = std::max(ready, last_ + 1) + beats - 1;
            return last_;
        }
        const Cycle first = std::max(ready, ceil_div(free_ticks_, numerator_));
        const bool on_time = free_ticks_ + numerator_ > numerator_ * first;
        free_ticks_ = (on_time ? free_ticks_ : numerator_ * first) + denominator_ * beats;
        return beats == 1 ? first : ceil_div(free_ticks_ - denominator_, numerator_);
    }

  private:
    int64_t numerator_, denominator_;
    Cycle last_ = -1;
    int64_t free_ticks_ = 0;
};

// Beats of a transfer before the boundary that no burst may cross.
inline int64_t first_burst(const Setup& setup, int64_t address, int64_t beats) {
    const int64_t room = (setup.boundary_bytes - (address & (setup.boundary_bytes - 1))) >> setup.bus_log2;
    return std::min(beats, room);
}

}  // namespace systolith::cycles
