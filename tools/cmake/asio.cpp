// Boost.Asio's own sources, compiled once for the whole build.
#include <boost/asio/impl/src.hpp>

#if defined(WITH_THREAD_SANITIZER)
#include <poll.h>
// GCC 12's ThreadSanitizer makes a thread's list of pending signals in its first call that may
// block, and loses the signal that arrives while it does: a server that printed its port, and is
// told to end as it goes to wait, would wait for ever. So the first such call is before main().
[[maybe_unused]] static const int first_call_that_may_block = ::poll(nullptr, 0, 0);
#endif
