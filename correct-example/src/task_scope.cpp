#include "runtime_sharing/task_scope.hpp"

namespace runtime_sharing {

TaskScope::TaskScope(boost::intrusive_ptr<detail::ScopeState> state) noexcept
    : state_(std::move(state)) {}

// A scope is called by what a refused caller reads in the error.
TaskScope::TaskScope(const std::string& name, const boost::asio::any_io_executor& executor,
                     const CancellationToken& parent_token, ScopeLimits limits)
    : TaskScope(detail::ScopeState::make("scope '" + name + "'", parent_token.child_token(),
                                         detail::ScopeTree::on(executor), nullptr, limits)) {}

TaskScope::TaskScope(const std::string& name, TaskScope& parent, ScopeLimits limits)
    : TaskScope(detail::ScopeState::make("scope '" + name + "'", parent.token().child_token(),
                                         parent.state_->tree, parent.state_.get(), limits)) {}

TaskScope::~TaskScope() {
  close();
  token().cancel();
  if (state_->is_drained() || state_->is_root()) return;
  if (state_->was_shut_down()) return;  // whoever is left was waited for, and named
  const auto* const here = detail::CoroutineTask::here();
  const std::size_t inside = here != nullptr && state_->contains(*here->scope) ? 1 : 0;
  const std::size_t alive = size();
  if (alive <= inside) return;
  try {
    const auto names = unfinished();
    state_->tree->warn(state_->name + " was destroyed with " + std::to_string(alive) +
                       (alive == 1 ? " task" : " tasks") + " in it" +
                       (names.empty() ? "" : ", among them '" + names.front() + "'") +
                       ": await async_join() before");
  } catch (const std::bad_alloc&) {
    state_->tree->warn("a scope was destroyed with tasks in it: await async_join() before");
  }
  if (state_->tree->may_wait_here()) {
    wait_until(std::chrono::steady_clock::now() + Deadlines().wait);
  }
}

void TaskScope::close() noexcept {
  state_->close();
}

bool TaskScope::is_closed() const noexcept {
  return state_->is_closed();
}

const CancellationToken& TaskScope::token() const noexcept {
  return state_->token;
}

bool TaskScope::wait_until(std::chrono::steady_clock::time_point deadline) const {
  return state_->wait_until(deadline);
}

std::size_t TaskScope::size() const noexcept {
  return state_->size();
}

std::vector<std::string> TaskScope::unfinished() const {
  std::vector<std::string> names;
  for (const auto& record : state_->unfinished()) names.push_back(record->name);
  return names;
}

}  // namespace runtime_sharing
