#include "runtime_sharing/scope_state.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <new>
#include <thread>

namespace runtime_sharing::detail {
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

/// Without words if there is no memory for them.
Failure failure_of(const TaskRecord& record, const std::exception_ptr& error) noexcept {
  try {
    return {record.name, what_of(error)};
  } catch (...) {
    return {};
  }
}

/// The tree of a scope on somebody else's executor.
class ExecutorTree final : public ScopeTree {
 public:
  explicit ExecutorTree(const asio::any_io_executor& executor)
      : ScopeTree(asio::query(executor, asio::execution::context)),
        executor_(asio::require(executor, asio::execution::blocking.never)) {}

  void begin() { ScopeTree::begin(0); }

 private:
  void end() noexcept override {
    ScopeTree::end();
    // A strand's executor must not outlive the strand's context.
    asio::any_io_executor executor;
    asio::any_io_executor work;
    const std::lock_guard lock(mutex);
    executor.swap(executor_);
    work.swap(work_);
  }

  void post(Batch batch) override {
    if (executor_) executor_.execute(std::move(batch));
  }

  // A task that is not suspended in an operation keeps its context running, too.
  void work_began() override {
    work_ = asio::prefer(executor_, asio::execution::outstanding_work.tracked);
  }
  void work_ended() noexcept override {
    asio::any_io_executor work;
    const std::lock_guard lock(mutex);
    if (alive == 0) work.swap(work_);
  }

  asio::any_io_executor executor_;
  asio::any_io_executor work_;  // guarded by mutex
};

}  // namespace

void cancel_surely(const CancellationToken& token) noexcept {
  for (;;) {
    try {
      token.cancel();
      return;
    } catch (const std::bad_alloc&) {
      std::this_thread::yield();  // the next call wakes those that are left
    }
  }
}

TaskGuard::~TaskGuard() {
  if (!record_) return;
  record_->destroyed = true;
  ended(std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted)));
}

void TaskGuard::ended(const std::exception_ptr& error) noexcept {
  const auto record = std::exchange(record_, nullptr);
  if (!record) return;  // the coroutine could not begin, and has taken it along
  record->coroutine_is_gone();
  record->scope->leave(*record, error);
}

std::shared_ptr<ScopeTree> ScopeTree::on(const asio::any_io_executor& executor) {
  auto tree = std::make_shared<ExecutorTree>(executor);
  tree->begin();
  return tree;
}

ScopeState::ScopeState(std::string scope_name, CancellationToken scope_token,
                       std::shared_ptr<ScopeTree> scope_tree, std::shared_ptr<ScopeState> parent,
                       ScopeLimits limits, Errc refusal)
    : name(std::move(scope_name)),
      token(std::move(scope_token)),
      tree(std::move(scope_tree)),
      depth(parent ? parent->depth + 1 : 0),
      parent_(std::move(parent)),
      limits_(limits),
      refusal_(refusal) {
  {
    const std::lock_guard lock(tree->mutex);
    if (tree->alive_at_depth.size() <= depth) tree->alive_at_depth.resize(depth + 1);
    if (!parent_) return;
    parent_->children_.push_back(*this);
    closed_ = parent_->closed_;
    if (!closed_) return;
  }
  drained.cancel();  // born closed, and empty for ever
}

ScopeState::~ScopeState() {
  if (!parent_) return;
  const std::lock_guard lock(tree->mutex);
  parent_->children_.erase(parent_->children_.iterator_to(*this));
}

const ScopeState* ScopeState::full_one() const noexcept {
  for (const ScopeState* scope = this; scope; scope = scope->parent_.get()) {
    if (scope->alive_ >= scope->limits_.max_tasks) return scope;
  }
  return nullptr;
}

error_code ScopeState::admit(TaskRecord& record) {
  const std::lock_guard lock(tree->mutex);
  if (closed_) return refusal_;
  if (full_one() != nullptr) return Errc::scope_full;
  if (tree->alive == 0) tree->work_began();
  ++tree->alive;
  ++tree->alive_at_depth[depth];
  tasks_.push_back(record);
  for (ScopeState* scope = this; scope; scope = scope->parent_.get()) {
    ++scope->alive_;
    ++scope->tasks_total_;
  }
  return {};
}

void ScopeState::refuse(const std::string& task_name, error_code reason) const {
  throw boost::system::system_error(reason, "task '" + task_name + "' refused by " + name);
}

void ScopeState::leave(TaskRecord& record, const std::exception_ptr& error) noexcept {
  // User code, what() and all, runs before the lock.
  std::optional<Failure> failure;
  const bool told = token.is_cancelled() || record.interrupted || record.destroyed;
  if (error && !(told && is_operation_aborted(error))) failure = failure_of(record, error);
  bool drained_one = false;
  bool was_last = false;
  Queue called;
  std::optional<CancellationToken> end;
  {
    const std::lock_guard lock(tree->mutex);
    tasks_.erase(tasks_.iterator_to(record));
    record.error_ = error;
    end.swap(record.end_);
    was_last = --tree->alive == 0;
    const bool depth_is_empty = --tree->alive_at_depth[depth] == 0;
    for (ScopeState* scope = this; scope; scope = scope->parent_.get()) {
      --scope->alive_;
      drained_one = drained_one || scope->is_drained();
      if (failure) scope->add_failure(*failure);
    }
    call_next(called);
    if (drained_one || depth_is_empty) tree->changed.notify_all();
  }
  if (end) cancel_surely(*end);
  for (const auto& place : called) cancel_surely(place.turn);
  if (failure && limits_.on_failure == FailurePolicy::cancel_scope) cancel_surely(token);
  if (was_last) tree->work_ended();
  if (drained_one) announce_drained();
}

