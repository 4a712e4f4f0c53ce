"""The tables "Command line" of docs/compatibility.md are what the program says of itself with --help."""
import os
import re

from cli_cases import must
from harness import TOP, expect, run_ctl, test

VERBS = ("join", "unjoin", "enable", "disable", "federate", "orphaning-deletion", "version", "completion",
         "get clusters", "status", "plan", "doctor", "explain-schedule")
CHILDREN = ("enable", "disable", "status")
COLUMNS = ["verbs", "flag", "short", "default", "KubeFed v0.9.2", "here", "test"]
FLAG = re.compile(r"^(?:  -(?P<short>\w), |      )--(?P<name>[\w-]+)(?P<type> \w+)?  +(?P<text>.*)$")
DEFAULT = re.compile(r'\(default ("[^"]*"|[\w.:]+)\)$')


def table(columns):
    """The rows of the only table with these columns, as lists of cells."""
    with open(os.path.join(TOP, "docs", "compatibility.md"), encoding="utf-8") as f:
        lines = f.read().splitlines()
    head = [i for i, line in enumerate(lines) if cells(line) == columns]
    expect(len(head), 1, f"tables with the columns {columns}")
    rows = []
    for line in lines[head[0] + 2:]:
        if not line.startswith("|"):
            break
        rows.append(cells(line))
    return rows


def cells(line):
    return [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]


def flags_of_help(t, *verb):
    """{--flag: (short, default)} as --help prints them."""
    out = must(run_ctl(t.env, *verb, "--help", kubeconfig=False)).stdout
    found = {}
    for line in out.split("\nFlags:\n", 1)[1].splitlines():
        match = FLAG.match(line)
        if not match:
            assert not line.strip().startswith("-"), f"what is this flag? {line!r}"
            continue
        default = DEFAULT.search(match["text"])
        found["--" + match["name"]] = (f"-{match['short']}" if match["short"] else "-",
                                       default[1].strip('"') if default else "-")
    return found


def flags_of_table(verb):
    return {row[1]: (row[2], row[3]) for row in table(COLUMNS) if row[0] == "all" or verb in row[0].split(", ")}


@test(smoke=True)
def the_flags_of_each_verb_are_those_of_the_table(t):
    for verb in VERBS:
        for path in [(verb, child) for child in CHILDREN] if verb == "orphaning-deletion" else [verb.split()]:
            said, written = flags_of_help(t, *path), flags_of_table(verb)
            differing = {flag: {"--help": said.get(flag), "table": written.get(flag)} for flag in {**said, **written}
                         if said.get(flag) != written.get(flag)}
            expect(differing, {},
                   f"flags of kubefedctl {' '.join(path)} that are not as docs/compatibility.md has them")


@test()
def every_verb_is_in_the_table(t):
    out = must(run_ctl(t.env, "--help", kubeconfig=False)).stdout
    said = [line.split()[0] for line in out.split("Available Commands:\n")[1].split("\n\n")[0].splitlines()]
    rows = [re.match(r"[\w-]+", row[0])[0] for row in table(["command", "KubeFed v0.9.2", "here", "test"])]
    expect(sorted(set(said)), sorted(set(rows)), "verbs (docs/compatibility.md has what was given second)")
