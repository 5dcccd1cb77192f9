// The descriptors that are run, as the units' queues offer them.
#pragma once
#include <vector>

#include "types.hpp"

namespace systolith::cycles {

struct Job {
    const Descriptor* descriptor;
    Cycle available;  // the units may accept it from then on
};

using Jobs = std::vector<Job>;

// How far a unit has come in its queue.
class JobCursor {
  public:
    explicit JobCursor(const Jobs& jobs) : jobs_{jobs} {}

    // Accepts the next job, from `ready` on; when, or NEVER if it has not been dispatched.
    Cycle accept(Cycle ready) {
        if (next_ == jobs_.size()) return NEVER;
        return std::max(ready, jobs_[next_++].available);
    }
    const Descriptor& descriptor() const { return *jobs_[next_ - 1].descriptor; }
    size_t number() const { return next_ - 1; }

  private:
    const Jobs& jobs_;
    size_t next_ = 0;
};

}  // namespace systolith::cycles
