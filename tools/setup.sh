#!/bin/sh
# Installs what the project needs, on Debian 12 and Debian 13. On another system with apt it prints
# the command to try, elsewhere what to install.
#
#   tools/setup.sh           install what is missing; quick when nothing is
#   tools/setup.sh --check   print what is missing, one package a line, and change nothing
#   tools/setup.sh --bench   the same with what only the benchmarks use; may stand with --check
#   tools/setup.sh --site    the same with what only the site and its tests use; likewise
#
# Exit code: 0 everything is there, 1 something is missing, 2 wrong use.
set -u

# The packages' names are the same on both systems, but for Boost: Debian 12 has 1.74 under the
# plain names and 1.81 beside it; Debian 13 has 1.83 under the plain names.
common='g++ cmake ninja-build git libgtest-dev libgmock-dev libspdlog-dev libsqlitecpp-dev
  libsqlite3-dev libssl-dev openssl python3'
optional='libbenchmark-dev gdb doxygen pkgconf gcovr clang-format-19 clang-tidy-19 spin libhiredis-dev
  redis-tools python3-jsonschema'
boost_debian_12='libboost1.81-dev libboost-thread1.81-dev libboost-json1.81-dev
  libboost-program-options1.81-dev'
boost_debian_13='libboost-dev libboost-thread-dev libboost-json-dev libboost-program-options-dev'
# The peers of the benchmarks, and the instruction counter of their guard.
bench='cargo rustc librust-tokio-dev librust-tokio-util-dev libmimalloc-dev valgrind'
# The generator of the site, its PDF with the fonts, and the browser that reads it.
site='mkdocs mkdocs-material weasyprint fonts-dejavu-extra chromium'
# Other packages of Node bring npm with them, and exclude Debian's.
command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || site="$site nodejs npm"

# For the tests; a reader has no need to set it.
os_release=${SETUP_OS_RELEASE:-/etc/os-release}

say() { printf '%s\n' "$*"; }
complain() { printf 'setup: %s\n' "$*" >&2; }

usage() {
  cat <<'TEXT'
Usage: tools/setup.sh [--bench] [--site] [--check | --help]

Installs what the project needs on Debian 12 and Debian 13, with apt. On another
system with apt it prints the command to try, elsewhere what to install.

  --bench   also what only the benchmarks use: tokio, mimalloc, valgrind
  --site    also what only the site and its tests use: mkdocs, weasyprint, chromium
  --check   print the missing packages, one a line, and change nothing
  --help    print this text

Exit code: 0 everything is there, 1 something is missing, 2 wrong use.
TEXT
}

# What a system without these packages needs, in words.
requirements() {
  cat <<'TEXT'
a C++20 compiler with coroutines: GCC 12.2 or newer
CMake 3.25 or newer
Ninja 1.11 or newer
Git
Boost 1.81 or newer, with Thread, JSON and Program_options
GoogleTest 1.12 or newer, with GoogleMock
spdlog 1.10 or newer
SQLite 3.40 or newer
SQLiteCpp 3.2 or newer
OpenSSL 3.0 or newer, with its command
Python 3.11 or newer
GDB 13 or newer (optional: stacks of a deadlock)
Doxygen 1.9.4 or newer (optional: the API reference)
pkgconf 1.8 or newer (optional: to test the installed library)
gcovr 5.2 or newer (optional: to see what the tests cover)
clang-format 19 and clang-tidy 19 (optional: to work on the project)
python3-jsonschema 4.10 (optional: to test the form of recordings)
Spin 6.5 (optional: to explore the models of what has no lock)
hiredis 0.14 or newer, and a Redis server 6 or newer (optional: the example of a client in C)
Google Benchmark 1.7 or newer (optional: to measure)
Rust 1.63 or newer with tokio and tokio-util, mimalloc 2, Valgrind 3.19 or newer (optional: to measure)
MkDocs 1.4 with Material 8.2, WeasyPrint 57, Chromium, Node 18 with npm (optional: to build and test the site)
TEXT
}

