"""dockerfile.py - kiln dockerfile parse, expand, ignored, check for tests that are tables.

Every function runs $KILN. parse() gives the object, an error is a Refused whose text is the message;
check() gives the warnings as "LINE Rule: message", and the error's message or None.
"""
import json
import os
import subprocess
import tempfile

KILN = os.environ["KILN"]


class Refused(Exception):
    pass


def run(*words, input=None):
    if isinstance(input, str):
        input = input.encode()
    done = subprocess.run([KILN, "dockerfile", *words], input=input, stdout=-1, stderr=-1, timeout=60)
    assert done.returncode in (0, 1), (words, done)
    if b"Sanitizer" in done.stderr or b"runtime error" in done.stderr:
        raise AssertionError(done.stderr.decode())
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def refused(err):
    line = [x for x in err.splitlines() if x.startswith("kiln: ")][-1]
    return Refused(line[len("kiln: "):])


def parse(text):
    status, out, err = run("parse", "-", input=text)
    if status:
        assert not out, out
        raise refused(err)
    return json.loads(out)


def instructions(text):
    return parse(text)["instructions"]


def one(line, header=""):
    """The only instruction after the header, in which it may be anything."""
    return instructions(header + line + "\n")[-1]


def args(line, header=""):
    return one(line, header)["args"]


def expand(word, *variables, words=False, escape="\\"):
    status, out, err = run("expand", *(["--words"] if words else []), "--escape", escape, "--", word, *variables)
    if status:
        raise refused(err)
    return json.loads(out) if words else out[:-1]


def ignored(patterns, *paths):
    with tempfile.NamedTemporaryFile("wb") as f:
        f.write(patterns if isinstance(patterns, bytes) else patterns.encode())
        f.flush()
        status, out, err = run("ignored", f.name, "--", *paths)
    if status:
        raise refused(err)
    return "".join(line[0] for line in out.splitlines())  # "ik": ignored, kept


def check(text, *options):
    status, out, _ = run("check", "--format", "json", *options, "-", input=text)
    j = json.loads(out)
    assert status == (j["error"] is not None), out
    warnings = [f"{w['line']} {w['rule']}: {w['message']}" for w in j["warnings"]]
    return warnings, j["error"] and j["error"]["message"]


def same(got, want):
    assert got == want, f"\n  got  {got!r}\n  want {want!r}"


def fails(text, function, *rest, **named):
    try:
        got = function(*rest, **named)
    except Refused as e:
        assert text in str(e), f"\n  got  {e}\n  want {text}"
        return
    raise AssertionError(f"{rest} gives {got!r}, not an error with {text!r}")
