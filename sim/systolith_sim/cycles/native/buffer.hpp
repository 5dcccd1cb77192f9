// An operand buffer: when rows arrive in it, and when its lines become free.
#pragma once
#include <vector>

#include "types.hpp"

namespace systolith::cycles {

class Buffer {
  public:
    explicit Buffer(int64_t lines) : lines_{lines}, arrivals_(lines) {}

    // A row is there, visible to the consumer from `cycle` on.
    void arrive(Cycle cycle) { arrivals_[arrived_++ & (lines_ - 1)] = cycle; }
    // When `rows` rows are there that have not been taken.
    Cycle ready(int64_t rows) const {
        return taken_ + rows > arrived_ ? NEVER : arrivals_[(taken_ + rows - 1) & (lines_ - 1)];
    }
    void take(int64_t rows) { taken_ += rows; }

    // Lines become free, one a cycle, the first in `cycle`.
    void release(Cycle cycle, int64_t lines) {
        if (!segments_.empty() && segments_.back().start + segments_.back().lines == cycle)
            segments_.back().lines += lines;
        else
            segments_.push_back({cycle, lines});
    }
    // When `lines` more can be reserved.
    Cycle free(int64_t lines) {
        const int64_t releases = reserved_ + lines - lines_;
        if (releases <= 0) return ALWAYS;
        if (segments_.empty()) return NEVER;
        // The last segment may still grow.
        while (passed_ + segments_[head_].lines < releases) {
            if (head_ + 1 == segments_.size()) return NEVER;
            passed_ += segments_[head_++].lines;
        }
        return segments_[head_].start + (releases - passed_);
    }
    void reserve(int64_t lines) { reserved_ += lines; }

  private:
    struct Segment {
        Cycle start;
        int64_t lines;
    };
    int64_t lines_, arrived_ = 0, taken_ = 0, reserved_ = 0, passed_ = 0;
    size_t head_ = 0;
    std::vector<Cycle> arrivals_;
    std::vector<Segment> segments_;
};

}  // namespace systolith::cycles
