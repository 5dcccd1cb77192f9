// Hands what a design prints to the harness. Comes before every source that is compiled, Verilator's own too.
#pragma once

#define VL_PRINTF systolith_print

int systolith_print(const char* format, ...) __attribute__((format(printf, 1, 2)));
