// The part of pyverilator's C interface that is the same for every design. Included once, by the generated
// pyverilator.cpp. A library has the waveform functions only if it was built with tracing.
#pragma once
#include <cstdint>

#include "Vsystolith.h"
#include "Vsystolith___024root.h"
#include "verilated.h"
#include "waveform.hpp"

extern "C" {

extern const char* const _pyverilator_module_name = "systolith";
extern const char* const _pyverilator_json_data = "null";

void set_command_args(int count, const char** arguments) {
    Verilated::defaultContextp()->commandArgs(count, arguments);
}

Vsystolith* construct() {
    VerilatedContext* const context = Verilated::defaultContextp();
#if VM_TRACE
    context->traceEverOn(true);
#endif
    return new Vsystolith{context};
}

int eval(Vsystolith* device) {
    device->eval();
    return 0;
}

int destruct(Vsystolith* device) {
    delete device;
    return 0;
}

bool get_finished() { return Verilated::defaultContextp()->gotFinish(); }
void set_finished(bool finished) { Verilated::defaultContextp()->gotFinish(finished); }

#if VM_TRACE
TraceFile* start_vcd_trace(Vsystolith* device, const char* path) {
    TraceFile* file = new TraceFile;
    device->trace(file, 99);
    file->open(path);
    return file;
}

int add_to_vcd_trace(TraceFile* file, int time) {
    file->dump(static_cast<uint64_t>(time));
    return 0;
}

int flush_vcd_trace(TraceFile* file) {
    file->flush();
    return 0;
}

int stop_vcd_trace(TraceFile* file) {
    file->close();
    delete file;
    return 0;
}
#endif

}  // extern "C"
