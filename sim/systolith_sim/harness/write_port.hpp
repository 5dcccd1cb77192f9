// The memory's side of the AW, W and B channels.
#pragma once
#include <algorithm>

#include "address.hpp"
#include "queue.hpp"
#include "random.hpp"
#include "rate.hpp"
#include "store.hpp"

namespace systolith {

// A burst's data are held until its response is presented: a design that reads back, or reports as done,
// what has not been acknowledged finds the old bytes.
template <typename Top, unsigned BYTES>
class WritePort {
  public:
    WritePort(Store& store, Checker& checker) : store_{store}, checker_{checker} {}

    void set_timing(const Timing& timing, uint64_t origin) {
        latency_ = timing.write_latency;
        rate_.configure(timing.write_numerator, timing.write_denominator);
        stall_address_.configure(timing.seed, AW, timing.stall_threshold[AW], origin);
        stall_data_.configure(timing.seed, W, timing.stall_threshold[W], origin);
        stall_response_.configure(timing.seed, B, timing.stall_threshold[B], origin);
    }

    void reset(Top& top) {
        bursts_.clear();
        beats_.clear();
        filled_ = 0;
        beat_ = 0;
        early_beats_ = 0;
        address_waiting_ = data_waiting_ = transferred_ = false;
        top.m_axi_awready = 0;
        top.m_axi_wready = 0;
        top.m_axi_bvalid = 0;
    }

    void drive(Top& top, uint64_t cycle) {
        top.m_axi_awready = !stall_address_.at(cycle);
        top.m_axi_wready = rate_.allows(cycle) && !stall_data_.at(cycle);
        if (top.m_axi_bvalid && !transferred_) return;
        top.m_axi_bvalid = 0;
        if (filled_ == 0 || cycle < bursts_.front().ready || stall_response_.at(cycle)) return;
        const Address& burst = bursts_.front().address;
        const Response response = store_.write_response(burst.address, uint64_t{burst.beats()} * BYTES);
        for (unsigned i = 0; i < burst.beats(); ++i) {
            const Beat& beat = beats_.front();
            if (response == OKAY)
                store_.write(burst.address + uint64_t{i} * BYTES, beat.data, beat.strobe, BYTES);
            beats_.pop();
        }
        top.m_axi_bresp = response;
        top.m_axi_bid = burst.id;
        top.m_axi_bvalid = 1;
    }

    void sample(const Top& top, uint64_t cycle) {
        sample_address(top, cycle);
        sample_data(top, cycle);
        match(cycle);
        transferred_ = top.m_axi_bvalid && top.m_axi_bready;
        if (transferred_) {
            bursts_.pop();
            --filled_;
        }
    }

    void describe(Outstanding& out, const Top& top) {
        const bool filling = filled_ < bursts_.size();
        out.writes = bursts_.size();
        out.write_address = bursts_.empty() ? 0 : bursts_.front().address.address;
        out.write_beats = filling ? bursts_[filled_].address.beats() - beat_ : 0;
        out.early_beats = early_beats_;
        out.waiting |= uint64_t{address_waiting_} << AW;
        out.waiting |= uint64_t{data_waiting_} << W;
        out.waiting |= uint64_t{top.m_axi_bvalid && !transferred_} << B;
    }

  private:
    struct Burst {
        Address address;
        uint64_t ready;  // cycle of the response at the earliest, once all data are there
    };
    struct Beat {
        uint8_t data[BYTES];
        uint64_t strobe;
        bool last;

        bool operator==(const Beat& other) const {
            return strobe == other.strobe && last == other.last && !std::memcmp(data, other.data, BYTES);
        }
    };

    static Address address_of(const Top& top) {
        return {top.m_axi_awaddr, top.m_axi_awlen, top.m_axi_awsize, top.m_axi_awburst, top.m_axi_awid};
    }
    static void take_beat(const Top& top, Beat& beat) {
        std::memcpy(beat.data, &top.m_axi_wdata, BYTES);
        beat.strobe = top.m_axi_wstrb;
        beat.last = top.m_axi_wlast;
    }

    void sample_address(const Top& top, uint64_t cycle) {
        const bool valid = top.m_axi_awvalid;
        if (__builtin_expect(address_waiting_, false)) {
            if (!valid)
                checker_.fail(cycle, "stable", "awvalid fell before awready rose");
            else if (!(address_of(top) == held_address_))
                checker_.fail(cycle, "stable", "the AW payload changed before awready rose");
        }
        address_waiting_ = valid && !top.m_axi_awready;
        if (!valid) return;
        const Address address = address_of(top);
        if (address_waiting_) {
            held_address_ = address;
        } else {
            check_address<BYTES>(checker_, cycle, "AW", address);
            bursts_.push() = {address, 0};
        }
    }

    void sample_data(const Top& top, uint64_t cycle) {
        const bool valid = top.m_axi_wvalid;
        if (__builtin_expect(data_waiting_, false)) {
            Beat beat;
            take_beat(top, beat);
            if (!valid)
                checker_.fail(cycle, "stable", "wvalid fell before wready rose");
            else if (!(beat == held_beat_))
                checker_.fail(cycle, "stable", "the W payload changed before wready rose");
        }
        data_waiting_ = valid && !top.m_axi_wready;
        if (!valid) return;
        if (data_waiting_) {
            take_beat(top, held_beat_);
        } else {
            rate_.transfer(cycle);
            take_beat(top, beats_.push());
            ++early_beats_;
        }
    }

    // Gives the data to the addresses in order, and checks where each burst ends.
    void match(uint64_t cycle) {
        while (early_beats_ && filled_ < bursts_.size()) {
            Burst& burst = bursts_[filled_];
            const bool last = beats_[beats_.size() - early_beats_].last;
            --early_beats_;
            if (last != (beat_ == burst.address.length))
                checker_.fail(cycle, "wlast", "W: wlast is %u in beat %u of %u of the burst at 0x%08x", last,
                              beat_ + 1, burst.address.beats(), burst.address.address);
            if (beat_ == burst.address.length) {
                burst.ready = cycle + latency_;
                ++filled_;
                beat_ = 0;
            } else {
                ++beat_;
            }
        }
    }

    Store& store_;
    Checker& checker_;
    uint64_t latency_ = 1;
    Rate rate_;
    Stall stall_address_, stall_data_, stall_response_;
    Queue<Burst> bursts_;
    Queue<Beat> beats_;
    size_t filled_ = 0;      // bursts at the front that have all their data
    unsigned beat_ = 0;      // of the first burst that has not
    size_t early_beats_ = 0; // beats at the end that have no address yet
    bool transferred_ = false;
    bool address_waiting_ = false, data_waiting_ = false;
    Address held_address_{};
    Beat held_beat_{};
};

}  // namespace systolith
