"""events.py DOC FILE: are these progress events as DOC (docs/progress-events.md) has them?

FILE holds what `--progress json` wrote. Checked are each event's members and types (also that there are no
others), and that vertices begin, speak and end in order. Ends with 1 and a reason if something is wrong; prints
how often each event came otherwise.
"""

import collections
import json
import re
import sys

TYPES = {
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "strings": lambda v: isinstance(v, list) and all(isinstance(s, str) for s in v),
}
ENDS = {"done", "cached", "error", "canceled"}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def read_doc(path):
    """The tables: members that every event has, and by event {member: (type, is required)}."""
    common, events = {}, collections.defaultdict(dict)
    for line in open(path):
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if not line.startswith("| `"):
            continue
        if len(cells) == 3:
            common[cells[0].strip("`")] = (cells[1], True)
            continue
        member = events[cells[0].strip("`")]
        if cells[1]:
            member[cells[1].strip("[]`")] = (cells[2], not cells[1].startswith("["))
    return common, events


def check_members(event, members):
    for name, (kind, is_required) in members.items():
        if name not in event:
            assert not is_required, f"{name} is missing"
        else:
            assert TYPES[kind](event[name]), f"{name} is no {kind}"
    unknown = set(event) - set(members)
    assert not unknown, f"not described: {unknown}"


class Build:
    def __init__(self):
        self.states = {}
        self.time = 0
        self.last = None

    def take(self, event):
        kind, vertex = event["event"], event.get("vertex")
        assert self.last not in ("finished", "failed"), f"after {self.last}"
        assert (self.last is None) == (kind == "start"), "start is the first, and the first only"
        assert event["time"] >= self.time, "the clock goes back"
        assert TIMESTAMP.fullmatch(event["timestamp"]), event["timestamp"]
        if kind == "begin":
            assert vertex == len(self.states) + 1, f"vertex {vertex} is not the next"
            self.states[vertex] = "open"
        elif vertex is not None:
            assert self.states.get(vertex) == "open", f"vertex {vertex} is {self.states.get(vertex)}"
        if kind in ENDS:
            self.states[vertex] = kind
        if kind == "output":
            assert event["stream"] in ("stdout", "stderr")
            assert "\n" not in event["text"]
        self.time, self.last = event["time"], kind

    def end(self):
        assert self.last in ("finished", "failed"), f"the last is {self.last}"
        still = [n for n, s in self.states.items() if s == "open"]
        assert not still, f"still open: {still}"


def main():
    common, kinds = read_doc(sys.argv[1])
    build, counts = Build(), collections.Counter()
    for n, line in enumerate(open(sys.argv[2], "rb"), 1):
        if not line.startswith(b"{"):
            continue
        text = line.decode()
        try:
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), "a control character"
            event = json.loads(text)
            if build.last == "failed" and "exitStatus" in event:
                continue  # the error as `--json` has it
            assert event.get("event") in kinds, "no such event"
            check_members(event, common | kinds[event["event"]])
            build.take(event)
        except AssertionError as e:
            sys.exit(f"events.py: line {n}: {e}: {text[:300]}")
        counts[event["event"]] += 1
    try:
        build.end()
    except AssertionError as e:
        sys.exit(f"events.py: {e}")
    print(" ".join(f"{k}={v}" for k, v in sorted(counts.items())))


main()
