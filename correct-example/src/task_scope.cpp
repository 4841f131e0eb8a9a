#include "runtime_sharing/task_scope.hpp"

namespace runtime_sharing {
namespace {

/// Tasks that nobody has waited for, but for the one that destroys the scope from inside.
std::size_t left_behind_in(const detail::ScopeState& scope) noexcept {
  // Whoever is left after a shutdown was waited for, and named. So is whoever is destroyed by one,
  // together with this scope: the context has ended, and this thread is one that ends it.
  const bool goes_with_its_context =
      scope.tree->line_here().is_closed() && !scope.tree->may_wait_here();
  if (scope.is_drained() || scope.is_root() || scope.was_shut_down() || goes_with_its_context)
    return 0;
  const auto* const here = detail::CoroutineTask::here();
  const std::size_t inside = here != nullptr && scope.contains(*here->scope) ? 1 : 0;
  const std::size_t alive = scope.size();
  return alive > inside ? alive : 0;
}

constexpr std::string_view no_memory_warning =
    "a scope was destroyed with tasks in it: await async_join() before";

/// Empty: there is no memory for it.
std::string warning_of(const detail::ScopeState& scope, std::size_t left) noexcept {
  try {
    const auto tasks = scope.unfinished();
    return scope.name + " was destroyed with " + std::to_string(left) +
           (left == 1 ? " task" : " tasks") + " in it" +
           (tasks.empty() ? "" : ", among them '" + tasks.front()->name + "'") +
           ": await async_join() before";
  } catch (const std::bad_alloc&) {
    return {};
  }
}

}  // namespace

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
  // Before the cancel: whoever ends by it in no time was left behind all the same.
  const std::size_t left = left_behind_in(*state_);
  const std::string warning = left > 0 ? warning_of(*state_, left) : std::string();
  token().cancel();
  if (left == 0) return;
  state_->tree->warn(warning.empty() ? no_memory_warning : std::string_view(warning));
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
