// A waveform of a window of cycles; nothing at all in a build without tracing.
#pragma once
#include <cstdint>
#include <memory>

#if defined(SYSTOLITH_TRACE_FST)
#include "verilated_fst_c.h"
using TraceFile = VerilatedFstC;
#define TRACE_SUFFIX ".fst"
#elif defined(SYSTOLITH_TRACE_VCD)
#include "verilated_vcd_c.h"
using TraceFile = VerilatedVcdC;
#define TRACE_SUFFIX ".vcd"
#endif

namespace systolith {

#if defined(SYSTOLITH_TRACE_FST) || defined(SYSTOLITH_TRACE_VCD)

// Cycle t takes the nanoseconds 10·t to 10·t + 9: registers change at 10·t, the harness drives the inputs
// of the cycle at 10·t + 5.
template <typename Top>
class Waveform {
  public:
    static constexpr bool AVAILABLE = true;
    static constexpr const char* SUFFIX = TRACE_SUFFIX;

    bool open(Top& top, const char* path, uint64_t start, uint64_t stop) {
        close();
        file_ = std::make_unique<TraceFile>();
        top.trace(file_.get(), 99);
        file_->open(path);
        start_ = start;
        stop_ = stop;
        if (!file_->isOpen()) file_.reset();
        return file_ != nullptr;
    }
    void close() {
        if (file_) file_->close();
        file_.reset();
    }
    void dump_registers(uint64_t cycle) { dump(cycle, 0); }
    void dump_settled(uint64_t cycle) { dump(cycle, 5); }

  private:
    void dump(uint64_t cycle, unsigned phase) {
        if (!file_ || cycle < start_) return;
        if (cycle < stop_)
            file_->dump(10 * cycle + phase);
        else
            close();
    }

    std::unique_ptr<TraceFile> file_;
    uint64_t start_ = 0, stop_ = 0;
};

#else

template <typename Top>
class Waveform {
  public:
    static constexpr bool AVAILABLE = false;
    static constexpr const char* SUFFIX = "";
    bool open(Top&, const char*, uint64_t, uint64_t) { return false; }
    void close() {}
    void dump_registers(uint64_t) {}
    void dump_settled(uint64_t) {}
};

#endif

}  // namespace systolith
