#include "runtime_sharing/task_scope.hpp"

namespace runtime_sharing {

TaskScope::TaskScope(std::shared_ptr<detail::ScopeState> state) noexcept
    : state_(std::move(state)) {}

// A scope is called by what a refused caller reads in the error.
TaskScope::TaskScope(const std::string& name, const boost::asio::any_io_executor& executor,
                     const CancellationToken& parent_token, ScopeLimits limits)
    : TaskScope(
          std::make_shared<detail::ScopeState>("scope '" + name + "'", parent_token.child_token(),
                                               detail::ScopeTree::on(executor), nullptr, limits)) {}

TaskScope::TaskScope(const std::string& name, TaskScope& parent, ScopeLimits limits)
    : TaskScope(std::make_shared<detail::ScopeState>("scope '" + name + "'",
                                                     parent.token().child_token(),
                                                     parent.state_->tree, parent.state_, limits)) {}

TaskScope::~TaskScope() {
  close();
  const auto alive = size();
  const auto name_of_one = unfinished_name();
  detail::cancel_surely(token());
  if (alive == 0 || state_->is_root()) return;
  state_->tree->warn(state_->name + " was destroyed with " + std::to_string(alive) +
                     (alive == 1 ? " task" : " tasks") + " in it, among them '" + name_of_one +
                     "': await async_wait() before");
  if (state_->tree->may_wait_here()) {
    wait_until(std::chrono::steady_clock::now() + Deadlines().wait);
  }
}

std::string TaskScope::unfinished_name() const {
  const auto names = unfinished();
  return names.empty() ? std::string() : names.front();
}

void TaskScope::close() {
  state_->close();
}

bool TaskScope::is_closed() const {
  return state_->is_closed();
}

const CancellationToken& TaskScope::token() const noexcept {
  return state_->token;
}

bool TaskScope::wait_until(std::chrono::steady_clock::time_point deadline) const {
  return state_->wait_until(deadline);
}

std::size_t TaskScope::size() const {
  return state_->alive();
}

std::vector<std::string> TaskScope::unfinished() const {
  std::vector<std::string> names;
  for (const auto& record : state_->unfinished()) names.push_back(record->name);
  return names;
}

}  // namespace runtime_sharing
