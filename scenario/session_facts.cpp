#include "scenario/session_facts.hpp"

#include "scenario/recording.hpp"

#include <boost/json.hpp>

#include <chrono>
#include <utility>

namespace scenario {

boost::json::object to_json(const SessionFacts& facts) {
  const auto all = boost::json::value_from(facts);
  boost::json::object measured;
  for (const auto& fact : all.get_object())
    if (!fact.value().is_null()) measured.insert(fact);
  return measured;
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
  {
    const recording::Span span("logout");
    co_await std::move(logout);
  }
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
