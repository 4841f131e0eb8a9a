#pragma once

#include <boost/json/object.hpp>

namespace scenario {
struct Surroundings;
}

namespace mutex_problem {

class Client;

/// Nanoseconds for each use of the runtime: locked, used, unlocked, against a copy of a shared_ptr;
/// by one thread, and by two at once. Medians of interleaved rounds.
boost::json::object cost_of_a_use(scenario::Surroundings& surroundings, Client& client);

}  // namespace mutex_problem
