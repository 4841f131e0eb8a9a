#include "runtime_sharing/task_scope.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

namespace runtime_sharing {
namespace detail {
namespace {

std::string what_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    return exception.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

bool is_cancellation(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& exception) {
    return exception.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

}  // namespace

TaskRecord::TaskRecord(std::string task_name, std::shared_ptr<ScopeState> owner)
    : name(std::move(task_name)), scope(std::move(owner)) {}

void CoroutineTask::interrupt() {
  asio::post(strand, [self = std::static_pointer_cast<CoroutineTask>(shared_from_this())] {
    self->interrupted = true;
    self->signal.emit(asio::cancellation_type::terminal);
  });
}

TaskGuard::~TaskGuard() {
  if (!record_) return;
  record_->destroyed = !ended_;
  record_->scope->leave(*record_, error_);
}

void TaskGuard::failed(std::exception_ptr error) noexcept {
  ended_ = true;
  const bool told = record_->scope->token.is_cancelled() || record_->interrupted;
  if (!(told && is_cancellation(error))) error_ = std::move(error);
}

ScopeState::ScopeState(std::string scope_name, asio::any_io_executor scope_executor,
                       CancellationToken scope_token, std::shared_ptr<ScopeTree> scope_tree,
                       std::shared_ptr<ScopeState> parent, Errc refusal)
    : name(std::move(scope_name)),
      executor(std::move(scope_executor)),
      token(std::move(scope_token)),
      tree(std::move(scope_tree)),
      depth(parent ? parent->depth + 1 : 0),
      parent_(std::move(parent)),
      refusal_(refusal) {
  const std::lock_guard lock(tree->mutex);
  if (tree->alive_at_depth.size() <= depth) tree->alive_at_depth.resize(depth + 1);
  if (!parent_) return;
  parent_->children_.push_back(*this);
  closed_ = parent_->closed_;
}

ScopeState::~ScopeState() {
  if (!parent_) return;
  const std::lock_guard lock(tree->mutex);
  parent_->children_.erase(parent_->children_.iterator_to(*this));
}

bool ScopeState::admit(TaskRecord& record) {
  const std::lock_guard lock(tree->mutex);
  if (closed_) return false;
  tasks_.push_back(record);
  ++tree->alive_at_depth[depth];
  for (ScopeState* scope = this; scope; scope = scope->parent_.get()) {
    ++scope->alive_;
    ++scope->tasks_total_;
  }
  return true;
}

void ScopeState::refuse(const std::string& task_name) const {
  throw boost::system::system_error(refusal_, "task '" + task_name + "' refused by " + name);
}

void ScopeState::leave(TaskRecord& record, std::exception_ptr error) noexcept {
  // User code, what() and all, runs before the lock.
  std::optional<Failure> failure;
  if (error) failure = Failure{record.name, what_of(error)};
  bool drained_one = false;
  {
    const std::lock_guard lock(tree->mutex);
    tasks_.erase(tasks_.iterator_to(record));
    --tree->alive_at_depth[depth];
    for (ScopeState* scope = this; scope; scope = scope->parent_.get()) {
      --scope->alive_;
      drained_one = drained_one || scope->is_drained();
      if (!failure) continue;
      ++scope->failures_total_;
      if (scope->failures_.size() < ShutdownReport::max_failures) {
        scope->failures_.push_back(*failure);
      }
    }
    tree->changed.notify_all();
  }
  if (drained_one) announce_drained();
}

void ScopeState::announce_drained() noexcept {
  // Drained is for ever: nothing is admitted any more. So each may be looked at on its own.
  for (ScopeState* scope = this; scope; scope = scope->parent_.get()) {
    std::unique_lock lock(tree->mutex);
    const bool is_drained_now = scope->is_drained();
    lock.unlock();
    if (is_drained_now) scope->drained.cancel();
  }
}

template <typename Scope, typename Visit>
void ScopeState::for_each_scope(Scope& top, Visit visit) {
  // Along the links of siblings and parents: neither recursion nor allocation, however deep.
  Scope* scope = &top;
  for (;;) {
    visit(*scope);
    if (!scope->children_.empty()) {
      scope = &scope->children_.front();
      continue;
    }
    while (scope != &top) {
      const auto next = std::next(Children::s_iterator_to(*scope));
      if (next != scope->parent_->children_.end()) {
        scope = &*next;
        break;
      }
      scope = scope->parent_.get();
    }
    if (scope == &top) return;
  }
}

void ScopeState::close() {
  std::vector<CancellationToken> drained_now;
  {
    const std::lock_guard lock(tree->mutex);
    for_each_scope(*this, [&](ScopeState& scope) {
      if (scope.closed_) return;
      scope.closed_ = true;
      if (scope.is_drained()) drained_now.push_back(scope.drained);
    });
    tree->changed.notify_all();
  }
  for (const auto& token_of_drained : drained_now) token_of_drained.cancel();
}

bool ScopeState::is_closed() const {
  const std::lock_guard lock(tree->mutex);
  return closed_;
}

std::size_t ScopeState::alive() const {
  const std::lock_guard lock(tree->mutex);
  return alive_;
}

std::vector<std::shared_ptr<TaskRecord>> ScopeState::unfinished() const {
  std::vector<std::shared_ptr<TaskRecord>> records;
  const std::lock_guard lock(tree->mutex);
  for_each_scope(*this, [&](const ScopeState& scope) {
    for (const TaskRecord& record : scope.tasks_) {
      records.push_back(std::const_pointer_cast<TaskRecord>(record.shared_from_this()));
    }
  });
  return records;
}

bool ScopeState::wait_until(std::chrono::steady_clock::time_point deadline) const {
  std::unique_lock lock(tree->mutex);
  return tree->changed.wait_until(lock, deadline, [this] { return is_drained(); });
}

void ScopeState::add_to(ShutdownReport& report) const {
  const std::lock_guard lock(tree->mutex);
  report.tasks_total = tasks_total_;
  report.failures_total = failures_total_;
  report.failures = failures_;
}

}  // namespace detail

TaskScope::TaskScope(std::shared_ptr<detail::ScopeState> state) noexcept
    : state_(std::move(state)) {}

// A scope is called by what a refused caller reads in the error.
TaskScope::TaskScope(std::string name, boost::asio::any_io_executor executor,
                     const CancellationToken& parent_token)
    : TaskScope(std::make_shared<detail::ScopeState>(
          "scope '" + name + "'", std::move(executor), parent_token.child_token(),
          std::make_shared<detail::ScopeTree>(), nullptr)) {}

TaskScope::TaskScope(std::string name, TaskScope& parent)
    : TaskScope(std::make_shared<detail::ScopeState>(
          "scope '" + name + "'", parent.state_->executor, parent.token().child_token(),
          parent.state_->tree, parent.state_)) {}

TaskScope::~TaskScope() {
  close();
  token().cancel();
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
