// POSIX only: neither the standard library nor Boost has an error-checking mutex.

#include "error_checking_mutex.hpp"

#include <boost/thread/thread.hpp>

#include <cerrno>
#include <pthread.h>
#include <system_error>

namespace mutex_problem {

std::string answer_to_an_unlock_on_another_thread() {
  pthread_mutexattr_t checking;
  pthread_mutexattr_init(&checking);
  pthread_mutexattr_settype(&checking, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_t mutex;
  pthread_mutex_init(&mutex, &checking);
  pthread_mutexattr_destroy(&checking);

  int answer = 0;
  pthread_mutex_lock(&mutex);
  boost::thread([&] { answer = pthread_mutex_unlock(&mutex); }).join();
  pthread_mutex_unlock(&mutex);
  pthread_mutex_destroy(&mutex);

  if (answer == EPERM) return "EPERM";
  return answer == 0 ? "no error" : std::generic_category().message(answer);
}

}  // namespace mutex_problem
