#pragma once

#include "scenario/surroundings.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/thread/thread.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace arc_problem {

namespace asio = boost::asio;

/// What happened to a Runtime, told by flags that outlive it.
struct Witness {
  std::atomic<bool> destroyed{false};
  std::atomic<bool> destroyed_inside_its_own_run{false};
  std::atomic<int> threads_returned{0};
  std::string self_join = "none";  // what join() refused by; read after `destroyed`
};

/// An io_context with its threads, held by std::shared_ptr. It ends when its last owner lets go,
/// and nobody can make them.
class Runtime {
 public:
  Runtime(int threads, scenario::ThreadCensus& census);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  asio::io_context::executor_type get_executor() noexcept { return context_.get_executor(); }
  std::shared_ptr<const Witness> witness() const noexcept { return witness_; }

  // What people try when owners do not let go; each is one of the experiments.
  void stop();     ///< stops the context and joins the threads
  void restart();  ///< lets the same context run again
  void detach();   ///< lets the threads run on by themselves

  /// Threads that somebody could still wait for. Not while one of the three above runs.
  std::ptrdiff_t threads_to_join() const;

 private:
  void start_threads();

  const int thread_count_;
  scenario::ThreadCensus& census_;
  const std::shared_ptr<Witness> witness_ = std::make_shared<Witness>();
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> keep_running_;
  std::vector<boost::thread> threads_;
};

}  // namespace arc_problem
