// Descriptor fetch and read DMA: who may read when.
#pragma once
#include "bus.hpp"
#include "loader.hpp"
#include "queue.hpp"

namespace systolith::cycles {

class DescriptorFetch {
  public:
    DescriptorFetch(const Setup& setup, const Descriptor* descriptors, size_t count, Jobs& jobs)
        : s_{setup}, descriptors_{descriptors}, count_{count}, jobs_{jobs} {}

    std::vector<Cycle> dispatched;
    std::vector<Cycle> released;  // of every descriptor: when its slot becomes free

    // When the next request is offered.
    Cycle valid() const {
        const size_t next = dispatched.size();
        if (next == count_) return NEVER;
        const Cycle idle = next ? dispatched.back() + 1 : 0;
        const size_t slots = s_.descriptor_slots;
        if (next < slots) return idle;
        return next - slots < released.size() ? std::max(idle, released[next - slots] + 1) : NEVER;
    }
    int64_t address() const { return slot(dispatched.size()); }
    int64_t slot(size_t number) const {
        return s_.ring_base + ((s_.first_index + number) & (s_.ring_slots - 1)) * s_.slot_bytes;
    }
    // The last beat is on R in this cycle: collected, checked, dispatched.
    void read(Cycle cycle) {
        const Descriptor& descriptor = descriptors_[dispatched.size()];
        dispatched.push_back(cycle + s_.read_dma + 2);
        if (descriptor.runs) jobs_.push_back({&descriptor, dispatched.back() + s_.queue});
    }

  private:
    const Setup& s_;
    const Descriptor* descriptors_;
    size_t count_;
    Jobs& jobs_;
};

class ReadDma {
  public:
    ReadDma(const Setup& setup, DescriptorFetch& fetch, ALoader& a, BLoader& b, Buffer& a_buffer, Buffer& b_buffer)
        : s_{setup}, fetch_{fetch}, a_{a}, b_{b}, a_buffer_{a_buffer}, b_buffer_{b_buffer},
          pending_{setup.outstanding, setup.queue}, channel_{setup.read_numerator, setup.read_denominator} {}

    // When the next request is granted, as things stand.
    Cycle next() const { return next(fetch_.valid()); }
    // Grants requests up to `limit`, and as far as what is read cannot yet change who is next.
    void grant(Cycle limit) {
        Cycle descriptor = fetch_.valid();
        for (Cycle cycle = next(descriptor); cycle <= limit; cycle = next(descriptor)) {
            if (!grant_one(cycle, descriptor, limit)) continue;
            limit = std::min(limit, cycle + s_.read_latency + s_.read_dma + 2);
            descriptor = fetch_.valid();
        }
    }

  private:
    Cycle next(Cycle descriptor) const {
        const Cycle valid = std::min({descriptor, a_.valid(), b_.valid()});
        return valid == NEVER ? NEVER : std::max({valid, splitter_free_, pending_.writable()});
    }

    // Whether anyone may go on when the data are there: B is used a panel at a time.
    bool grant_one(Cycle cycle, Cycle descriptor, Cycle limit) {
        if (descriptor <= cycle) {
            fetch_.read(read(cycle, fetch_.address(), s_.record_beats()));
            return true;
        }
        if (a_.valid() <= cycle && (b_.valid() > cycle || a_first())) {
            a_buffer_.arrive(read(cycle, a_.panel().address, a_.panel().beats) + s_.read_dma + 1);
            a_.grant(cycle);
            return true;
        }
        // The rest of the panel, until another request goes before it.
        const Cycle until = std::min({limit + 1, descriptor, a_first() ? a_.valid() : NEVER});
        do {
            b_buffer_.arrive(read(cycle, b_.panel().address, b_.panel().beats) + s_.read_dma + 1);
            if (b_.grant(cycle)) return true;
            cycle = std::max({b_.valid(), splitter_free_, pending_.writable()});
        } while (cycle < until);
        return false;
    }

    bool a_first() const {
        const Panel &a = a_.panel(), &b = b_.panel();
        const uint16_t blocks_ahead = b.block - a.block;
        if (blocks_ahead == 0) return b.later_sweep || a.line < b.line;
        return !(blocks_ahead >> 15);
    }

    // Reads beats; the cycle of the last one on R.
    Cycle read(Cycle cycle, int64_t address, int64_t beats) {
        const int64_t first = first_burst(s_, address, beats);
        Cycle end = channel_.transfer(cycle + 1 + s_.read_latency, first);
        splitter_free_ = cycle + 1;
        if (first < beats) end = channel_.transfer(++splitter_free_ + s_.read_latency, beats - first);
        pending_.write(cycle);
        pending_.pop(end + s_.read_dma);
        return end;
    }

    const Setup& s_;
    DescriptorFetch& fetch_;
    ALoader& a_;
    BLoader& b_;
    Buffer &a_buffer_, &b_buffer_;
    Queue pending_;
    Channel channel_;
    Cycle splitter_free_ = ALWAYS;
};

}  // namespace systolith::cycles
