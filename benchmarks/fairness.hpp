#pragma once

#include <boost/json/object.hpp>

#include "benchmarks/work.hpp"

namespace bench {

/// How many turns tasks that yield for ever have, before one that is spawned from outside has its
/// first: the median and the 99th percentile. Throws std::invalid_argument for a program without
/// it.
boost::json::object fairness(const Work& work);

}  // namespace bench
