// The C interface of a simulated device, called by library.py.
#include <exception>

#include "model.hpp"
#include "said.hpp"

using namespace systolith;

namespace {

struct Device {
    Device(uint8_t* memory, uint64_t size) : model{memory, size} {}

    Model model;
    std::string message;
};

template <typename Call>
int32_t guarded(Device* device, Call call) {
    try {
        const Outcome outcome = call(device->model);
        if (outcome == VIOLATION) device->message = device->model.checker.message();
        return outcome;
    } catch (const std::exception& error) {
        device->message = error.what();
        return FATAL;
    }
}

}  // namespace

extern "C" {

uint32_t systolith_data_bytes() { return Model::BYTES; }

Device* systolith_open(uint8_t* memory, uint64_t size) { return new Device{memory, size}; }

void systolith_close(Device* device) {
    device->model.waveform.close();
    delete device;
}

const char* systolith_message(const Device* device) { return device->message.c_str(); }

int32_t systolith_reset(Device* device) {
    return guarded(device, [](Model& model) { return model.reset(); });
}

void systolith_set_timing(Device* device, const Timing* timing) { device->model.set_timing(*timing); }

void systolith_add_fault(Device* device, uint64_t begin, uint64_t end, uint32_t response, uint32_t read,
                         uint32_t write) {
    device->model.store.add_fault(begin, end, static_cast<Response>(response), read, write);
}

void systolith_clear_faults(Device* device) { device->model.store.clear_faults(); }

int32_t systolith_run(Device* device, uint64_t cycles, int32_t until, uint64_t address, uint32_t value,
                      uint32_t mask) {
    return guarded(device, [=](Model& model) {
        switch (until) {
        case IRQ:
            return model.run(cycles, [&model] { return model.top().irq != 0; });
        case MEMORY:
            return model.run(cycles, [&model, address, value, mask] {
                return model.store.word_matches(address, value, mask);
            });
        default:
            return model.run(cycles, [] { return false; });
        }
    });
}

int32_t systolith_write_register(Device* device, uint32_t offset, uint32_t value, uint64_t cycles) {
    return guarded(device, [=](Model& model) {
        model.registers.start_write(model.top(), offset, value);
        return model.transact(cycles);
    });
}

int32_t systolith_read_register(Device* device, uint32_t offset, uint64_t cycles) {
    return guarded(device, [=](Model& model) {
        model.registers.start_read(model.top(), offset);
        return model.transact(cycles);
    });
}

uint32_t systolith_register_data(const Device* device) { return device->model.registers.data(); }
uint32_t systolith_register_response(const Device* device) { return device->model.registers.response(); }

uint64_t systolith_cycle(const Device* device) { return device->model.cycle; }
double systolith_seconds(const Device* device) { return device->model.seconds; }
uint32_t systolith_irq(Device* device) { return device->model.top().irq; }

void systolith_outstanding(Device* device, Outstanding* outstanding) {
    *outstanding = device->model.outstanding();
}

const char* systolith_waveform_suffix(const Device*) { return decltype(Model::waveform)::SUFFIX; }
uint32_t systolith_open_waveform(Device* device, const char* path, uint64_t start, uint64_t stop) {
    Model& model = device->model;
    return model.waveform.open(model.top(), path, start, stop);
}
void systolith_close_waveform(Device* device) { device->model.waveform.close(); }

uint64_t systolith_recorded_cycles(const Device*) { return decltype(Model::recorder)::CYCLES; }
uint64_t systolith_recorded_words(const Device* device) { return device->model.recorder.words(); }
uint64_t systolith_digest(const Device* device) { return device->model.recorder.digest(); }
const uint32_t* systolith_recorded(const Device* device, uint64_t cycle) {
    return device->model.recorder.row(cycle);
}

}  // extern "C"
