// One simulated device: the design, its clock, its memory and its register port.
#pragma once
#include <chrono>
#include <memory>
#include <type_traits>

#include "Vsystolith.h"
#include "axi_lite.hpp"
#include "checker.hpp"
#include "read_port.hpp"
#include "recorder.hpp"
#include "store.hpp"
#include "verilated.h"
#include "waveform.hpp"
#include "write_port.hpp"

class Vsystolith___024root;
// The body of Vsystolith::eval(), without what serves threads, $display and waveforms.
void Vsystolith___024root___eval(Vsystolith___024root* root);

namespace systolith {

class Model {
  public:
    using Top = Vsystolith;
    static constexpr unsigned BYTES = sizeof(std::remove_reference_t<decltype(Top::m_axi_rdata)>);
    static constexpr unsigned RESET_CYCLES = 4;

    Model(uint8_t* memory, uint64_t size) : store{memory, size} {
        context_.traceEverOn(Waveform<Top>::AVAILABLE);
    }
    ~Model() {
        top_.final();
        // The thread must not be left with a context that is about to go.
        Verilated::threadContextp(Verilated::defaultContextp());
    }

    // Holds `rst` for RESET_CYCLES, which are not counted: the next cycle is cycle 0.
    Outcome reset() {
        const Stopwatch stopwatch{seconds};
        waveform.close();
        checker.clear();
        reads_.reset(top_);
        writes_.reset(top_);
        registers.reset(top_);
        top_.rst = 1;
        for (unsigned i = 0; i < RESET_CYCLES; ++i) {
            top_.clk = 0;
            top_.eval();
            top_.clk = 1;
            top_.eval();
            if (i && (top_.m_axi_arvalid || top_.m_axi_awvalid || top_.m_axi_wvalid || top_.s_axil_bvalid ||
                      top_.s_axil_rvalid))
                checker.fail(0, "reset", "a valid signal is high while rst is");
        }
        top_.rst = 0;
        cycle = 0;
        recorder.clear();
        set_timing(timing_);
        return checker.failed() ? VIOLATION : REACHED;
    }

    void set_timing(const Timing& timing) {
        timing_ = timing;
        reads_.set_timing(timing, cycle);
        writes_.set_timing(timing, cycle);
    }

    // Runs whole cycles until `done()`, which is asked before the first cycle and after each.
    template <typename Done>
    Outcome run(uint64_t cycles, Done done) {
        const Stopwatch stopwatch{seconds};
        for (const uint64_t end = cycle + cycles;; step()) {
            if (__builtin_expect(checker.failed(), false)) return VIOLATION;
            if (done()) return REACHED;
            if (cycle == end) return EXHAUSTED;
        }
    }

    Outcome transact(uint64_t cycles) {
        return run(cycles, [this] { return !registers.busy(); });
    }

    Top& top() { return top_; }

    Outstanding outstanding() {
        Outstanding out{};
        reads_.describe(out, top_);
        writes_.describe(out, top_);
        return out;
    }

  private:
    struct Stopwatch {
        using Clock = std::chrono::steady_clock;
        double& total;
        Clock::time_point start = Clock::now();
        explicit Stopwatch(double& seconds) : total{seconds} {}
        ~Stopwatch() { total += std::chrono::duration<double>(Clock::now() - start).count(); }
    };

    void evaluate() {
        if constexpr (Waveform<Top>::AVAILABLE)
            top_.eval();  // which notes what has changed
        else
            Vsystolith___024root___eval(top_.rootp);
    }

    void step() {
        writes_.drive(top_, cycle);
        reads_.drive(top_, cycle);
        top_.clk = 0;
        evaluate();
        waveform.dump_settled(cycle);
        recorder.record(top_);
        reads_.sample(top_, cycle);
        writes_.sample(top_, cycle);
        registers.sample(top_, cycle);
        top_.clk = 1;
        evaluate();
        ++cycle;
        registers.settle(top_);
        waveform.dump_registers(cycle);
    }

    VerilatedContext context_;
    Top top_{&context_};

  public:
    Checker checker;
    Store store;
    AxiLite<Top> registers{checker};
    Waveform<Top> waveform;
    Recorder<Top> recorder;
    uint64_t cycle = 0;
    double seconds = 0;

  private:
    ReadPort<Top, BYTES> reads_{store, checker};
    WritePort<Top, BYTES> writes_{store, checker};
    Timing timing_{40, 40, 1, 1, 1, 1, {}, 0};
};

}  // namespace systolith
