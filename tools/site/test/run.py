#!/usr/bin/env python3
"""Runs a test of the site: tools/site/test/run.py NAME [SITE]. Exit code: that of the test; 77 where
no Node is installed, or one older than 18."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

node = shutil.which("node")
version = subprocess.run([node, "--version"], stdout=subprocess.PIPE, text=True,
                         check=False).stdout if node else ""
major = re.match(r"v(\d+)", version)
if not major or int(major[1]) < 18:
    print(f"site test: skipped: no Node 18 or newer ({version.strip() or 'none'}). "
          "On Debian: tools/setup.sh --site", file=sys.stderr)
    sys.exit(77)
script = Path(__file__).resolve().parent / f"{sys.argv[1]}.mjs"
os.execv(node, [node, str(script), *sys.argv[2:]])
