#include "recorder.hpp"

#include "scenario/recording.hpp"

namespace correct_example {
namespace {

namespace recording = scenario::recording;
using runtime_sharing::ObservedTask;
using runtime_sharing::Rung;
using runtime_sharing::ShutdownReport;

class Recorder final : public runtime_sharing::RuntimeObserver {
 public:
  void runtime_begins(std::uint64_t generation) noexcept override {
    recording::generation_begins(static_cast<std::int64_t>(generation));
  }
  void turn_begins(const ObservedTask& task) noexcept override {
    recording::turn_begins(task.id, task.name);
  }
  void turn_ends(const ObservedTask& task, bool ended) noexcept override {
    if (ended) recording::task_ended(task.id);
    recording::turn_ends();
  }
  void task_destroyed(const ObservedTask& task) noexcept override {
    recording::destroyed(task.id, task.name);
  }
  // A scope's name is in its state, and there for as long as its ladder.
  void rung_reached(std::string_view scope, Rung rung) noexcept override {
    recording::name_thread("ladder");
    if (rung == Rung::wait) recording::span_begins(scope.data(), "shutdown");
    recording::rung(to_string(rung));
  }
  void shutdown_ended(std::string_view scope, const ShutdownReport&) noexcept override {
    recording::span_ends(scope.data(), "shutdown");
  }
};

}  // namespace

std::shared_ptr<runtime_sharing::RuntimeObserver> recorder() {
  if (!recording::is_on()) return nullptr;
  return std::make_shared<Recorder>();
}

}  // namespace correct_example
