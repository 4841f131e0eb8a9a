#include "benchmarks/work.hpp"

#include <map>
#include <stdexcept>
#include <string_view>

namespace bench {
namespace {

Wait to_wait(const std::string& value) {
  static const std::map<std::string, Wait> names{
      {"none", Wait::none}, {"token", Wait::token}, {"sleep", Wait::sleep}};
  return names.at(value);
}

bool either(const std::string& value, std::string_view yes, std::string_view no) {
  if (value != yes && value != no) throw std::out_of_range(value);
  return value == yes;
}

void assign(Work& work, const std::string& key, const std::string& value) {
  if (key == "work") {
    work.work = value;
  } else if (key == "program") {
    work.program = value;
  } else if (key == "tasks") {
    work.tasks = std::stoul(value);
  } else if (key == "wait") {
    work.wait = to_wait(value);
  } else if (key == "spawn") {
    work.inside = either(value, "inside", "outside");
  } else if (key == "token") {
    work.child_tokens = either(value, "child", "shared");
  } else if (key == "allocator") {
    work.allocator = value;
  } else {
    throw std::out_of_range(key);
  }
}

}  // namespace

Work read_work(int argc, const char* const* argv) {
  Work work;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto equals = word.find('=');
    try {
      if (equals == std::string::npos) throw std::out_of_range(word);
      assign(work, word.substr(0, equals), word.substr(equals + 1));
    } catch (const std::logic_error&) {
      throw std::invalid_argument("not understood: '" + word + "'");
    }
  }
  if (work.work == "restart") work.tasks = Work::restart_tasks;
  if (work.work == "finish") work.wait = Wait::none;
  return work;
}

}  // namespace bench
