// What a design says goes to stderr, for stdout is the program's; why it gives up, into an exception: Verilator
// itself would abort the process. Defines functions: one source of a library includes it.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>

#include "printing.hpp"

namespace systolith {

// Of the $fatal or $error that is being executed.
inline thread_local std::string reason;

}  // namespace systolith

int systolith_print(const char* format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = std::vsnprintf(nullptr, 0, format, arguments);
    va_end(arguments);
    std::string text(length < 0 ? 0 : length, '\0');
    std::vsnprintf(text.data(), text.size() + 1, format, again);
    va_end(again);
    for (const char* mark : {"%Fatal: ", "%Error: "}) {
        const size_t found = text.find(mark);
        if (found == std::string::npos) continue;
        const size_t begin = found + std::char_traits<char>::length(mark);
        systolith::reason = text.substr(begin, text.find_last_not_of('\n') + 1 - begin);
        return length;
    }
    std::fputs(text.c_str(), stderr);
    return length;
}

void vl_fatal(const char* file, int line, const char*, const char* message) {
    const std::string reason = std::exchange(systolith::reason, {});
    if (!reason.empty()) throw std::runtime_error(reason);
    throw std::runtime_error(std::string{message} + " (" + (file ? file : "") + ":" + std::to_string(line) + ")");
}
