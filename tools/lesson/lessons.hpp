// The lessons: pairs of small programs, each with a card at its top that documents what it shows.
#pragma once

#include "scenario/experiment.hpp"
#include "scenario/output.hpp"

#include <boost/json/object.hpp>

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lessons {

/// One of the two programs of a lesson. The experiment that it is has the name "05-broken" or
/// "05-correct", and the facts of its card.
struct Half {
  std::string side;  ///< "broken" or "correct"
  std::filesystem::path source;
  std::string what_it_does;
  std::string why;
  scenario::Experiment documented;
};

struct Lesson {
  std::string file;    ///< "05_off_the_strand"
  std::string number;  ///< "05"
  std::string title;   ///< "off the strand"
  std::string group;
  std::string symptom;
  std::array<Half, 2> halves;  ///< broken, correct

  std::string name() const { return number + " " + title; }
};

/// The card at the top of a source. Throws std::runtime_error that names the file and what is
/// wrong.
Half read_half(const std::filesystem::path& source, const std::string& side);

/// The card of a step of docs/00-from-nothing-to-the-fix.md, which has no sides. Throws likewise.
Half read_step(const std::filesystem::path& source);

/// The names of the sources on either side, without their suffix, in order: "05_off_the_strand".
/// Throws std::runtime_error if a folder is missing, or there is none.
std::vector<std::string> lesson_files(const std::filesystem::path& repository);
/// Throws as read_half(), and if one of the halves is missing.
Lesson read_lesson(const std::filesystem::path& repository, const std::string& file);
/// All of them. Throws as the two before.
std::vector<Lesson> read_lessons(const std::filesystem::path& repository);

/// The facts that a half has printed, one `name value` a line.
boost::json::object facts_in(std::string_view output);

/// Runs a half, under a watchdog, and compares what it prints and how it ends with its card.
scenario::Report run(const Half& half, const std::filesystem::path& program);
/// As it was built in that folder.
scenario::Report run(const Lesson& lesson, const Half& half, const std::filesystem::path& binaries);

}  // namespace lessons
