#!/usr/bin/env python3
"""Tests of tools/setup.sh. No package of this machine is looked at or changed: dpkg-query, apt-get,
id and sudo are small scripts in a folder that is the only one on PATH."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SETUP = Path(__file__).resolve().parent / "setup.sh"
REAL_COMMANDS = ["sh", "env", "sed", "tr", "head", "grep", "cat"]
NOT_OF_DEBIAN_12 = {"libboost-dev", "libboost-thread-dev", "libboost-json-dev",
                    "libboost-program-options-dev"}

DEBIAN_12 = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n'
DEBIAN_13 = "ID=debian\nVERSION_ID='13'\n"
UBUNTU = 'PRETTY_NAME="Ubuntu 24.04 LTS"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n'
DERIVATIVE = 'PRETTY_NAME="A derivative"\nID=mint\nID_LIKE="ubuntu debian"\nVERSION_ID="12"\n'
OF_BOOKWORM = 'PRETTY_NAME="LMDE 6"\nID=linuxmint\nID_LIKE=debian\nDEBIAN_CODENAME=bookworm\n'
FEDORA = 'PRETTY_NAME="Fedora Linux 41"\nID=fedora\nVERSION_ID=41\n'
DEBIAN_UNSTABLE = 'PRETTY_NAME="Debian GNU/Linux forky/sid"\nID=debian\n'

# The packages "installed" are the lines of a file; removed ones keep their configuration.
DPKG_QUERY = """#!/bin/sh
for name in "$@"; do
  case $name in
    -*) ;;
    *) if grep -Fqx -e "$name" "$STATE/installed"; then echo "installed $name"
       elif grep -Fqx -e "$name" "$STATE/removed"; then echo "config-files $name"
       else echo "dpkg-query: no packages found matching $name" >&2; fi ;;
  esac
done
"""
APT_GET = """#!/bin/sh
echo "$DEBIAN_FRONTEND apt-get $*" >> "$STATE/log"
case " $* " in
  *" update "*) exit "${UPDATE_EXIT:-0}" ;;
  *" install "*)
    [ "${INSTALL_EXIT:-0}" -eq 0 ] || { echo "E: no space" >&2; exit "$INSTALL_EXIT"; }
    for word in "$@"; do echo "$word" >> "$STATE/installed"; done ;;
