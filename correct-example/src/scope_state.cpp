// Explored in every order of its steps: scope_state.pml.

#include "runtime_sharing/detail/scope_state.hpp"

#include "runtime_sharing/detail/memory.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "ladder.hpp"
#include <algorithm>
#include <new>
#include <utility>

namespace runtime_sharing::detail {
namespace {

/// Runs user code: what().
Failure failure_of(const std::string& task_name, const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    return {task_name, exception.what()};
  } catch (...) {
    return {task_name, "an exception that is no std::exception"};
  }
}

}  // namespace

// ---- Tasks

TaskGuard::~TaskGuard() {
  if (!record_) return;
  record_->destroyed = true;
  if (auto* const observer = record_->scope->tree->observer)
    observer->task_destroyed({record_.get(), record_->name});
  ended(once_there_is_memory([] {
    return std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted));
  }));
}

void TaskGuard::ended(const std::exception_ptr& error) noexcept {
  const auto record = std::exchange(record_, nullptr);
  if (!record) return;  // the coroutine could not begin, and has taken it along
  auto* const observer = record->scope->tree->observer;
  if (observer != nullptr && !record->destroyed)
    observer->turn_ends({record.get(), record->name}, true);
  record->coroutine_is_gone();
  record->scope->leave(*record, error);
}

void TaskGuard::forget() noexcept {
  const auto record = std::exchange(record_, nullptr);
  record->coroutine_is_gone();
  record->scope->forget(*record);
}

CancellationToken TaskRecord::end() {
  CancellationToken token;
  {
    const std::lock_guard lock(scope->shards_[shard_].mutex);
    if (hook_.is_linked()) {
      if (!end_) end_ = token;
      return *end_;
    }
  }
  token.cancel();
  return token;
}

std::exception_ptr TaskRecord::error() const {
  const std::lock_guard lock(scope->shards_[shard_].mutex);
  return error_;
}

void ScopeTree::warn_of(std::string_view subject, std::string_view message) const noexcept {
  try {
    warn(std::string(subject) + std::string(message));
  } catch (const std::bad_alloc&) {
    warn(message);
  }
}

// ---- Scopes

void intrusive_ptr_add_ref(const ScopeState* scope) noexcept {
  scope->references_.fetch_add(1, std::memory_order_relaxed);
}

/// One ancestor after the other: a deep nest whose last handle goes must not recurse.
void intrusive_ptr_release(const ScopeState* scope) noexcept {
  while (scope != nullptr && scope->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    const ScopeState* const parent = scope->parent_;
    delete scope;
    scope = parent;
  }
}

ScopeState::ScopeState(std::string scope_name, CancellationToken scope_token,
                       std::shared_ptr<ScopeTree> scope_tree, ScopeState* parent,
                       ScopeLimits limits, Errc refusal)
    : name(std::move(scope_name)),
      token(scope_token),
      tree(std::move(scope_tree)),
      depth(parent ? parent->depth + 1 : 0),
      parent_(parent),
      limits_(limits),
      refusal_(refusal),
      shards_(tree->lines()),
      places_(parent ? parent->places_ : nullptr),
      to_be_drained_(shards_.size()) {
  if (limits.max_tasks != ScopeLimits().max_tasks)
    places_ = &own_places_.emplace(Places{limits.max_tasks, places_});
  if (parent_ != nullptr) intrusive_ptr_add_ref(parent_);
}

boost::intrusive_ptr<ScopeState> ScopeState::make(std::string scope_name,
                                                  CancellationToken scope_token,
                                                  std::shared_ptr<ScopeTree> scope_tree,
                                                  ScopeState* parent, ScopeLimits limits,
                                                  Errc refusal) {
  boost::intrusive_ptr made(new ScopeState(std::move(scope_name), scope_token,
                                           std::move(scope_tree), parent, limits, refusal));
  if (parent != nullptr) made->enter_parent();
  return made;
}

