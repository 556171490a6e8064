#!/usr/bin/python3
"""What `meson install` puts in place is complete, and an application outside of the tree lives on it.

usage: install_test.py SOURCES BUILD VERSION
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import applications

SOURCES, BUILD = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
VERSION = sys.argv[3]


def output(*command, **environment):
    return subprocess.run(command, env={**os.environ, **environment}, timeout=300, check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def option(name):
    options = json.loads((BUILD / "meson-info/intro-buildoptions.json").read_text())
    return next(option["value"] for option in options if option["name"] == name)


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="joinleaf-install-")
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.directory = pathlib.Path(cls.scratch.name)
        cls.root = cls.directory / "root"
        output("meson", "install", "--no-rebuild", "--quiet", "-C", BUILD, "--destdir", cls.root)
        cls.prefix = cls.root / option("prefix").lstrip("/")
        cls.libdir = cls.prefix / option("libdir")
        cls.examples = cls.prefix / option("datadir") / "doc/joinleaf/examples"
        # What an installation below a DESTDIR needs to be found there.
        cls.environment = {"PKG_CONFIG_SYSROOT_DIR": str(cls.root),
                           "PKG_CONFIG_PATH": str(cls.libdir / "pkgconfig"),
                           "LD_LIBRARY_PATH": str(cls.libdir)}
        os.environ.update(cls.environment)

    def test_every_public_header_and_no_other(self):
        headers = {path.name for path in (SOURCES / "include/joinleaf").glob("*.h")}
        installed = {path.name for path in (self.prefix / "include/joinleaf").iterdir()}
        self.assertEqual(installed, headers)

    def test_every_example(self):
        source = SOURCES / "apps/examples"
        wanted = {path.name for path in source.iterdir() if path.is_file()}
        self.assertEqual({path.name for path in self.examples.iterdir()}, wanted)
        self.assertEqual((self.examples / "meson.build").read_text(),
                         (source / "standalone/meson.build").read_text())

    def test_the_library_has_a_soname_of_its_version(self):
        major, minor, _ = VERSION.split(".")
        soname = f"libjoinleaf.so.{f'0.{minor}' if major == '0' else major}"
        library = self.libdir / f"libjoinleaf.so.{VERSION}"
        self.assertIn(f"[{soname}]", output("readelf", "-d", library))
        self.assertEqual((self.libdir / soname).resolve(), library)
        self.assertEqual((self.libdir / "libjoinleaf.so").resolve(), library)

    def test_the_library_exports_the_public_interface_alone(self):
        symbols = output("nm", "-DC", "--defined-only", self.libdir / "libjoinleaf.so").splitlines()
        names = [line.split(" ", 2)[2] for line in symbols]
        self.assertIn("joinleaf::Runtime::start(joinleaf::RuntimeOptions)", names)
        public = re.compile(r"((typeinfo|typeinfo name|vtable) for )?joinleaf::([A-Z]|\w+(\[abi:\w+\])?\()")
        self.assertEqual([name for name in names if not public.match(name)], [])

    def test_nothing_that_is_installed_names_the_tree_it_was_built_in(self):
        trees = [str(SOURCES).encode(), str(BUILD).encode()]
        files = [path for path in self.root.rglob("*") if path.is_file()]
        self.assertGreater(len(files), 20)
        self.assertEqual([path for path in files if any(tree in path.read_bytes() for tree in trees)],
                         [])

    def test_the_program_runs_and_knows_its_version(self):
        program = self.prefix / option("bindir") / "joinleaf"
        self.assertIn(VERSION, output(program, "--version"))

    def test_the_service_has_its_unit_its_user_and_its_network_cards(self):
        lib = self.prefix / "lib"
        unit = (lib / "systemd/system/joinleaf@.service").read_text()
        # systemd heeds it there alone.
        self.assertIn("\nStartLimitIntervalSec=0\n", unit.split("[Service]")[0])
        self.assertIn("\nu joinleaf ", (lib / "sysusers.d/joinleaf.conf").read_text())
        self.assertIn('\nSUBSYSTEM=="vfio", GROUP="joinleaf", MODE="0660"\n',
                      (lib / "udev/rules.d/60-joinleaf.rules").read_text())

    def test_pkg_config_says_all_that_a_compiler_needs(self):
        self.assertEqual(output("pkg-config", "--modversion", "joinleaf").strip(), VERSION)
        flags = output("pkg-config", "--cflags", "--libs", "joinleaf").split()
        program = self.directory / "subscriber"
        output(*applications.compiler().split(), "-std=c++20", self.examples / "subscriber.cc",
               *flags, "-o", program)
        usage = subprocess.run([program], stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((usage.returncode, usage.stderr[:17]), (2, "usage: subscriber"))

    def test_an_application_outside_of_the_tree_publishes_and_receives(self):
        applications.run_feed(
            applications.build(applications.APPLICATION, self.directory / "application"))

    def test_the_examples_are_a_project_that_builds_and_runs_outside_of_the_tree(self):
        applications.run_examples(applications.build(self.examples, self.directory / "examples"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
