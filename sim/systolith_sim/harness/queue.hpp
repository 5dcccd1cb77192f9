// A first-in first-out queue in a ring that grows by doubling: no allocation in the steady state.
#pragma once
#include <cstddef>
#include <vector>

namespace systolith {

template <typename T>
class Queue {
  public:
    bool empty() const { return begin_ == end_; }
    size_t size() const { return end_ - begin_; }
    T& front() { return ring_[begin_ & (ring_.size() - 1)]; }
    T& operator[](size_t index) { return ring_[(begin_ + index) & (ring_.size() - 1)]; }
    void pop() { ++begin_; }
    void clear() { begin_ = end_ = 0; }
    // The new last element, whose old contents are to be overwritten.
    T& push() {
        if (size() == ring_.size()) grow();
        return ring_[end_++ & (ring_.size() - 1)];
    }

  private:
    void grow() {
        std::vector<T> wider(ring_.size() * 2);
        const size_t count = size();
        for (size_t i = 0; i < count; ++i) wider[i] = (*this)[i];
        ring_.swap(wider);
        begin_ = 0;
        end_ = count;
    }

    std::vector<T> ring_ = std::vector<T>(64);
    size_t begin_ = 0;
    size_t end_ = 0;
};

}  // namespace systolith