void ScopeState::call_next(Queue& called) noexcept {
  for (ScopeState* scope = this; scope; scope = scope->parent_.get()) {
    if (scope->queue_.empty() || scope->alive_ >= scope->limits_.max_tasks) continue;
    called.splice(called.end(), scope->queue_, scope->queue_.begin());
  }
}

CancellationToken TaskRecord::end() {
  CancellationToken token;
  {
    const std::lock_guard lock(scope->tree->mutex);
    if (hook_.is_linked()) {
      if (!end_) end_ = token;
      return *end_;
    }
  }
  token.cancel();
  return token;
}

std::exception_ptr TaskRecord::error() const {
  const std::lock_guard lock(scope->tree->mutex);
  return error_;
}

CancellationToken PlaceInQueue::queue_for(std::shared_ptr<ScopeState> full) {
  const bool was_here_before = turn_.has_value();
  const CancellationToken turn;
  ScopeState::Queue place{{turn, full.get()}};
  ScopeState::Queue called;
  bool is_your_turn = false;
  {
    const std::lock_guard lock(full->tree->mutex);
    auto* const scope = const_cast<ScopeState*>(full->full_one());
    is_your_turn = full->closed_ || scope == nullptr;  // since it was asked
    if (!is_your_turn) {
      auto& queue = scope->queue_;
      queue.splice(was_here_before ? queue.begin() : queue.end(), place);
      // It was called and cannot come: the room may be in a scope above the one that is full.
      if (was_here_before) full->call_next(called);
    }
  }
  turn_ = turn;
  scope_ = std::move(full);
  for (const auto& next : called) cancel_surely(next.turn);
  if (is_your_turn) turn.cancel();
  return turn;
}

PlaceInQueue::~PlaceInQueue() {
  if (!turn_) return;
  ScopeState::Queue called;
  {
    const std::lock_guard lock(scope_->tree->mutex);
    for (ScopeState* scope = scope_.get(); scope; scope = scope->parent_.get()) {
      std::erase_if(scope->queue_, [this](const auto& place) { return place.turn == *turn_; });
    }
    if (turn_->is_cancelled()) scope_->call_next(called);  // it had its turn: whose is it now?
  }
  for (const auto& place : called) cancel_surely(place.turn);
}

void ScopeState::add_failure(const Failure& failure) noexcept {
  ++failures_total_;
  if (failures_.size() >= ShutdownReport::max_failures) return;
  try {
    failures_.push_back(failure);
  } catch (const std::bad_alloc&) {
    // It is counted.
  }
}

void ScopeState::forget() noexcept {
  const std::lock_guard lock(tree->mutex);
  for (ScopeState* scope = this; scope; scope = scope->parent_.get()) --scope->tasks_total_;
}

void ScopeState::announce_drained() noexcept {
  // Drained is for ever: nothing is admitted any more. So each may be looked at on its own.
  for (ScopeState* scope = this; scope; scope = scope->parent_.get()) {
    std::unique_lock lock(tree->mutex);
    const bool is_drained_now = scope->is_drained();
    lock.unlock();
    if (is_drained_now) cancel_surely(scope->drained);
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
  Queue called;
  {
    const std::lock_guard lock(tree->mutex);
    std::size_t scopes = 0;
    for_each_scope(*this, [&](const ScopeState&) { ++scopes; });
    drained_now.reserve(scopes);  // what can throw comes first
    for_each_scope(*this, [&](ScopeState& scope) {
      if (scope.closed_) return;
      scope.closed_ = true;
      for (ScopeState* full = &scope; full; full = full->parent_.get()) {
        auto& queue = full->queue_;
        for (auto place = queue.begin(); place != queue.end();) {
          const auto candidate = place++;
          if (candidate->wanted == &scope) called.splice(called.end(), queue, candidate);
        }
      }
      if (scope.is_drained()) drained_now.push_back(scope.drained);
    });
    tree->changed.notify_all();
  }
  for (const auto& place : called) cancel_surely(place.turn);
  for (const auto& token_of_drained : drained_now) cancel_surely(token_of_drained);
}

bool ScopeState::is_closed() const {
  const std::lock_guard lock(tree->mutex);
  return closed_;
}

std::size_t ScopeState::alive() const {
  const std::lock_guard lock(tree->mutex);
  return alive_;
}

std::vector<boost::intrusive_ptr<TaskRecord>> ScopeState::unfinished() const {
  std::vector<boost::intrusive_ptr<TaskRecord>> records;
  const std::lock_guard lock(tree->mutex);
  for_each_scope(*this, [&](const ScopeState& scope) {
    for (const TaskRecord& record : scope.tasks_) {
      records.emplace_back(const_cast<TaskRecord*>(&record));
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

}  // namespace runtime_sharing::detail
