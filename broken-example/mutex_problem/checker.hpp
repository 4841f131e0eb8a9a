#pragma once

#include "scenario/experiment.hpp"
#include "scenario/surroundings.hpp"

#include <boost/asio/awaitable.hpp>

namespace mutex_problem {

/// The receiver's mistake, with the library's suspension checker on: the finding comes while the
/// receiver is suspended, and nobody else needs to want the lock.
boost::asio::awaitable<scenario::Observation> find_the_guard(scenario::Surroundings& surroundings);

}  // namespace mutex_problem
