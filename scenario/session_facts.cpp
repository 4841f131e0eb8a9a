#include "scenario/session_facts.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace scenario {
namespace {

constexpr std::array<FactDescription, 11> descriptions{{
    {"logout_ms", "logout took (ms)"},
    {"logout_returned", "logout returned"},
    {"owners_left", "runtime owners left", 0},
    {"runtime_threads_left", "runtime threads left", 0},
    {"rows_after_logout", "rows after logout", 0},
    {"samples_lost", "samples lost", 0},
    {"connections_open", "connections open", 0},
    {"longest_ui_freeze_ms", "longest UI freeze (ms)", noticeable_freeze_ms},
    {"relogin", "next login"},
    {"runtimes_at_once", "runtimes at once", 1},
    {"stragglers", "stragglers"},
}};

}  // namespace

boost::json::object to_json(const SessionFacts& facts) {
  const auto all = boost::json::value_from(facts);
  boost::json::object measured;
  for (const auto& fact : all.get_object())
    if (!fact.value().is_null()) measured.insert(fact);
  return measured;
}

std::span<const FactDescription> fact_descriptions() noexcept {
  return descriptions;
}

bool is_bad(std::string_view key, const boost::json::value& value) {
  const auto found = std::ranges::find(descriptions, key, &FactDescription::key);
  if (found == descriptions.end()) return false;
  if (value.is_number()) return value.to_number<double>() > found->highest_good;
  if (key == "logout_returned") return value.is_bool() && !value.get_bool();
  if (key == "logout_ms") return value.is_string();  // it had to be freed from outside
  if (key == "relogin") return value.is_string() && value.get_string() != "clean";
  return value.is_array() && !value.get_array().empty();
}

LogoutProbe::LogoutProbe(Surroundings& surroundings, std::string user,
                         std::shared_ptr<const Activity> activity, std::function<long()> owners)
    : surroundings_(surroundings),
      user_(std::move(user)),
      activity_(std::move(activity)),
      owners_(std::move(owners)) {}

boost::asio::awaitable<void> LogoutProbe::measure(boost::asio::awaitable<void> logout) {
  auto& ui = surroundings_.ui;
  ui.forget_freezes();
  const auto begun = UiLoop::Clock::now();
  co_await std::move(logout);
  at_logout_.longest_ui_freeze_ms = ui.longest_freeze_ms();  // a gap that is still open counts
  const std::chrono::duration<double, std::milli> took = UiLoop::Clock::now() - begun;

  at_logout_.logout_ms = took.count();
  at_logout_.logout_returned = true;
  at_logout_.owners_left = owners_();
  at_logout_.runtime_threads_left = surroundings_.threads.running();
  at_logout_.connections_open = surroundings_.store.connections_open();
  rows_at_logout_ = surroundings_.store.rows_of(user_);
}

std::int64_t LogoutProbe::rows_after_logout() const {
  return surroundings_.store.rows_of(user_) - rows_at_logout_;
}

SessionFacts LogoutProbe::facts() const {
  SessionFacts facts = at_logout_;
  facts.rows_after_logout = rows_after_logout();
  // The store first: a worker that is still at work may take a sample in between, not lose one.
  const std::int64_t stored = surroundings_.store.samples_of(user_);
  facts.samples_lost = activity_->samples_taken - stored;
  return facts;
}

}  // namespace scenario
