// The ports of every cycle since reset: a digest of the outputs, and the values in the last cycles. Nothing at
// all in a build that does not record.
#pragma once
#include <cstdint>
#include <vector>

#include "random.hpp"

#if defined(SYSTOLITH_RECORD)
#include "ports.hpp"
#endif

namespace systolith {

#if defined(SYSTOLITH_RECORD)

template <typename Top>
class Recorder {
  public:
    static constexpr bool AVAILABLE = true;
    static constexpr uint64_t CYCLES = 4096;  // that are kept

    void clear() {
        recorded_ = 0;
        digest_ = 0;
    }
    void record(const Top& top) {
        uint32_t* const row = &rows_[recorded_++ % CYCLES * PORT_WORDS];
        copy_ports(top, row);
        for (unsigned i = 0; i < OUTPUT_WORDS; ++i) digest_ = splitmix64(digest_ ^ row[i]);
    }
    uint64_t digest() const { return digest_; }
    unsigned words() const { return PORT_WORDS; }
    const uint32_t* row(uint64_t cycle) const {
        if (cycle >= recorded_ || cycle + CYCLES < recorded_) return nullptr;
        return &rows_[cycle % CYCLES * PORT_WORDS];
    }

  private:
    std::vector<uint32_t> rows_ = std::vector<uint32_t>(CYCLES * PORT_WORDS);
    uint64_t recorded_ = 0;
    uint64_t digest_ = 0;
};

#else

template <typename Top>
class Recorder {
  public:
    static constexpr bool AVAILABLE = false;
    static constexpr uint64_t CYCLES = 0;
    void clear() {}
    void record(const Top&) {}
    uint64_t digest() const { return 0; }
    unsigned words() const { return 0; }
    const uint32_t* row(uint64_t) const { return nullptr; }
};

#endif

}  // namespace systolith
