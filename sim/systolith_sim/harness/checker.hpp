// The first broken bus rule, kept until the next reset.
#pragma once
#include <cinttypes>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <string>

namespace systolith {

class Checker {
  public:
    bool failed() const { return failed_; }
    const std::string& message() const { return message_; }
    void clear() { failed_ = false; }

    __attribute__((format(printf, 4, 5))) void fail(uint64_t cycle, const char* rule, const char* format,
                                                    ...) {
        if (failed_) return;
        failed_ = true;
        char detail[256];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(detail, sizeof detail, format, arguments);
        va_end(arguments);
        char text[384];
        snprintf(text, sizeof text, "%s\n%" PRIu64 "\n%s", rule, cycle, detail);
        message_ = text;
    }

  private:
    bool failed_ = false;
    std::string message_;
};

}  // namespace systolith
