#pragma once

#include <boost/json/object.hpp>

namespace scenario {
struct Surroundings;
}

namespace app {
class Client;
}

namespace mutex_problem {

/// Nanoseconds for each use of the runtime: locked, used, unlocked, against a copy of a shared_ptr;
/// by one thread, and by two at once. Medians of interleaved rounds.
boost::json::object cost_of_a_use(scenario::Surroundings& surroundings, app::Client& client);

}  // namespace mutex_problem
