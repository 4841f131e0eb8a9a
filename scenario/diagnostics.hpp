// What a debugger and a sanitizer print, cut down to what a reader of an experiment needs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace scenario {

/// Of gdb's "thread apply all bt": a line for each thread, then its innermost frames, at most 12,
/// as function and file:line where known. Template arguments and parameters are left out, and so
/// are the insides of Boost.Asio and of the standard library between the others.
/// No line is wider than 80 columns.
std::vector<std::string> thin_stacks(std::string_view gdb_output);

/// The first finding of a sanitizer in what a process wrote to its standard error, for example
/// "AddressSanitizer: heap-use-after-free"; nullopt: no finding.
std::optional<std::string> sanitizer_finding(std::string_view standard_error);

}  // namespace scenario
