// A simulated board seen from its pins: the clock, the serial line at the level of bits, and the C interface
// that board.py calls.
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "Vboard.h"
#include "said.hpp"
#include "verilated.h"

// Whether the model must follow its inputs in the next evaluation.
thread_local bool board_inputs_changed = true;

namespace {

constexpr unsigned FRACTION_BITS = 8;
constexpr unsigned BITS_PER_BYTE = 10;
constexpr unsigned RESET_CYCLES = 4;

// Drives the board's receiver.
class Sender {
  public:
    explicit Sender(uint32_t period) : period_{period} {}

    void add(uint8_t byte, uint64_t gap) { waiting_.push_back({byte, gap}); }
    bool busy() const { return bits_ || !waiting_.empty(); }
    size_t waiting() const { return waiting_.size(); }

    // The level of the line in this cycle.
    bool step() {
        if (!bits_) {
            if (waiting_.empty()) return true;
            if (waiting_.front().gap) {
                --waiting_.front().gap;
                return true;
            }
            shift_ = 0x200u | waiting_.front().byte << 1;
            waiting_.pop_front();
            bits_ = BITS_PER_BYTE;
            phase_ = 0;
        }
        const bool level = shift_ & 1;
        phase_ += 1u << FRACTION_BITS;
        if (phase_ >= period_) {
            phase_ -= period_;
            shift_ >>= 1;
            --bits_;
        }
        return level;
    }

  private:
    struct Item {
        uint8_t byte;
        uint64_t gap;
    };
    const uint32_t period_;
    std::deque<Item> waiting_;
    uint32_t shift_ = 0, bits_ = 0, phase_ = 0;
};

// Samples what the board's transmitter drives, each bit at its centre.
class Receiver {
  public:
    explicit Receiver(uint32_t period) : period_{period} {}

    bool busy() const { return bits_ != 0; }

    // True in the cycle in which a byte is complete.
    bool step(bool level) {
        if (!bits_) {
            if (level) return false;
            bits_ = BITS_PER_BYTE;
            left_ = period_ / 2;
        }
        if (left_ >= 1u << FRACTION_BITS) {
            left_ -= 1u << FRACTION_BITS;
            return false;
        }
        left_ += period_ - (1u << FRACTION_BITS);
        shift_ = shift_ >> 1 | (level ? 0x200u : 0);
        if (--bits_) return false;
        if (!level) throw std::runtime_error("the board sent a byte without a stop bit");
        return true;
    }
    uint8_t byte() const { return shift_ >> 1; }

  private:
    const uint32_t period_;
    uint32_t shift_ = 0, bits_ = 0, left_ = 0;
};

struct Board {
    explicit Board(uint32_t period) : sender{period}, receiver{period}, byte_cycles{10ull * period >> 8} {}
    ~Board() {
        top.final();
        // The thread must not be left with a context that is about to go.
        Verilated::threadContextp(Verilated::defaultContextp());
    }

    void switch_on() {
        top.rst = 1;
        for (unsigned i = 0; i < RESET_CYCLES; ++i) tick(true);
        top.rst = 0;
        tick(true);
    }

    // Inputs change while the clock is low.
    void tick(bool rx) {
        top.clk = 0;
        board_inputs_changed = rx != top.rx || cycle <= RESET_CYCLES;
        top.rx = rx;
        top.eval();
        board_inputs_changed = false;
        top.clk = 1;
        top.eval();
        ++cycle;
    }

    // Runs until so many cycles have passed, the output is full, or the board has said something and is silent
    // since.
    uint32_t run(uint64_t cycles, uint8_t* out, uint32_t capacity) {
        uint32_t count = 0;
        for (const uint64_t end = cycle + cycles; cycle != end && count != capacity;) {
            tick(sender.step());
            const bool complete = receiver.step(top.tx);
            if (complete) out[count++] = receiver.byte();
            if (complete || receiver.busy() || sender.busy() || (top.leds & 1)) active = cycle;
            if (count && !receiver.busy() && cycle - active > 2 * byte_cycles) break;
        }
        return count;
    }

    VerilatedContext context;
    Vboard top{&context};
    Sender sender;
    Receiver receiver;
    const uint64_t byte_cycles;
    uint64_t cycle = 0;
    uint64_t active = 0;
    std::string message;
};

thread_local std::string open_message;

}  // namespace

extern "C" {

// Null if the model failed.
Board* board_open(uint32_t period) {
    try {
        auto board = std::make_unique<Board>(period);
        board->switch_on();
        return board.release();
    } catch (const std::exception& error) {
        open_message = error.what();
        return nullptr;
    }
}
void board_close(Board* board) { delete board; }
// Why the board failed; without one, why the last could not be opened.
const char* board_message(const Board* board) { return (board ? board->message : open_message).c_str(); }

void board_send(Board* board, const uint8_t* bytes, const uint64_t* gaps, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) board->sender.add(bytes[i], gaps[i]);
}

// The number of bytes received, or -1 if the model failed.
int64_t board_run(Board* board, uint64_t cycles, uint8_t* out, uint32_t capacity) {
    try {
        return board->run(cycles, out, capacity);
    } catch (const std::exception& error) {
        board->message = error.what();
        return -1;
    }
}

uint64_t board_cycle(const Board* board) { return board->cycle; }
uint64_t board_quiet(const Board* board) { return board->cycle - board->active; }
uint32_t board_waiting(const Board* board) { return board->sender.waiting(); }
uint32_t board_leds(const Board* board) { return board->top.leds; }

}  // extern "C"