esac
"""


class Setup(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = Path(folder.name)
        self.bin = self.state / "bin"
        self.bin.mkdir()
        for name in REAL_COMMANDS:
            (self.bin / name).symlink_to(shutil.which(name))
        self.script("dpkg-query", DPKG_QUERY)
        self.script("apt-get", APT_GET)
        self.script("id", "#!/bin/sh\necho 0\n")
        self.installed()
        (self.state / "removed").write_text("")
        (self.state / "log").write_text("")

    def script(self, name, text):
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def installed(self, *packages):
        (self.state / "installed").write_text("".join(f"{name}\n" for name in packages))

    def log(self):
        return (self.state / "log").read_text().splitlines()

    def run_setup(self, *arguments, system=DEBIAN_12, **environment):
        os_release = self.state / "os-release"
        os_release.write_text(system)
        return subprocess.run(
            ["sh", str(SETUP), *arguments],
            env={"PATH": str(self.bin), "STATE": str(self.state),
                 "SETUP_OS_RELEASE": str(os_release), **environment},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)

    def missing(self, **keywords):
        return self.run_setup("--check", **keywords).stdout.split()


class Check(Setup):
    def test_prints_each_missing_package_on_a_line_and_exits_1(self):
        everything = self.missing()
        self.installed(*(name for name in everything if name not in ("gdb", "libgmock-dev")))

        result = self.run_setup("--check")

        self.assertEqual(result.stdout, "libgmock-dev\ngdb\n")
        self.assertEqual(result.returncode, 1)

    def test_prints_nothing_and_exits_0_when_everything_is_there(self):
        self.installed(*self.missing())

        result = self.run_setup("--check")

        self.assertEqual((result.stdout, result.stderr, result.returncode), ("", "", 0))

    def test_changes_nothing(self):
        before = sorted(os.listdir(self.state))

        self.run_setup("--check")

        self.assertEqual(self.log(), [])
        self.assertEqual(sorted(set(os.listdir(self.state)) - {"os-release"}), before)

    def test_counts_a_removed_package_with_leftover_configuration_as_missing(self):
        self.installed(*(name for name in self.missing() if name != "git"))
        (self.state / "removed").write_text("git\n")

        self.assertEqual(self.missing(), ["git"])

    def test_wants_boost_1_81_by_its_versioned_names_on_debian_12(self):
        boost = [name for name in self.missing(system=DEBIAN_12) if "boost" in name]

        self.assertEqual(boost, ["libboost1.81-dev", "libboost-thread1.81-dev",
                                 "libboost-json1.81-dev", "libboost-program-options1.81-dev"])

    def test_wants_boost_by_its_plain_names_on_debian_13(self):
        boost = [name for name in self.missing(system=DEBIAN_13) if "boost" in name]

        self.assertEqual(boost, ["libboost-dev", "libboost-thread-dev", "libboost-json-dev",
                                 "libboost-program-options-dev"])

    def test_leaves_what_only_the_benchmarks_use_to_an_option(self):
        without = self.missing()
        with_bench = self.run_setup("--bench", "--check").stdout.split()

        self.assertIn("libbenchmark-dev", without)
        self.assertNotIn("valgrind", without)
        self.assertEqual(with_bench, without + [
            "cargo", "rustc", "librust-tokio-dev", "librust-tokio-util-dev", "libmimalloc-dev",
            "valgrind"])


    def test_leaves_what_only_the_site_uses_to_an_option(self):
        without = self.missing()
        with_site = self.run_setup("--site", "--check").stdout.split()

        self.assertIn("doxygen", without)
        self.assertNotIn("mkdocs", without)
        self.assertEqual(with_site, without + [
            "mkdocs", "mkdocs-material", "weasyprint", "fonts-dejavu-extra", "chromium", "nodejs", "npm"])

    def test_takes_node_from_another_source_with_its_npm(self):
        for command in "node", "npm":
            self.script(command, "#!/bin/sh\n")

        with_site = self.run_setup("--site", "--check").stdout.split()

        self.assertIn("chromium", with_site)
        self.assertNotIn("nodejs", with_site)
        self.assertNotIn("npm", with_site)


class AnotherSystemWithApt(Setup):
    def test_prints_the_command_to_try_says_that_it_is_untried_and_exits_1(self):
        for name, system in {"Ubuntu": UBUNTU, "derivative": DERIVATIVE,
                             "forky/sid": DEBIAN_UNSTABLE, "this system": ""}.items():
            for arguments in [], ["--check"]:
                with self.subTest(system=name, arguments=arguments):
                    result = self.run_setup(*arguments, system=system)

                    self.assertEqual(result.returncode, 1)
                    self.assertEqual(len(result.stderr.splitlines()), 1)
                    self.assertIn(name, result.stderr)
                    self.assertIn("untried", result.stderr)
                    self.assertEqual(result.stdout.splitlines()[0],
                                     "apt-get install --no-install-recommends g++ cmake "
                                     "ninja-build git libgtest-dev libgmock-dev libspdlog-dev "
                                     "libsqlitecpp-dev libsqlite3-dev libssl-dev openssl python3 libboost-dev "
                                     "libboost-thread-dev libboost-json-dev "
                                     "libboost-program-options-dev")
                    self.assertEqual(self.log(), [])

    def test_needs_no_apt_get_in_the_path_where_the_system_is_like_debian(self):
        (self.bin / "apt-get").unlink()

        result = self.run_setup(system=DERIVATIVE)

        self.assertTrue(result.stdout.startswith("apt-get install "), result.stdout)

    def test_the_commands_name_each_package_of_debian_13_once_and_no_other(self):
        for option in [], ["--bench"], ["--site"], ["--site", "--bench"]:
            with self.subTest(option=option):
                tried = self.run_setup(*option, system=UBUNTU).stdout.splitlines()
                named = [word for line in tried if line.startswith("apt-get ")
                         for word in line.split()[3:]]
                wanted = self.run_setup(*option, "--check", system=DEBIAN_13).stdout.split()

                self.assertEqual(sorted(named), sorted(wanted))

    def test_names_boost_1_81_where_the_system_is_made_from_debian_12(self):
        tried = self.run_setup(system=OF_BOOKWORM).stdout

        self.assertIn(" libboost-json1.81-dev ", tried)
        self.assertEqual(NOT_OF_DEBIAN_12 & set(tried.split()), set())

    def test_puts_sudo_before_the_command_when_not_root(self):
        self.script("id", "#!/bin/sh\necho 1000\n")

        result = self.run_setup(system=UBUNTU)

        self.assertTrue(result.stdout.startswith("sudo apt-get install "), result.stdout)

    def test_keeps_each_command_on_a_line(self):
        tried = self.run_setup(system=UBUNTU).stdout.splitlines()

        self.assertEqual([line.split()[0] for line in tried],
                         ["apt-get", "and,", "apt-get", "The"])


class AnotherSystem(Setup):
    def setUp(self):
        super().setUp()
        (self.bin / "apt-get").unlink()

    def test_lists_what_to_install_and_exits_1(self):
        for name, system in {"Fedora": FEDORA, "this system": ""}.items():
            for arguments in [], ["--check"], ["--bench"], ["--site"]:
                with self.subTest(system=name, arguments=arguments):
                    result = self.run_setup(*arguments, system=system)

                    self.assertEqual(result.returncode, 1)
                    self.assertIn(name, result.stderr)
                    self.assertIn("Boost 1.81 or newer", result.stdout)
                    self.assertNotIn("-dev", result.stdout)
                    self.assertEqual(self.log(), [])

    def test_includes_one_without_an_os_release_file(self):
        result = self.run_setup("--check", SETUP_OS_RELEASE=str(self.state / "none"))

        self.assertEqual(result.returncode, 1)
        self.assertIn("CMake 3.25 or newer", result.stdout)


class Install(Setup):
    def test_installs_only_what_is_missing_and_without_questions(self):
        self.installed(*(name for name in self.missing() if name not in ("gdb", "git")))

        result = self.run_setup()

        self.assertEqual(result.returncode, 0, result.stderr)
        update, install = self.log()
        self.assertIn(" update", update)
        self.assertTrue(install.startswith("noninteractive apt-get "), install)
        self.assertTrue(install.endswith(" --yes --no-install-recommends git gdb"), install)
        self.assertEqual(self.missing(), [])

    def test_leaves_apt_alone_when_everything_is_there(self):
        self.installed(*self.missing())

        result = self.run_setup()

        self.assertEqual(result.returncode, 0)
        self.assertEqual(self.log(), [])

    def test_goes_on_after_a_failed_update(self):
        result = self.run_setup(UPDATE_EXIT="100")

        self.assertEqual(result.returncode, 0)
        self.assertIn("apt-get update failed", result.stderr)

    def test_says_in_its_last_line_what_a_failed_install_left_missing(self):
        self.installed(*(name for name in self.missing() if name not in ("gdb", "git")))

        result = self.run_setup(INSTALL_EXIT="100")

        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr.splitlines()[-1],
                         "setup: apt-get install failed, its reason is above; "
                         "still missing: git gdb")

    def test_uses_sudo_when_not_root(self):
        self.script("id", "#!/bin/sh\necho 1000\n")
        self.script("sudo", '#!/bin/sh\necho "sudo" >> "$STATE/log"\nexec "$@"\n')

        result = self.run_setup()

        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual([line.split()[0] for line in self.log()],
                         ["sudo", "noninteractive", "sudo", "noninteractive"])

    def test_says_so_when_neither_root_nor_sudo_is_to_be_had(self):
        self.script("id", "#!/bin/sh\necho 1000\n")

        result = self.run_setup()

        self.assertEqual(result.returncode, 1)
        self.assertIn("needs root, and sudo is not here", result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertEqual(self.log(), [])


class CommandLine(Setup):
    def test_refuses_an_unknown_option_with_one_line_and_exit_code_2(self):
        for arguments in ["--chekc"], ["gdb"], ["--check", "--force"], [""]:
            with self.subTest(arguments=arguments):
                result = self.run_setup(*arguments)

                self.assertEqual(result.returncode, 2)
                self.assertEqual(len(result.stderr.splitlines()), 1)
                self.assertIn(f"'{arguments[-1]}'", result.stderr)
                self.assertEqual((result.stdout, self.log()), ("", []))

    def test_explains_itself(self):
        result = self.run_setup("--help")

        self.assertEqual(result.returncode, 0)
        self.assertIn("--check", result.stdout)


if __name__ == "__main__":
    unittest.main()
