#pragma once

#include "scenario/session_facts.hpp"

#include <boost/asio/awaitable.hpp>

#include "client.hpp"
#include <memory>
#include <vector>

namespace arc_problem {

/// What arc_problem shows: the failures of shared ownership, and the fixes that do not work.
std::vector<scenario::Experiment> experiments(const scenario::Settings& settings);

/// The second half: what people try.
std::vector<scenario::Experiment> wrong_fixes(const scenario::Settings& settings);

// --- what the experiments share -----------------------------------------------------------------

using app::Client;
using scenario::at_least;
using scenario::at_most;
using scenario::Documented;
using scenario::Experiment;
using scenario::is;
using scenario::log_in;
using scenario::LogoutProbe;
using scenario::Observation;
using scenario::Outcome;
using scenario::Sample;
using scenario::SessionFacts;
using scenario::Settings;
using scenario::Surroundings;
using scenario::Task;
using scenario::tell;
using scenario::varies;

using Body = asio::awaitable<Observation> (*)(Surroundings&, Client&);
inline Experiment session(Experiment documented, Body body) {
  return on_the_ui_loop(std::move(documented), body, scenario::Afterwards::leave_behind);
}

/// The owners are counted at the session: every task holds it, and the runtime through it.
LogoutProbe probe_of(Surroundings& surroundings, const Client& client);

/// Ready when every thread runs, the server knows the user, and the worker has stored a batch: the
/// session will not rest.
asio::awaitable<void> until_at_work(Surroundings& surroundings, const Client& client);

/// What a session that was not ended leaves behind. Samples in hand are not lost: somebody who
/// should have gone still works on them.
SessionFacts facts_of_a_session_that_goes_on(const LogoutProbe& probe);
Outcome leaked_if_it_goes_on(const SessionFacts& facts);

/// The same, as it is documented: `threads` of the old runtime are left.
std::vector<Documented> a_session_that_goes_on(int threads);

/// Signs in, and waits until the server hangs up.
asio::awaitable<void> stay_signed_in(asio::ip::tcp::endpoint server);

/// A runtime of one thread whose last owner is a task: what is left when everybody else has let go,
/// and what is known of its end before anything is done with freed memory.
boost::json::object what_is_left(const Surroundings& surroundings,
                                 const std::weak_ptr<Runtime>& runtime);
asio::awaitable<boost::json::object> end_of(Surroundings& surroundings,
                                            std::shared_ptr<const Witness> witness);
std::vector<Documented> freed_under_its_own_thread();

/// What becomes of the freed memory after the outcome has been told: the thread comes back, or
/// AddressSanitizer ends the process, or 400 heartbeats pass.
asio::awaitable<void> let_the_thread_go_on(Surroundings& surroundings,
                                           std::shared_ptr<const Witness> witness);

}  // namespace arc_problem
