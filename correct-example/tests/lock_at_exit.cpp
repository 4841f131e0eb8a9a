// A static object locks a checked mutex in its destructor, when the main thread's own thread-locals
// are gone. Nothing happens; a sanitizer finds nothing.
#include "runtime_sharing/suspension_checker.hpp"

namespace {

using runtime_sharing::checked::Lock;
using runtime_sharing::checked::Mutex;

class Registry {
 public:
  ~Registry() { use(); }
  void use() {
    {
      const Lock lock(mutex_);
    }
    if (mutex_.try_lock()) mutex_.unlock();
  }

 private:
  Mutex mutex_{"registry"};
};

Registry registry;

}  // namespace

int main() {
  registry.use();
}
