"""The README shows what the programs really print."""
import os
import subprocess

from harness import test
from waiting import slowness

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@test(alone=True)
def the_tour_of_the_readme_is_what_the_programs_print(t):
    """`make docs` made it; what differs in more than ages, ports and times is out of date."""
    result = subprocess.run([os.path.join(TOP, "tools", "docs"), "--check", "--bin", t.env.bin], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300 * slowness())
    assert result.returncode == 0, f"{result.stdout}\nIf this is as it should be: make docs"
