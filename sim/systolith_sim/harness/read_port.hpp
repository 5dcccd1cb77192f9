// The memory's side of the AR and R channels.
#pragma once
#include "address.hpp"
#include "queue.hpp"
#include "random.hpp"
#include "rate.hpp"
#include "store.hpp"

namespace systolith {

template <typename Top, unsigned BYTES>
class ReadPort {
  public:
    ReadPort(Store& store, Checker& checker) : store_{store}, checker_{checker} {}

    void set_timing(const Timing& timing, uint64_t origin) {
        latency_ = timing.read_latency;
        rate_.configure(timing.read_numerator, timing.read_denominator);
        stall_address_.configure(timing.seed, AR, timing.stall_threshold[AR], origin);
        stall_data_.configure(timing.seed, R, timing.stall_threshold[R], origin);
    }

    void reset(Top& top) {
        bursts_.clear();
        beat_ = 0;
        address_waiting_ = transferred_ = false;
        top.m_axi_arready = 0;
        top.m_axi_rvalid = 0;
    }

    // Sets the inputs of the design for this cycle.
    void drive(Top& top, uint64_t cycle) {
        top.m_axi_arready = !stall_address_.at(cycle);
        if (top.m_axi_rvalid && !transferred_) return;
        top.m_axi_rvalid = 0;
        if (bursts_.empty() || cycle < bursts_.front().ready || !rate_.allows(cycle) ||
            stall_data_.at(cycle))
            return;
        const Burst& burst = bursts_.front();
        const uint64_t address = next_address();
        const Response response = store_.read_response(address, BYTES);
        if (response == OKAY)
            std::memcpy(&top.m_axi_rdata, store_.at(address), BYTES);
        else
            std::memset(&top.m_axi_rdata, 0, BYTES);
        top.m_axi_rresp = response;
        top.m_axi_rid = burst.address.id;
        top.m_axi_rlast = beat_ == burst.address.length;
        top.m_axi_rvalid = 1;
    }

    // Takes the handshakes of this cycle, when the design's outputs have settled.
    void sample(const Top& top, uint64_t cycle) {
        const bool valid = top.m_axi_arvalid;
        if (__builtin_expect(address_waiting_, false)) {
            if (!valid)
                checker_.fail(cycle, "stable", "arvalid fell before arready rose");
            else if (!(address_of(top) == held_))
                checker_.fail(cycle, "stable", "the AR payload changed before arready rose");
        }
        address_waiting_ = valid && !top.m_axi_arready;
        if (valid) {
            const Address address = address_of(top);
            if (address_waiting_) {
                held_ = address;
            } else {
                check_address<BYTES>(checker_, cycle, "AR", address);
                bursts_.push() = {address, cycle + latency_};
            }
        }
        transferred_ = top.m_axi_rvalid && top.m_axi_rready;
        if (transferred_) {
            rate_.transfer(cycle);
            if (beat_ == bursts_.front().address.length) {
                bursts_.pop();
                beat_ = 0;
            } else {
                ++beat_;
            }
        }
    }

    void describe(Outstanding& out, const Top& top) {
        out.reads = bursts_.size();
        out.read_address = bursts_.empty() ? 0 : next_address();
        out.read_beats = bursts_.empty() ? 0 : bursts_.front().address.beats() - beat_;
        out.waiting |= uint64_t{address_waiting_} << AR;
        out.waiting |= uint64_t{top.m_axi_rvalid && !transferred_} << R;
    }

  private:
    struct Burst {
        Address address;
        uint64_t ready;  // cycle of the first beat at the earliest
    };

    static Address address_of(const Top& top) {
        return {top.m_axi_araddr, top.m_axi_arlen, top.m_axi_arsize, top.m_axi_arburst, top.m_axi_arid};
    }
    uint64_t next_address() { return bursts_.front().address.address + uint64_t{beat_} * BYTES; }

    Store& store_;
    Checker& checker_;
    uint64_t latency_ = 1;
    Rate rate_;
    Stall stall_address_, stall_data_;
    Queue<Burst> bursts_;
    unsigned beat_ = 0;
    bool transferred_ = false;
    bool address_waiting_ = false;
    Address held_{};
};

}  // namespace systolith
