// The loaders: panels of A and B, row by row.
#pragma once
#include "buffer.hpp"
#include "jobs.hpp"
#include "nest.hpp"

namespace systolith::cycles {

struct Panel {
    int64_t address, stride, rows, lines, beats;
    int64_t block, later_sweep, line;  // its order
    bool block_end;                    // the next panel waits for its last request
};

// PanelLoader, and what ALoader and BLoader have in common. `Walk` makes the panels.
template <typename Walk>
class Loader {
  public:
    Loader(const Setup& setup, const Jobs& jobs, Buffer& buffer) : walk_{setup}, jobs_{jobs}, buffer_{buffer} {}

    Cycle valid() const { return valid_; }  // when the next request is offered
    const Panel& panel() const { return panel_; }

    // The offered request is granted; whether it was the panel's last.
    bool grant(Cycle cycle) {
        if (--panel_.rows) {
            panel_.address += panel_.stride;
            valid_ = cycle + 1;
            return false;
        }
        valid_ = NEVER;
        done_ = cycle;
        walking_ = false;
        if (panel_.block_end) offered_ = cycle + 2;
        settle();
        return true;
    }

    // Begins and stages what can be.
    void settle() {
        for (;;) {
            if (!staged_ && !stage()) return;
            if (walking_) return;
            const int64_t size = next_.lines * next_.rows;
            const Cycle free = buffer_.free(size);
            if (free == NEVER) return;
            const Cycle begin = std::max({staged_at_ + 1, done_, free});
            buffer_.reserve(size);
            panel_ = next_;
            staged_ = false;
            stage_free_ = begin;
            walking_ = true;
            valid_ = begin + 1;
        }
    }

  private:
    bool stage() {
        if (!active_) {
            const Cycle accepted = jobs_.accept(job_ready_);
            if (accepted == NEVER) return false;
            walk_.load(jobs_.descriptor());
            offered_ = accepted + 1;
            active_ = true;
        }
        if (offered_ == NEVER) return false;
        staged_at_ = std::max(offered_, stage_free_);
        staged_ = true;
        next_ = walk_.panel();
        offered_ = next_.block_end ? NEVER : staged_at_ + 1;
        active_ = walk_.advance();
        job_ready_ = staged_at_ + 1;
        return true;
    }

    Walk walk_;
    JobCursor jobs_;
    Buffer& buffer_;
    bool active_ = false, staged_ = false, walking_ = false;
    Cycle job_ready_ = 0, offered_ = NEVER, stage_free_ = ALWAYS, staged_at_ = 0, done_ = ALWAYS, valid_ = NEVER;
    Panel next_{}, panel_{};
};

class WalkA {
  public:
    explicit WalkA(const Setup& setup) : s_{setup}, group_{setup.group_bytes()} {}

    void load(const Descriptor& d) {
        d_ = &d;
        nest_.load(d, group_, 1);
        nest_.one_tile();
    }
    Panel panel() const {
        const int64_t depth = nest_.k_depth();
        return {
            .address = d_->a_address + nest_.batch * d_->a_batch_stride + nest_.m * d_->a_stride + nest_.k,
            .stride = d_->a_stride,
            .rows = nest_.m_rows(),
            .lines = units(depth, s_.line_log2),
            .beats = units(depth, s_.bus_log2),
            .block = block_,
            .later_sweep = 0,
            .line = nest_.k >> s_.line_log2,
            .block_end = nest_.last_k() && !nest_.last_m(),
        };
    }
    // On to the next panel; whether there is one.
    bool advance() {
        block_ += nest_.last_k();
        const bool last = nest_.last();
        nest_.advance();
        return !last;
    }

  private:
    const Setup& s_;
    int64_t group_, block_ = 0;
    const Descriptor* d_ = nullptr;
    Nest nest_;
};

class WalkB {
  public:
    explicit WalkB(const Setup& setup)
        : s_{setup}, group_{setup.group_bytes()},
          fetch_{std::max(INT64_C(1) << setup.bus_log2, setup.columns)} {}

    void load(const Descriptor& d) {
        d_ = &d;
        nest_.load(d, d.by_column ? group_ : s_.rows, s_.columns);
        parameters_next_ = d.parameters;
    }
    Panel panel() const {
        Panel panel{};
        panel.stride = d_->b_stride;
        panel.block = block_;
        panel.later_sweep = !nest_.first_n();
        panel.line = nest_.k >> s_.line_log2;
        const int64_t matrix = d_->b_address + nest_.batch * d_->b_batch_stride;
        const int64_t depth = nest_.k_depth();
        if (parameters_next_) {
            const int64_t set = s_.parameter_lines << s_.line_log2;
            const int64_t begin = nest_.n * s_.parameter_bytes;
            panel.address = d_->parameter_address + (begin & ~(set - 1));
            panel.rows = 1;
            panel.lines = s_.parameter_lines;
            panel.beats = beats(std::min(nest_.n_left() * s_.parameter_bytes + (begin & (set - 1)), set));
        } else if (d_->by_column) {
            panel.address = matrix + nest_.n * d_->b_stride + nest_.k;
            panel.rows = nest_.n_columns();
            panel.lines = units(depth, s_.line_log2);
            panel.beats = beats(depth);
        } else {
            panel.address = matrix + nest_.k * d_->b_stride + (nest_.n & ~(fetch_ - 1));
            panel.rows = depth;
            panel.lines = 1;
            panel.beats = beats(std::min(nest_.n_left() + (nest_.n & (fetch_ - 1)), fetch_));
        }
        return panel;
    }
    bool advance() {
        if (parameters_next_) {
            parameters_next_ = false;
            return true;
        }
        block_ += nest_.last_k() && nest_.last_n();
        parameters_next_ = d_->parameters && nest_.last_k();
        const bool last = nest_.last();
        nest_.advance();
        return !last;
    }

  private:
    int64_t beats(int64_t bytes) const { return units(bytes, s_.bus_log2); }

    const Setup& s_;
    int64_t group_;
    int64_t fetch_;  // bytes of a row of a K×N matrix that are fetched for a tile
    int64_t block_ = 0;
    bool parameters_next_ = false;
    const Descriptor* d_ = nullptr;
    Nest nest_;
};

using ALoader = Loader<WalkA>;
using BLoader = Loader<WalkB>;

}  // namespace systolith::cycles
