#include "runtime_sharing/detail/user_code.hpp"

namespace runtime_sharing::detail {
namespace {

thread_local std::atomic<int>* depth_here = nullptr;

}  // namespace

UserCode::UserCode() noexcept : depth_(depth_here) {
  if (depth_ != nullptr) ++*depth_;
}

UserCode::~UserCode() {
  if (depth_ != nullptr) --*depth_;
}

void UserCode::watch(std::atomic<int>& depth) noexcept {
  depth_here = &depth;
}

}  // namespace runtime_sharing::detail
