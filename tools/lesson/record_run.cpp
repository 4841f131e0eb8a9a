// record_run · runs a half or a step that was compiled to record itself, and keeps its recording
// Run       build/release/bin/record_run correct-example/lessons/01_told_not_waited_for.cpp FILE
// Why       docs/recordings/README.md
#include "scenario/child_process.hpp"
#include "scenario/command_line.hpp"
#include "scenario/surroundings.hpp"
#include "scenario/trace_file.hpp"

#include "lessons.hpp"
#include <cstdlib>
#include <stdexcept>

namespace {

namespace fs = std::filesystem;

int record(const fs::path& source, const fs::path& file) {
  const auto folder = source.parent_path();
  const bool is_step = folder.filename() == "from_scratch";
  const auto side = folder.parent_path().filename() == "broken-example" ? "broken" : "correct";
  auto half = is_step ? lessons::read_step(source) : lessons::read_half(source, side);
  const auto name = source.stem().string();
  const auto program =
      scenario::this_program().parent_path() / "recorded" / (is_step ? name : name + "_" + side);
  if (!fs::exists(program)) throw std::runtime_error(program.string() + " is missing: build it");

  const scenario::TemporaryFolder temporary;
  const auto raw_file = temporary.path() / "recording";
  ::setenv("RECORDING", raw_file.c_str(), 1);
  auto report = lessons::run(half, program);
  if (!report.as_documented())
    throw std::runtime_error(program.string() + ": " + report.differences.front());
  if (!is_step) report.experiment.name = side;
  scenario::write_trace(raw_file, file, is_step ? "from_scratch" : "lesson " + name.substr(0, 2),
                        report);
  return 0;
}

}  // namespace

int main(int argc, char* argv[]) {
  return scenario::exit_code_of("record_run", [&] {
    if (argc != 3) throw scenario::UsageError("usage: record_run SOURCE FILE");
    return record(fs::canonical(argv[1]), argv[2]);
  });
}