void ScopeState::enter_parent() noexcept {
  {
    const std::lock_guard lock(tree->mutex);
    if (!parent_->closed_) {
      parent_->children_.push_back(*this);
      ++parent_->to_be_drained_;
      return;
    }
  }
  // Born closed, and empty for ever.
  for (Shard& shard : shards_) shard.closed = true;
  closed_ = true;
  drained_ = true;
  drained.cancel();
}

ScopeState::~ScopeState() = default;

error_code ScopeState::admit(TaskRecord& record) {
  if (closed_) return refusal_;
  if (const auto full = take_places()) return full;
  bool context_runs = false;
  try {
    context_runs = tree->task_begins();
  } catch (...) {
    give_places_back();
    throw;
  }
  if (context_runs) {
    record.shard_ = static_cast<std::uint32_t>(tree->thread_number());
    Shard& shard = shards_[record.shard_];
    const std::lock_guard lock(shard.mutex);
    if (!shard.closed) {
      shard.tasks.push_back(record);
      ++shard.alive;
      ++shard.total;
      return {};
    }
  }
  if (context_runs) tree->task_ended();
  give_places_back();
  return context_runs ? refusal_ : Errc::scope_closed;
}

void ScopeState::refuse(const std::string& task_name, error_code reason) const {
  throw boost::system::system_error(reason, "task '" + task_name + "' refused by " + name);
}

void ScopeState::leave(TaskRecord& record, const std::exception_ptr& error) noexcept {
  const bool told = token.is_cancelled() || record.interrupted || record.destroyed;
  if (error && !(told && is_cancellation(error))) fail(record.name, error);
  count_out(record, error, 0);
}

void ScopeState::forget(TaskRecord& record) noexcept {
  count_out(record, nullptr, 1);
}

void ScopeState::count_out(TaskRecord& record, const std::exception_ptr& error,
                           std::size_t not_counted) noexcept {
  Shard& shard = shards_[record.shard_];
  std::optional<CancellationToken> end;
  bool is_drained_now = false;
  {
    const std::lock_guard lock(shard.mutex);
    shard.tasks.erase(shard.tasks.iterator_to(record));
    shard.total -= not_counted;
    record.error_ = error;
    end.swap(record.end_);
    is_drained_now = --shard.alive == 0 && shard.closed;
  }
  if (end) end->cancel();
  give_places_back();
  tree->task_ended();
  record.ended = true;
  if (tree->watchers > 0) {
    const std::lock_guard lock(tree->mutex);
    tree->changed.notify_all();
  }
  if (!is_drained_now) return;
  DrainedOnes now_drained;
  {
    const std::lock_guard lock(tree->mutex);
    came_nearer(now_drained);
  }
  announce(std::move(now_drained));
}

void ScopeState::fail(const std::string& task_name, const std::exception_ptr& error) noexcept {
  const Failure failure = once_there_is_memory([&] { return failure_of(task_name, error); });
  {
    const std::lock_guard lock(tree->mutex);
    for (ScopeState* scope = this; scope != nullptr; scope = scope->parent_) {
      ++scope->failures_total_;
      if (scope->failures_.size() < ShutdownReport::max_names)
        once_there_is_memory([&] { scope->failures_.push_back(failure); });
    }
  }
  for (const ScopeState* scope = this; scope != nullptr; scope = scope->parent_) {
    if (scope->limits_.on_failure == FailurePolicy::cancel_scope) scope->token.cancel();
  }
}

// ---- Closing and draining

/// Depth first, a scope after those below it. Along the links of siblings and parents: neither
/// recursion nor allocation, however deep. The visit may take the scope out of its siblings.
template <typename Visit>
void ScopeState::for_each_scope(const ScopeState& top, Visit visit) {
  const auto deepest_first = [](const ScopeState* scope) {
    while (!scope->children_.empty()) scope = &scope->children_.front();
    return scope;
  };
  const ScopeState* scope = deepest_first(&top);
  while (scope != &top) {
    const auto& siblings = scope->parent_->children_;
    const auto sibling = std::next(siblings.iterator_to(*scope));
    const ScopeState* const next =
        sibling == siblings.end() ? scope->parent_ : deepest_first(&*sibling);
    visit(const_cast<ScopeState&>(*scope));
    scope = next;
  }
  visit(const_cast<ScopeState&>(top));
}

