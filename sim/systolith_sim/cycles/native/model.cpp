// Predicts the cycle counters of a queue of descriptors.
//
// What a unit does is computed, with its time, as soon as it is known: its effects on others carry their
// times. Only where the order of events decides, at the two arbiters and at the completion, are they taken
// in the order of time. Nothing that is not known yet can come before the earliest of these.
#include "write.hpp"

namespace systolith::cycles {

class Model {
  public:
    Model(const Setup& setup, const Descriptor* descriptors, size_t count)
        : s_{setup}, fetch_{setup, descriptors, count, jobs_},
          completion_{setup, descriptors, count, fetch_, passes_, writes_} {}

    bool run() {
        while (!completion_.done()) {
            settle();
            const Cycle read = reads_.next(), write = writes_.next(), end = completion_.next();
            if (std::min({read, write, end}) == NEVER) return false;
            if (read <= std::min(write, end))
                reads_.grant(std::min(write, end));
            else if (write <= end)
                grant_writes(std::min(read, end));
            else
                completion_.close(end);
        }
        return true;
    }

    void report(Counters* out) const {
        Cycle before = -1;
        for (size_t i = 0; i < completion_.ends.size(); ++i) {
            Counters counts = passes_.counters[i];
            counts.total = completion_.ends[i] - before;
            counts.fill = passes_.begins[i] - before;
            counts.drain = counts.total - counts.fill - counts.compute - counts.wait_a - counts.wait_b -
                           counts.wait_output;
            before = completion_.ends[i];
            out[i] = counts;
        }
    }

  private:
    // Grants writes up to `limit`, until one has an effect beyond the store.
    void grant_writes(Cycle limit) {
        const size_t released = tiles_.released.size(), stored = writes_.stored.size();
        do {
            const Cycle recorded = writes_.grant(writes_.next());
            if (recorded != NEVER) return completion_.recorded(recorded);
            store_.settle();
        } while (writes_.next() <= limit && tiles_.released.size() == released && writes_.stored.size() == stored);
    }
    void settle() {
        do {
            a_loader_.settle();
            b_loader_.settle();
        } while (weights_.settle() | passes_.settle() | store_.settle());
    }

    const Setup& s_;
    Jobs jobs_;
    Tiles tiles_;
    Buffer a_buffer_{s_.a_buffer_lines}, b_buffer_{s_.b_buffer_lines};
    ALoader a_loader_{s_, jobs_, a_buffer_};
    BLoader b_loader_{s_, jobs_, b_buffer_};
    WeightFeeder weights_{s_, jobs_, tiles_, b_buffer_};
    PassSequencer passes_{s_, jobs_, tiles_, a_buffer_, weights_};
    Store store_{s_, jobs_, tiles_};
    WriteDma writes_{s_, store_};
    DescriptorFetch fetch_;
    ReadDma reads_{s_, fetch_, a_loader_, b_loader_, a_buffer_, b_buffer_};
    Completion completion_;
};

}  // namespace systolith::cycles

// Whether the model came to the end; the counters of the descriptors that are run, in order.
extern "C" int systolith_predict(const systolith::cycles::Setup* setup,
                                 const systolith::cycles::Descriptor* descriptors, uint64_t count,
                                 systolith::cycles::Counters* counters) {
    systolith::cycles::Model model{*setup, descriptors, count};
    if (!model.run()) return 0;
    model.report(counters);
    return 1;
}
