// Explored in every order of its steps: turns.pml.

#include "runtime_sharing/detail/turns.hpp"

#include <algorithm>
#include <utility>

namespace runtime_sharing::detail {

/// Of one thread. A token may keep it for longer than there are turns.
class alignas(cache_line) Turns::Line final : public WakeQueue {
 public:
  explicit Line(const std::shared_ptr<Turns>& turns) noexcept : turns_(turns) {}

  using WakeQueue::enter_ready;

  std::atomic<unsigned> turns_here{0};

 private:
  void wake_up() noexcept override {
    if (const auto turns = turns_.lock()) turns->submit_batch();
  }

  const std::weak_ptr<Turns> turns_;
};

Turns::Turns(asio::execution_context& context) : context_(context) {}

/// A token that outlives this shall not keep its lanes here.
Turns::~Turns() {
  end();
}

void Turns::begin(std::size_t threads) {
  for (std::size_t i = 0; i <= threads; ++i) {
    lines_.push_back(boost::intrusive_ptr(new Line(shared_from_this())));
  }
}

void Turns::submit(Waiter& waiter) noexcept {
  if (!lines_[thread_number()]->enter_ready(waiter)) return waiter.drop();
  submit_batch();
}

WakeQueue& Turns::line_here() const noexcept {
  return *lines_[thread_number()];
}

void Turns::submit_batch() noexcept {
  // The look saves most of the exchanges. A batch that is about to run takes the mark away before
  // it looks at the lines, and who wants a turn is in line before the mark is looked at: one of the
  // two is seen.
  if (batch_is_posted_ || batch_is_posted_.exchange(true)) return;
  post(Batch(shared_from_this()));
}

void Turns::run_batch() {
  batch_is_posted_ = false;
  for (int turn = 0; turn < turns_per_batch(); ++turn) {
    Waiter* const next = take_next();
    if (next == nullptr) return;
    const auto has_ready = [](const auto& line) { return line->has_ready(); };
    if (std::ranges::any_of(lines_, has_ready)) submit_batch();
    if (!next->deliver()) next->drop();
  }
}

Waiter* Turns::take_next() noexcept {
  const std::size_t here = thread_number();
  const unsigned turn = lines_[here]->turns_here.fetch_add(1, std::memory_order_relaxed) + 1;
  const bool others_first = turn % own_line_first == 0;
  const std::size_t begin = others_first ? here + turn / own_line_first : here;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    Line& line = *lines_[(begin + i) % lines_.size()];
    if (!line.has_ready()) continue;
    if (Waiter* const waiter = line.take()) return waiter;
  }
  return nullptr;
}

void Turns::end() noexcept {
  for (const auto& line : lines_) line->close();
  for (const auto& line : lines_) line->drop_all();
}

}  // namespace runtime_sharing::detail