void ScopeState::close() noexcept {
  DrainedOnes now_drained;
  std::list<Places::Waiting> called;
  {
    const std::lock_guard lock(tree->mutex);
    const auto call_refused = [&called](Places& places) {
      for (auto waiting = places.queue.begin(); waiting != places.queue.end();) {
        const auto one = waiting++;
        if (one->wanted->closed_) called.splice(called.end(), places.queue, one);
      }
    };
    for_each_scope(*this, [&](ScopeState& scope) {
      if (scope.closed_) return;
      scope.closed_ = true;
      if (scope.own_places_) call_refused(*scope.own_places_);
      for (Shard& shard : scope.shards_) {
        const std::lock_guard shard_lock(shard.mutex);
        shard.closed = true;
        if (shard.alive == 0) scope.came_nearer(now_drained);
      }
    });
    for (Places* places = places_; places != nullptr; places = places->above) call_refused(*places);
  }
  Places::tell(called);
  announce(std::move(now_drained));
}

void ScopeState::came_nearer(DrainedOnes& now_drained) noexcept {
  for (ScopeState* scope = this; scope != nullptr; scope = scope->parent_) {
    if (--scope->to_be_drained_ > 0) return;
    scope->drained_ = true;
    scope->next_drained_ = std::exchange(now_drained, scope);
    tree->changed.notify_all();
    ScopeState* const parent = scope->parent_;
    if (parent == nullptr) return;
    parent->children_.erase(parent->children_.iterator_to(*scope));
    parent->total_below_ += scope->total_below_;
    for (const Shard& shard : scope->shards_) parent->total_below_ += shard.total;
  }
}

void ScopeState::announce(DrainedOnes now_drained) noexcept {
  while (now_drained) {
    auto next = std::move(now_drained->next_drained_);
    now_drained->drained.cancel();
    now_drained = std::move(next);
  }
}

std::size_t ScopeState::size() const noexcept {
  std::size_t tasks = 0;
  const std::lock_guard lock(tree->mutex);
  for_each_scope(*this, [&](ScopeState& scope) {
    for (Shard& shard : scope.shards_) {
      const std::lock_guard shard_lock(shard.mutex);
      tasks += shard.alive;
    }
  });
  return tasks;
}

ScopeState::Records ScopeState::unfinished() const {
  Records records;
  const std::lock_guard lock(tree->mutex);
  for_each_scope(*this, [&](ScopeState& scope) {
    for (Shard& shard : scope.shards_) {
      const std::lock_guard shard_lock(shard.mutex);
      for (TaskRecord& record : shard.tasks) records.emplace_back(&record);
    }
  });
  return records;
}

bool ScopeState::contains(const ScopeState& scope) const noexcept {
  const ScopeState* at = &scope;
  while (at != nullptr && at != this) at = at->parent_;
  return at == this;
}

bool ScopeState::wait_until(std::chrono::steady_clock::time_point deadline) const {
  std::unique_lock lock(tree->mutex);
  return tree->changed.wait_until(lock, deadline, [this] { return is_drained(); });
}

void ScopeState::add_to(ShutdownReport& report) const noexcept {
  const std::lock_guard lock(tree->mutex);
  for_each_scope(*this, [&](ScopeState& scope) {
    report.tasks_total += scope.total_below_;
    for (Shard& shard : scope.shards_) {
      const std::lock_guard shard_lock(shard.mutex);
      report.tasks_total += shard.total;
    }
  });
  report.failures_total = failures_total_;
  once_there_is_memory([&] { report.failures = failures_; });
}

bool ScopeState::was_shut_down() const noexcept {
  const std::lock_guard lock(tree->mutex);
  return ladder_ && ladder_->is_done();
}

std::shared_ptr<Ladder> ScopeState::ladder() {
  auto created = std::make_shared<Ladder>(*this);
  const std::lock_guard lock(tree->mutex);
  if (!ladder_) ladder_ = std::move(created);
  return ladder_;
}

}  // namespace runtime_sharing::detail
