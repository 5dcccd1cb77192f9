// Write DMA and completion: rows of results and records to memory.
#pragma once
#include "bus.hpp"
#include "queue.hpp"
#include "read.hpp"
#include "store.hpp"

namespace systolith::cycles {

class WriteDma {
  public:
    WriteDma(const Setup& setup, Store& store)
        : s_{setup}, store_{store}, data_{setup.outstanding, setup.queue},
          responses_{setup.outstanding, setup.queue}, channel_{setup.write_numerator, setup.write_denominator} {}

    std::vector<Cycle> stored;  // of every job: when the completion knows that its results are in memory

    // A completion record is offered from `cycle` on.
    void offer_record(Cycle cycle, int64_t address) {
        record_ = cycle;
        record_address_ = address;
    }
    // When the next write is granted, as things stand.
    Cycle next() const {
        const Cycle valid = std::min(record_, store_.offered());
        return valid == NEVER ? NEVER : std::max(valid, splitter_free_);
    }
    // Grants it; the cycle of its last beat if it was a record, NEVER otherwise.
    Cycle grant(Cycle cycle) {
        if (record_ <= cycle) {
            record_ = NEVER;
            return write(cycle, record_address_, s_.record_beats(), ALWAYS);
        }
        const RowWrite row = store_.write();
        const Cycle ready = store_.grant(cycle);
        store_.sent(write(cycle, row.address, row.beats, ready));
        if (row.end) stored.push_back(response_ + 2);
        return NEVER;
    }

  private:
    Cycle write(Cycle cycle, int64_t address, int64_t beats, Cycle ready) {
        const int64_t first = first_burst(s_, address, beats);
        splitter_free_ = cycle;
        Cycle end = burst(first, ready);
        if (first < beats) end = burst(beats - first, ready);
        return end;
    }
    Cycle burst(int64_t beats, Cycle ready) {
        splitter_free_ = std::max({splitter_free_ + 1, data_.writable(), responses_.writable()});
        const Cycle end = channel_.transfer(std::max(ready, data_.write(splitter_free_)), beats);
        data_.pop(end);
        responses_.write(splitter_free_);
        response_ = std::max(end + s_.write_latency, response_ + 1);
        responses_.pop(response_ + 1);
        return end;
    }

    const Setup& s_;
    Store& store_;
    Queue data_, responses_;
    Channel channel_;
    Cycle record_ = NEVER, splitter_free_ = ALWAYS, response_ = ALWAYS;
    int64_t record_address_ = 0;
};

class Completion {
  public:
    Completion(const Setup& setup, const Descriptor* descriptors, size_t count, DescriptorFetch& fetch,
               const PassSequencer& passes, WriteDma& writes)
        : s_{setup}, descriptors_{descriptors}, count_{count}, fetch_{fetch}, passes_{passes}, writes_{writes} {}

    std::vector<Cycle> ends;  // of every job: the last cycle that it is charged
    bool done() const { return number_ == count_ && !writing_; }

    // When the next descriptor's end is seen, as things stand.
    Cycle next() const {
        if (writing_ || number_ >= fetch_.dispatched.size()) return NEVER;
        const Cycle valid = std::max(fetch_.dispatched[number_] + s_.queue, free_);
        if (!descriptors_[number_].runs) return valid;
        return ends.size() < writes_.stored.size() ? std::max(valid, writes_.stored[ends.size()]) : NEVER;
    }
    void close(Cycle cycle) {
        Cycle end = cycle;
        if (descriptors_[number_].runs) {
            const size_t next_job = ends.size() + 1;
            const bool handed_on = next_job < passes_.begins.size() && passes_.begins[next_job] < cycle;
            ends.push_back(handed_on ? passes_.begins[next_job] : cycle);
            end = std::max(cycle, ends.back() + s_.queue);
        }
        writes_.offer_record(end + 1, fetch_.slot(number_) + s_.record_bytes);
        writing_ = true;
        ++number_;
    }
    // The last beat of the record is sent in this cycle.
    void recorded(Cycle cycle) {
        fetch_.released.push_back(cycle);
        free_ = cycle + 1;
        writing_ = false;
    }

  private:
    const Setup& s_;
    const Descriptor* descriptors_;
    size_t count_, number_ = 0;
    DescriptorFetch& fetch_;
    const PassSequencer& passes_;
    WriteDma& writes_;
    bool writing_ = false;
    Cycle free_ = ALWAYS;
};

}  // namespace systolith::cycles
