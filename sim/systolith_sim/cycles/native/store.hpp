// From finished tiles to beats: store sequencer, epilogue and row packer.
#pragma once
#include <array>

#include "compute.hpp"

namespace systolith::cycles {

// A row's write, as the write DMA is told of it.
struct RowWrite {
    int64_t address, beats;
    bool end;  // its descriptor's last
};

class Store {
  public:
    Store(const Setup& setup, const Jobs& jobs, Tiles& tiles) : s_{setup}, jobs_{jobs}, tiles_{tiles} {}

    // The next row that the write DMA may take.
    Cycle offered() const {
        return granted_ == accepted_ ? NEVER
                                     : std::max(at(accepted_at_, granted_) + s_.queue, last_grant_ + 1);
    }
    const RowWrite& write() const { return at(writes_, granted_); }
    // The write DMA takes it; when its first beat is there at the earliest.
    Cycle grant(Cycle cycle) {
        pack_known();
        at(granted_at_, granted_) = last_grant_ = cycle;
        const Cycle ready = at(packed_, granted_) + 1;
        ++granted_;
        return ready;
    }
    // Its last beat is sent in this cycle.
    void sent(Cycle cycle) {
        sent_ = cycle;
        ++sent_rows_;
    }

    bool settle() {
        bool moved = false;
        for (;;) {
            if (entering_) {
                if (!enter()) return moved;
            } else if (!accept()) {
                return moved;
            }
            moved = true;
        }
    }

  private:
    static constexpr size_t RING = 64;
    template <typename T>
    using Ring = std::array<T, RING>;
    template <typename T>
    static T& at(Ring<T>& ring, size_t index) {
        return ring[index % RING];
    }
    template <typename T>
    static const T& at(const Ring<T>& ring, size_t index) {
        return ring[index % RING];
    }

    // When the queue of row writes has room for the next row.
    Cycle writable() const {
        const size_t inner = s_.write_queue - 1;
        if (accepted_ < inner) return ALWAYS;
        const size_t moved = accepted_ - inner;
        const Cycle in_memory = at(accepted_at_, moved) + s_.queue;
        if (moved == 0) return in_memory;
        return moved > granted_ ? NEVER : std::max(in_memory, at(granted_at_, moved - 1) + 1);
    }

    bool accept() {
        if (!active_) {
            const Cycle accepted = jobs_.accept(job_ready_);
            if (accepted == NEVER) return false;
            const Descriptor& d = jobs_.descriptor();
            nest_.load(d, 1, s_.columns);
            nest_.one_step();
            next_ = accepted + 1;
            active_ = true;
        }
        if (tile_ == tiles_.stored_from.size()) return false;
        const Cycle room = writable();
        if (room == NEVER) return false;
        const Cycle cycle = std::max({next_, tiles_.stored_from[tile_], entered_, room});
        const Descriptor& d = jobs_.descriptor();
        const int64_t row = nest_.m + row_;
        const int64_t address = d.d_address + nest_.batch * d.d_batch_stride + row * d.d_stride;
        const int64_t columns = nest_.n_columns();
        const bool last_row = row_ == nest_.m_rows() - 1;
        at(accepted_at_, accepted_) = cycle;
        at(writes_, accepted_) = {
            .address = address + whole(nest_.n * d.result_bytes, s_.bus_log2),
            .beats = units(columns * d.result_bytes, s_.bus_log2),
            .end = last_row && nest_.last(),
        };
        ++accepted_;
        next_ = cycle + 1;
        entered_ = cycle;
        entering_ = true;
        group_ = 0;
        groups_ = ceil_div(columns, s_.epilogue_lanes);
        tile_end_ = last_row;
        ++row_;
        if (last_row) {
            row_ = 0;
            ++tile_;
            active_ = !nest_.last();
            job_ready_ = cycle;
            nest_.advance();
        }
        return true;
    }

    // The next group of the row enters the lanes.
    bool enter() {
        pack_known();
        const size_t places = s_.epilogue_places;
        if (entries_ - packed_entries_ >= places) return false;
        const Cycle place = entries_ < places ? ALWAYS : at(popped_, entries_ - places) + 1;
        entered_ = std::max(entered_ + 1, place);
        ++group_;
        const bool row_end = group_ == groups_;
        at(entered_at_, entries_) = entered_;
        at(row_ends_, entries_) = row_end;
        ++entries_;
        if (row_end) {
            entering_ = false;
            if (tile_end_) tiles_.released.push_back(entered_);
        }
        return true;
    }

    // Notes when the packer takes the groups that have entered, as far as that is known.
    void pack_known() {
        while (packed_entries_ < entries_) {
            Cycle cycle = std::max(at(entered_at_, packed_entries_) + s_.lanes + s_.queue, last_pop_ + 1);
            if (at(row_ends_, packed_entries_)) {
                if (packed_rows_ > sent_rows_) return;
                cycle = std::max(cycle, sent_);
                at(packed_, packed_rows_) = cycle;
                ++packed_rows_;
            }
            at(popped_, packed_entries_) = last_pop_ = cycle;
            ++packed_entries_;
        }
    }

    const Setup& s_;
    JobCursor jobs_;
    Tiles& tiles_;
    Nest nest_;
    int64_t row_ = 0, group_ = 0, groups_ = 0;
    bool active_ = false, entering_ = false, tile_end_ = false;
    size_t tile_ = 0;
    // Rows accepted, granted by the write DMA, packed, and sent.
    size_t accepted_ = 0, granted_ = 0, packed_rows_ = 0, sent_rows_ = 0;
    Ring<Cycle> accepted_at_{}, granted_at_{}, packed_{};
    Ring<RowWrite> writes_{};
    // Groups that entered the lanes, and that the packer took.
    size_t entries_ = 0, packed_entries_ = 0;
    Ring<Cycle> entered_at_{}, popped_{};
    Ring<bool> row_ends_{};
    Cycle job_ready_ = 0, next_ = 0, entered_ = ALWAYS, last_grant_ = ALWAYS, last_pop_ = ALWAYS, sent_ = ALWAYS;
};

}  // namespace systolith::cycles
