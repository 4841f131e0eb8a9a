#pragma once

// For those who use {fmt}, or spdlog, which does. The library itself needs neither.

#include "runtime_sharing/shutdown_report.hpp"

#include <fmt/ostream.h>

/// As operator<< prints it.
template <>
struct fmt::formatter<runtime_sharing::Rung> : fmt::ostream_formatter {};

/// As operator<< prints it.
template <>
struct fmt::formatter<runtime_sharing::ShutdownReport> : fmt::ostream_formatter {};
