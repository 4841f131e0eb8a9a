// 06 cancel under a lock · the registry cancels its sessions while it holds its mutex
// Group     What must outlive what
// Symptom   "shutdown deadlocks inside cancel"
// Expected  callbacks_ran_inside yes · relock EDEADLK · sessions_left 2
// Why       `request_stop` runs the callbacks inline, on this thread, and each of them needs the
//           mutex that this thread holds already.
#include <cerrno>
#include <iostream>
#include <map>
#include <mutex>
#include <pthread.h>
#include <stop_token>
#include <thread>
#include <vector>

struct CheckedMutex {  // answers EDEADLK where a std::mutex would wait for itself, for ever
  CheckedMutex() {
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&mutex, &kind);
    pthread_mutexattr_destroy(&kind);
  }
  ~CheckedMutex() { pthread_mutex_destroy(&mutex); }
  CheckedMutex(const CheckedMutex&) = delete;
  CheckedMutex& operator=(const CheckedMutex&) = delete;
  int try_to_lock() { return pthread_mutex_lock(&mutex); }
  void lock() { try_to_lock(); }
  void unlock() { pthread_mutex_unlock(&mutex); }
  pthread_mutex_t mutex{};
};

struct Registry {
  std::stop_token add(int id) {
    const std::lock_guard lock(mutex);
    return sessions[id].get_token();
  }
  int remove(int id) {
    const int error = mutex.try_to_lock();
    if (error != 0) return error;
    sessions.erase(id);
    mutex.unlock();
    return 0;
  }
  // [cancel]
  void cancel_all() {
    const std::lock_guard lock(mutex);
    for (auto& [id, source] : sessions) source.request_stop();
  }
  // [/cancel]
  CheckedMutex mutex;  // guards the sessions
  std::map<int, std::stop_source> sessions;
};

int main() {
  const auto show = [](auto fact, auto value) { std::cout << fact << ' ' << value << std::endl; };
  Registry registry;
  const std::stop_token first = registry.add(1);
  const std::stop_token second = registry.add(2);
  int relock = 0;
  int ran_inside = 0;
  bool cancelling = true;
  const auto caller = std::this_thread::get_id();
  const auto leave = [&](int id) {  // what a session does when it is told
    if (cancelling && std::this_thread::get_id() == caller) ++ran_inside;
    if (const int error = registry.remove(id)) relock = error;
  };
  const std::stop_callback on_first(first, [&] { leave(1); });
  const std::stop_callback on_second(second, [&] { leave(2); });
  registry.cancel_all();
  cancelling = false;

  show("callbacks_ran_inside", ran_inside == 2 ? "yes" : "no");
  show("relock", relock == 0 ? "granted" : relock == EDEADLK ? "EDEADLK" : "another error");
  show("sessions_left", registry.sessions.size());
}
