// What goes in and out of the model, and how it writes times.
#pragma once
#include <algorithm>
#include <cstdint>

namespace systolith::cycles {

// A time is a cycle; cycle 0 is the first in which the device knows of the queue.
using Cycle = int64_t;
constexpr Cycle NEVER = INT64_C(1) << 60;   // not known yet
constexpr Cycle ALWAYS = -(INT64_C(1) << 60);

// One accelerator and its memory. The order of the fields is known to library.py.
struct Setup {
    int64_t rows, columns, bus_log2, line_log2, burst_lines, parameter_lines, a_buffer_lines, b_buffer_lines,
        epilogue_lanes, outstanding, descriptor_slots;
    // Latencies of the components.
    int64_t queue, read_dma, load_to_ready, swap_to_load, hazard, issue_to_store, lanes, epilogue_places,
        write_queue;
    // The memory.
    int64_t read_latency, write_latency, read_numerator, read_denominator, write_numerator, write_denominator;
    int64_t ring_base, ring_slots, first_index, boundary_bytes, slot_bytes, record_bytes, parameter_bytes;

    int64_t line_bytes() const { return INT64_C(1) << line_log2; }
    int64_t group_bytes() const { return burst_lines << line_log2; }
    int64_t record_beats() const { return record_bytes >> bus_log2; }
};

// One descriptor. The order of the fields is known to library.py.
struct Descriptor {
    int64_t runs;  // not rejected
    int64_t m, k, n, batch, m_block, by_column, parameters, result_bytes;
    int64_t a_address, b_address, d_address, parameter_address, a_stride, b_stride, d_stride, a_batch_stride,
        b_batch_stride, d_batch_stride;
};

// The counters of a descriptor that is run, in the order of a completion record.
struct Counters {
    int64_t total, compute, wait_a, wait_b, wait_output, fill, drain;
};

inline int64_t ceil_div(int64_t value, int64_t by) { return (value + by - 1) / by; }

// How many units of 2**log2 hold `value`; what of it fills whole ones.
inline int64_t units(int64_t value, int64_t log2) { return (value + (INT64_C(1) << log2) - 1) >> log2; }
inline int64_t whole(int64_t value, int64_t log2) { return value >> log2 << log2; }

}  // namespace systolith::cycles
