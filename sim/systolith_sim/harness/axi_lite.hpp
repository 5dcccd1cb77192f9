// The host's side of the AXI4-Lite port: one transaction at a time.
#pragma once
#include "checker.hpp"
#include "interface.hpp"

namespace systolith {

template <typename Top>
class AxiLite {
  public:
    explicit AxiLite(Checker& checker) : checker_{checker} {}

    void reset(Top& top) {
        reading_ = writing_ = active_ = false;
        top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_bready = 0;
        top.s_axil_arvalid = top.s_axil_rready = 0;
        top.s_axil_awprot = top.s_axil_arprot = 0;
        top.s_axil_wstrb = 15;
    }

    bool busy() const { return reading_ || writing_; }
    uint32_t data() const { return data_; }
    unsigned response() const { return response_; }

    void start_write(Top& top, uint32_t offset, uint32_t value) {
        writing_ = active_ = true;
        top.s_axil_awaddr = offset;
        top.s_axil_wdata = value;
        top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_bready = 1;
        address_done_ = data_done_ = false;
    }

    void start_read(Top& top, uint32_t offset) {
        reading_ = active_ = true;
        top.s_axil_araddr = offset;
        top.s_axil_arvalid = top.s_axil_rready = 1;
        address_done_ = false;
    }

    // Takes the handshakes of this cycle, when the design's outputs have settled.
    void sample(const Top& top, uint64_t cycle) {
        if (__builtin_expect(busy(), false)) {
            address_done_ |= writing_ ? top.s_axil_awready : top.s_axil_arready;
            data_done_ |= top.s_axil_wready;
        }
        if (__builtin_expect(top.s_axil_bvalid, false)) {
            if (!writing_ || !address_done_ || !data_done_)
                checker_.fail(cycle, "axil-response", "bvalid without a write that awaits its response");
            response_ = top.s_axil_bresp;
            writing_ = false;
        }
        if (__builtin_expect(top.s_axil_rvalid, false)) {
            if (!reading_ || !address_done_)
                checker_.fail(cycle, "axil-response", "rvalid without a read that awaits its response");
            response_ = top.s_axil_rresp;
            data_ = top.s_axil_rdata;
            reading_ = false;
        }
    }

    // After the rising edge: withdraws what has been accepted.
    void settle(Top& top) {
        if (__builtin_expect(!active_, true)) return;
        if (address_done_) top.s_axil_awvalid = top.s_axil_arvalid = 0;
        if (data_done_) top.s_axil_wvalid = 0;
        if (busy()) return;
        top.s_axil_bready = top.s_axil_rready = 0;
        active_ = false;
    }

  private:
    Checker& checker_;
    bool reading_ = false, writing_ = false;
    bool active_ = false;  // inputs of the port are to be withdrawn
    bool address_done_ = false, data_done_ = false;
    uint32_t data_ = 0;
    unsigned response_ = 0;
};

}  // namespace systolith
