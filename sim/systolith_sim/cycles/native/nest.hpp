// The loop nest that every unit walks: TileLoop.
#pragma once
#include "types.hpp"

namespace systolith::cycles {

class Nest {
  public:
    int64_t m = 0, k = 0, n = 0, batch = 0;  // where the iteration begins

    void load(const Descriptor& d, int64_t k_step, int64_t n_step) {
        m_size_ = d.m, k_size_ = d.k, n_size_ = d.n, batches_ = d.batch;
        m_step_ = d.m_block, k_step_ = k_step, n_step_ = n_step;
        m = k = n = batch = 0;
    }
    void one_tile() { n_size_ = 1; }
    void one_step() { k_size_ = 1; }

    int64_t m_rows() const { return std::min(m_step_, m_size_ - m); }
    int64_t n_columns() const { return std::min(n_step_, n_size_ - n); }
    int64_t k_depth() const { return std::min(k_step_, k_size_ - k); }
    int64_t n_left() const { return n_size_ - n; }
    bool first_k() const { return k == 0; }
    bool first_n() const { return n == 0; }
    bool last_k() const { return k_size_ - k <= k_step_; }
    bool last_n() const { return n_size_ - n <= n_step_; }
    bool last_m() const { return m_size_ - m <= m_step_; }
    bool last() const { return last_k() && last_n() && last_m() && batch == batches_ - 1; }

    void advance() {
        if (!last_k()) {
            k += k_step_;
            return;
        }
        k = 0;
        if (!last_n()) {
            n += n_step_;
            return;
        }
        n = 0;
        if (!last_m()) {
            m += m_step_;
            return;
        }
        m = 0;
        ++batch;
    }

  private:
    int64_t m_size_ = 0, k_size_ = 0, n_size_ = 0, batches_ = 0;
    int64_t m_step_ = 1, k_step_ = 1, n_step_ = 1;
};

}  // namespace systolith::cycles
