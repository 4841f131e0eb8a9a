#pragma once

#include <boost/json/object.hpp>

#include "benchmarks/work.hpp"

namespace bench {

/// The window's longest freeze while a session of that many tasks logs out on its event loop: by
/// async_shutdown() (`ours`), or by taking the runtime out and destroying it (`mutex`).
/// Throws std::invalid_argument for another program.
boost::json::object logout(const Work& work);

}  // namespace bench
