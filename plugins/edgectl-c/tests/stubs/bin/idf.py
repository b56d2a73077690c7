#!/usr/bin/env python3
"""idf.py -C DIRECTORY set-target TARGET | build | flash monitor"""

from __future__ import annotations

import subprocess
import sys

_, option, directory, verb, *rest = sys.argv
assert option == "-C"
if verb == "set-target":
    assert len(rest) == 1
elif verb == "build":
    subprocess.run(["cmake", "-B", "build-idf", "-S", directory], check=True)
    subprocess.run(["cmake", "--build", "build-idf"], check=True)
elif verb == "flash":
    subprocess.run(["build-idf/idf_program"], check=True)
else:
    sys.exit(2)
