#include "runtime_sharing/error.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/experimental/channel_error.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/system/error_category.hpp>
#include <boost/system/system_error.hpp>
#include <boost/thread/exceptions.hpp>

#include <string>

namespace runtime_sharing {
namespace {

class Category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "runtime_sharing"; }

  std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::scope_closed:
        return "the scope is closed";
      case Errc::runtime_shut_down:
        return "the runtime has been shut down; use the one of the present generation";
      case Errc::runtime_running:
        return "the runtime still runs; shut it down first";
      case Errc::runtime_stopping:
        return "the runtime is being shut down; wait for its report";
      case Errc::no_runtime:
        return "no runtime was started";
      case Errc::slot_closed:
        return "the application is quitting: no more runtimes are started";
      case Errc::scope_full:
        return "the scope holds as many tasks as it may; await async_spawn() for room";
    }
    return "unknown error " + std::to_string(value);
  }
};

}  // namespace

const boost::system::error_category& error_category() noexcept {
  static const Category category;
  return category;
}

boost::system::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

bool is_cancellation(const boost::system::error_code& error) noexcept {
  using boost::asio::experimental::error::channel_cancelled;
  using boost::asio::experimental::error::channel_closed;
  return error == boost::asio::error::operation_aborted || error == channel_cancelled ||
         error == channel_closed || error == Errc::scope_closed ||
         error == Errc::runtime_shut_down || error == Errc::runtime_stopping ||
         error == Errc::slot_closed;
}

bool is_cancellation(const std::exception_ptr& error) noexcept {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& exception) {
    return is_cancellation(exception.code());
  } catch (const boost::asio::multiple_exceptions& exception) {
    return is_cancellation(exception.first_exception());
  } catch (const boost::thread_interrupted&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace runtime_sharing
