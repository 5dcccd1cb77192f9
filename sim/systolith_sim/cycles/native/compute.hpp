// The weight feeder and the pass sequencer.
#pragma once
#include "buffer.hpp"
#include "jobs.hpp"
#include "nest.hpp"

namespace systolith::cycles {

// Tiles of D between the pass sequencer and the store.
struct Tiles {
    std::vector<Cycle> stored_from;  // of every tile: when its rows can be read
    std::vector<Cycle> released;     // of every tile: when the epilogue is done with it

    // When tile `number` can have an accumulator half and a set of parameters.
    Cycle place(size_t number) const {
        if (number < 2) return ALWAYS;
        return number - 2 < released.size() ? released[number - 2] + 1 : NEVER;
    }
};

class WeightFeeder {
  public:
    WeightFeeder(const Setup& setup, const Jobs& jobs, const Tiles& tiles, Buffer& buffer)
        : s_{setup}, jobs_{jobs}, tiles_{tiles}, buffer_{buffer} {
        line_end_ = s_.line_bytes() - s_.rows;
        group_ = s_.group_bytes();
        gap_ = 1 + std::max<int64_t>(0, s_.swap_to_load - 1);
    }

    // When the next tile can be swapped in.
    Cycle ready() const { return loaded_ ? ready_ : NEVER; }
    void swap(Cycle cycle) {
        loaded_ = false;
        array_free_ = cycle + gap_;
    }

    // Reads what can be read; whether anything was.
    bool settle() {
        bool moved = false;
        while (step()) moved = true;
        return moved;
    }

  private:
    bool step() {
        if (!active_) {
            const Cycle accepted = jobs_.accept(job_ready_);
            if (accepted == NEVER) return false;
            const Descriptor& d = jobs_.descriptor();
            by_column_ = d.by_column;
            nest_.load(d, s_.rows, s_.columns);
            parameters_next_ = d.parameters;
            next_ = accepted + 1;
            active_ = true;
        }
        if (parameters_next_) {
            const Cycle start = std::max({next_, buffer_.ready(1), tiles_.place(tile_)});
            if (start >= NEVER) return false;
            buffer_.take(1);
            buffer_.release(start, s_.parameter_lines);
            next_ = start + s_.parameter_lines;
            parameters_next_ = false;
            return true;
        }
        if (loaded_) return false;
        const int64_t rows = by_column_ ? nest_.n_columns() : nest_.k_depth();
        const bool first_use = !by_column_ || (nest_.k & (group_ - 1)) == 0;
        Cycle start = std::max(next_, array_free_);
        if (first_use) {
            start = std::max(start, buffer_.ready(rows));
            if (start >= NEVER) return false;
            buffer_.take(rows);
        }
        const bool last_use = !by_column_ || nest_.last_k() ||
                              (nest_.k & line_end_) == line_end_;
        if (last_use) buffer_.release(start, rows);
        next_ = start + rows;
        loaded_ = true;
        ready_ = start + s_.load_to_ready;
        tile_ += nest_.first_k();
        parameters_next_ = jobs_.descriptor().parameters && nest_.last_k();
        active_ = !nest_.last();
        job_ready_ = next_ - 1;
        nest_.advance();
        return true;
    }

    const Setup& s_;
    JobCursor jobs_;
    const Tiles& tiles_;
    Buffer& buffer_;
    Nest nest_;
    int64_t line_end_, group_, gap_;
    bool active_ = false, by_column_ = false, parameters_next_ = false, loaded_ = false;
    size_t tile_ = 0;
    Cycle job_ready_ = 0, next_ = 0, array_free_ = ALWAYS, ready_ = NEVER;
};

class PassSequencer {
  public:
    PassSequencer(const Setup& setup, const Jobs& jobs, Tiles& tiles, Buffer& buffer, WeightFeeder& weights)
        : s_{setup}, jobs_{jobs}, tiles_{tiles}, buffer_{buffer}, weights_{weights} {
        line_end_ = s_.line_bytes() - s_.rows;
        group_ = s_.group_bytes();
    }

    std::vector<Cycle> begins;  // of every job accepted
    std::vector<Counters> counters;

    bool settle() {
        bool moved = false;
        while (step()) moved = true;
        return moved;
    }

  private:
    bool step() {
        if (!active_) {
            const Cycle accepted = jobs_.accept(job_ready_);
            if (accepted == NEVER) return false;
            nest_.load(jobs_.descriptor(), s_.rows, s_.columns);
            begins.push_back(accepted);
            counters.push_back({});
            next_ = accepted + 1;
            active_ = true;
        }
        return row_ == 0 ? begin_pass() : later_rows();
    }

    bool begin_pass() {
        const Cycle ready = weights_.ready();
        const Cycle place = nest_.first_k() ? tiles_.place(tile_) : ALWAYS;
        first_use_ = nest_.first_n() && (nest_.k & (group_ - 1)) == 0;
        const Cycle arrival = first_use_ ? buffer_.ready(1) : ALWAYS;
        if (ready == NEVER || place == NEVER || arrival == NEVER) return false;
        Counters& counts = counters.back();
        Cycle now = next_;
        const auto wait = [&now](Cycle until, int64_t& count) {
            if (until > now) {
                count += until - now;
                now = until;
            }
        };
        wait(place, counts.wait_output);
        wait(ready, counts.wait_b);
        wait(arrival, counts.wait_a);
        wait(recovered_, counts.wait_output);
        weights_.swap(now);
        rows_ = nest_.m_rows();
        last_use_ = nest_.last_k() ||
                    (nest_.k & line_end_) == line_end_;
        tile_ += nest_.first_k();
        issue(now, first_use_ ? 1 : rows_);
        return true;
    }

    bool later_rows() {
        const Cycle arrival = buffer_.ready(1);
        if (arrival == NEVER) return false;
        const Cycle now = std::max(next_, arrival);
        counters.back().wait_a += now - next_;
        issue(now, 1);
        return true;
    }

    void issue(Cycle cycle, int64_t rows) {
        if (first_use_) buffer_.take(rows);
        if (last_use_ && nest_.last_n()) buffer_.release(cycle, rows);
        counters.back().compute += rows;
        next_ = cycle + rows;
        row_ += rows;
        if (row_ < rows_) return;
        row_ = 0;
        if (rows_ < s_.hazard) recovered_ = next_ + s_.hazard - rows_;
        if (nest_.last_k()) tiles_.stored_from.push_back(next_ - 1 + s_.issue_to_store);
        active_ = !nest_.last();
        job_ready_ = next_ - 1;
        nest_.advance();
    }

    const Setup& s_;
    JobCursor jobs_;
    Tiles& tiles_;
    Buffer& buffer_;
    WeightFeeder& weights_;
    Nest nest_;
    int64_t line_end_, group_, row_ = 0, rows_ = 0;
    bool active_ = false, first_use_ = false, last_use_ = false;
    size_t tile_ = 0;
    Cycle job_ready_ = 0, next_ = 0, recovered_ = ALWAYS;
};

}  // namespace systolith::cycles