# One value of the os-release file, without its quotes.
os_value() {
  sed -n "s/^$1=//p" "$os_release" 2>/dev/null | tr -d "\"'" | head -n 1
}

# The packages of this system; nothing and a failure on another one.
wanted_packages() {
  case "$(os_value ID) $(os_value VERSION_ID)" in
    'debian 12') say "$common $boost_debian_12 $optional" ;;
    'debian 13') say "$common $boost_debian_13 $optional" ;;
    *) return 1 ;;
  esac
}

# Whether the packages of this system are likely to have Debian's names.
has_apt() {
  case " $(os_value ID) $(os_value ID_LIKE) " in
    *' debian '*) return 0 ;;
    *) command -v apt-get >/dev/null 2>&1 ;;
  esac
}

# The command that installs its arguments, as this user would type it. The lists' line breaks go.
apt_command() {
  # shellcheck disable=SC2048,SC2086
  set -- apt-get install --no-install-recommends $*
  [ "$(id -u)" -eq 0 ] || set -- sudo "$@"
  say "$*"
}

# For another system with apt. What is optional stands apart: one unknown name fails a command.
print_what_to_try() {
  # What is made from Debian 12 has its Boost 1.74 under the plain names, too.
  case "$(os_value VERSION_CODENAME) $(os_value DEBIAN_CODENAME)" in
    *bookworm*) apt_command "$common $boost_debian_12" ;;
    *) apt_command "$common $boost_debian_13" ;;
  esac
  [ "$with_bench" = no ] || optional="$optional $bench"
  [ "$with_site" = no ] || optional="$optional $site"
  say 'and, optional:'
  apt_command "$optional"
  say 'The build needs GCC 12.2, CMake 3.25 and Boost 1.81, or newer.'
}

# Those of its arguments that are not installed, one a line.
missing_of() {
  installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p')
  for package in "$@"; do
    printf '%s\n' "$installed" | grep -Fqx -e "$package" || say "$package"
  done
}

# apt-get as root, without a question, waiting for another apt to finish.
apt() {
  set -- env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q "$@"
  if [ "$(id -u)" -ne 0 ]; then
    set -- sudo "$@"
  fi
  "$@"
}

install_packages() {
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
    complain "installing needs root, and sudo is not here: run as root, or install" "$@"
    return 1
  fi
  say "Installing: $*"
  # One unreachable third-party source fails the update, though Debian's own lists are fresh.
  apt update || complain 'apt-get update failed; going on with the package lists as they are'
  if ! apt install --yes --no-install-recommends "$@"; then
    # shellcheck disable=SC2046  # a list of words
    complain 'apt-get install failed, its reason is above; still missing:' $(missing_of "$@")
    return 1
  fi
}

mode=install
with_bench=no
with_site=no
for argument in "$@"; do
  case $argument in
    --check) mode=check ;;
    --bench) with_bench=yes ;;
    --site) with_site=yes ;;
    --help | -h) usage && exit 0 ;;
    *)
      complain "unknown option '$argument': try --help"
      exit 2
      ;;
  esac
done

if ! packages=$(wanted_packages); then
  system=$(os_value PRETTY_NAME)
  untried="${system:-this system} is neither Debian 12 nor Debian 13"
  if has_apt; then
    complain "$untried. Nothing was installed; untried, but likely:"
    print_what_to_try
  else
    complain "$untried. Please install:"
    requirements
  fi
  exit 1
fi

[ "$with_bench" = no ] || packages="$packages $bench"
[ "$with_site" = no ] || packages="$packages $site"

# shellcheck disable=SC2086  # a list of words
missing=$(missing_of $packages)
if [ "$mode" = check ]; then
  [ -z "$missing" ] && exit 0
  say "$missing"
  exit 1
fi

if [ -n "$missing" ]; then
  # shellcheck disable=SC2086
  install_packages $missing || exit 1
fi
say 'Everything that the project needs is installed.'
