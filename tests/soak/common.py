"""Makes the modules of tests/e2e importable: the lab, control planes, proxies, waiting, counting, hashes."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
E2E = os.path.join(TOP, "tests", "e2e")
if E2E not in sys.path:
    sys.path.insert(0, E2E)
