// The bytes of device memory, and the address ranges in which an access is answered with an error.
#pragma once
#include <cstdint>
#include <cstring>
#include <vector>

#include "interface.hpp"

namespace systolith {

class Store {
  public:
    Store(uint8_t* bytes, uint64_t size) : bytes_{bytes}, size_{size} {}

    void add_fault(uint64_t begin, uint64_t end, Response response, bool read, bool write) {
        if (read) read_faults_.push_back({begin, end, response});
        if (write) write_faults_.push_back({begin, end, response});
    }
    void clear_faults() {
        read_faults_.clear();
        write_faults_.clear();
    }

    Response read_response(uint64_t address, uint64_t length) const {
        return response(read_faults_, address, length);
    }
    Response write_response(uint64_t address, uint64_t length) const {
        return response(write_faults_, address, length);
    }

    const uint8_t* at(uint64_t address) const { return bytes_ + address; }

    void write(uint64_t address, const uint8_t* data, uint64_t strobe, unsigned length) {
        uint8_t* to = bytes_ + address;
        const uint64_t all = length == 64 ? ~uint64_t{0} : (uint64_t{1} << length) - 1;
        if (strobe == all) {
            std::memcpy(to, data, length);
            return;
        }
        for (unsigned i = 0; i < length; ++i)
            if (strobe >> i & 1) to[i] = data[i];
    }

    bool word_matches(uint64_t address, uint32_t value, uint32_t mask) const {
        uint32_t word;
        std::memcpy(&word, bytes_ + address, sizeof word);
        return (word & mask) == value;
    }

  private:
    struct Fault {
        uint64_t begin, end;
        Response response;
    };

    Response response(const std::vector<Fault>& faults, uint64_t address, uint64_t length) const {
        if (address + length > size_) return DECERR;
        for (const Fault& fault : faults)
            if (address < fault.end && fault.begin < address + length) return fault.response;
        return OKAY;
    }

    uint8_t* bytes_;
    uint64_t size_;
    std::vector<Fault> read_faults_;
    std::vector<Fault> write_faults_;
};

}  // namespace systolith
