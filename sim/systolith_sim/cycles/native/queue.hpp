// Queues whose entries are popped at times that are known soon after they are written.
#pragma once
#include <vector>

#include "types.hpp"

namespace systolith::cycles {

// Amaranth's SyncFIFOBuffered: a memory of depth - 1 entries before an output register. An entry moves to
// the register a cycle before it is valid, or when its predecessor is popped; what counts as full is the
// memory. The depth is a power of two.
class Queue {
  public:
    Queue(int64_t depth, int64_t latency) : depth_{depth}, latency_{latency}, moved_(depth) {}

    // When the next entry can be written at the earliest.
    Cycle writable() const { return count_ < depth_ - 1 ? ALWAYS : moved_[(count_ + 1) & (depth_ - 1)] + 1; }
    // Writes it; when it is valid.
    Cycle write(Cycle cycle) {
        const Cycle moved = std::max(cycle + latency_ - 1, popped_);
        moved_[count_++ & (depth_ - 1)] = moved;
        return moved + 1;
    }
    // The entry written last is popped.
    void pop(Cycle cycle) { popped_ = cycle; }

  private:
    int64_t depth_, latency_, count_ = 0;
    Cycle popped_ = ALWAYS;
    std::vector<Cycle> moved_;
};

}  // namespace systolith::cycles
