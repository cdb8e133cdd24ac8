#!/bin/bash
# The Dockerfile language, behaviour by behaviour: what can be seen without building anything. Tables
# in Python; a case says what BuildKit does, since that is what is meant.
# takes: 10 s
. "$(dirname "$0")/../lib/lib.sh"
export KILN PYTHONPATH=$TOP/tests/lib PYTHONDONTWRITEBYTECODE=1

# table: a Python program on standard input, with dockerfile.py's functions.
table()
{
	(echo "from dockerfile import *" && cat) >table.py
	python3 table.py
}

lines()
{
	table <<-'END'
		names = lambda text: [i["name"] for i in instructions(text)]
		# Byte-order mark, line ends, white space in front, comments.
		same(args("FROM a", "\ufeff"), ["a"])
		same([i["args"] for i in instructions("FROM a\r\nRUN b\r\n")], [["a"], ["b"]])
		same(one("RUN <<E\r\nx\r\nE\r\n")["heredocs"][0]["content"], "x\r\n")
		same(args(" \t\u00a0RUN x"), ["x"])
		same(names("FROM a\n# RUN b \\\nRUN c\n   # d\n\u0085\nRUN e # no comment\n"), ["FROM", "RUN", "RUN"])
		same(args("RUN e # no comment"), ["e # no comment"])
		# Continuation.
		for line, want in (("RUN a\\\n  b", "a  b"), ("RUN a \\ \t\nb", "a b"), ("RUN a \\\\\nRUN b", None),
		                   ("RUN a \\\\\\\nRUN b", None), ("RUN a \\\n# no\n  # no \\\nb", "a b"),
		                   ("RUN 'a \\\nb'", "'a b'"), ("RUN a \\\n\n\nRUN b", "a RUN b"), ("RUN a \\", "a"),
		                   ("RUN \\\n\\\na", "a"), ("\\\nRUN a", "a")):
		    if want is None:
		        same(len(instructions(line)), 2)
		    else:
		        same(args(line), [want])
		# Where it starts, where it ends; empty continuation lines.
		d = parse("FROM a\nRUN b \\\n\n  \nc\n\\\nRUN d \\\n")
		same([(i["line"], i["endLine"]) for i in d["instructions"]], [(1, 1), (2, 5), (6, 7)])
		same(d["warnings"], [{"rule": "NoEmptyContinuation", "line": 5, "message": "Empty continuation line"}])
		# Comments that belong to an instruction.
		same(one("# one\n#\n# two \n\n#three\nFROM a")["comments"], ["two", "three"])
		same(one("# escape=`\n# c\nFROM a")["comments"], ["c"])
		# Nothing in it. Lines of any length.
		fails("no instructions", parse, "# c\n")
		fails("", parse, "")
		same(len(args("RUN " + "x" * 200000)[0]), 200000)
		same(args("run a")[0], "a")
		same((one("run a")["name"], one("rUn a")["keyword"]), ("RUN", "rUn"))
	END
}

directives()
{
	table <<-'END'
		of = lambda text: [(d["name"], d["value"], d["line"]) for d in parse(text + "FROM a\n")["directives"]]
		same(of("# syntax = x y\n#ESCAPE=`\n  #  check=skip=all \n"),
		     [("syntax", "x y", 1), ("escape", "`", 2), ("check", "skip=all", 3)])
		# Anything else ends the section.
		same(of("\n# escape=`\n"), [])
		same(of("# c\n# escape=`\n"), [])
		same(of("# unknown=x\n# escape=`\n"), [])
		same(of("# 1x=y\n# escape=`\n"), [])
		same(of("# escape=\n"), [])
		fails("only one escape parser directive can be used", parse, "# escape=`\n# Escape=`\nFROM a\n")
		fails("invalid escape token 'x' does not match ` or \\", parse, "# escape=x\nFROM a\n")
		# What the escape is for: continuation, flags, words; not for heredocs.
		tick = "# escape=`\n"
		same(parse(tick + "FROM a\n")["escape"], "`")
		same(args("RUN a`\nb", tick), ["ab"])
		same(args("RUN a \\", tick), ["a \\"])
		same(one("RUN --mount=a` b c", tick)["flags"], ["--mount=a b"])
		same(args("ENV A=b` c", tick), ["A", "b` c", "="])
		same(one("RUN <<\\E\nx\nE", tick)["heredocs"][0]["name"], "E")
		# check: options and their errors, one instruction's own; build arguments go before.
		file = "FROM scratch as x\nCMD y\n"
		rules = lambda text, *o: [w.split()[1] for w in check(text, *o)[0]]
		same(rules(file), ["FromAsCasing:", "JSONArgsRecommended:"])
		same(rules("# check=skip=FromAsCasing;error=false\n" + file), ["JSONArgsRecommended:"])
		same(rules("# check=skip=all\n" + file), [])
		same(check("# check=error=true\n" + file)[1], "lint violation found for rules: FromAsCasing, JSONArgsRecommended")
		same(check("# check=x\n" + file)[1], 'invalid check option "x"')
		same(rules("# check=skip=all\n" + file, "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=FromAsCasing"),
		     ["JSONArgsRecommended:"])
		same(rules("FROM scratch as x\n# check=skip=JSONArgsRecommended\nCMD y\n"), ["FromAsCasing:"])
	END
}

heredocs()
{
	table <<-'END'
		def docs(line, body="x\n"):
		    return [(h["name"], h["expand"], h["chomp"], h["fd"]) for h in one(line + "\n" + body)["heredocs"]]
		for line, want in (("RUN <<E", ("E", True, False, 0)), ("RUN << E", ("E", True, False, 0)),
		                   ("RUN <<-E", ("E", True, True, 0)), ("RUN <<'E'", ("E", False, False, 0)),
		                   ('RUN <<"E"', ("E", False, False, 0)), ("RUN <<'E'\"\"", ("E", False, False, 0)),
		                   ("RUN <<\\E", ("E", True, False, 0)), ("RUN 3<<E", ("E", True, False, 3)),
		                   ("COPY <<E /x", ("E", True, False, 0)), ("ADD <<E /x", ("E", True, False, 0)),
		                   ("ONBUILD RUN <<E", ("E", True, False, 0))):
		    same(docs(line, "x\nE\n"), [want])
		same(docs('RUN <<"two words"', "x\ntwo words\n"), [("two words", False, False, 0)])
		same(docs("RUN <<$X", "x\n$X\n"), [("$X", True, False, 0)])
		same(docs("RUN <<a.b-c", "x\na.b-c\n"), [("a.b-c", True, False, 0)])
		same(docs("RUN <<E>out", "x\nE>out\n"), [("E>out", True, False, 0)])
		same([h["content"] for h in one("RUN <<A <<B <<A\n1\nA\n2\nB\n3\nA")["heredocs"]], ["1\n", "2\n", "3\n"])
		# What is none: the next line is an instruction.
		for line in ("RUN cat<<E", "RUN <<- E", 'RUN "<<E"', "RUN '<<E'", "RUN \\<<E", "RUN <<<E", "RUN <<", "RUN <<-",
		             "CMD cat <<E", 'RUN ["x", "<<E"]', "ENV A=<<E", "RUN ${X^^} <<E", "RUN 'x <<E"):
		    same(len(instructions(line + "\nRUN y\n")), 2)
		fails("unterminated heredoc", parse, "RUN echo $(( 1 << 2 ))\n")
		fails("unterminated heredoc", parse, "RUN <<E\nx\n")
		# Bodies verbatim; the end may be indented by tabs with "-", never by blanks.
		same(one("RUN <<E\n# c\n\nx \\\n\ty\n E\nE")["heredocs"][0]["content"], "# c\n\nx \\\n\ty\n E\n")
		same(one("RUN <<-E\n\tx\n\t\tE")["heredocs"][0]["content"], "\tx\n")
		fails("unterminated heredoc", parse, "RUN <<E\nx\n\tE\n")
		fails("unterminated heredoc", parse, "RUN <<-E\nx\n  E\n")
		i = one("ONBUILD COPY <<E /x\ny\nE")
		same((len(i["heredocs"]), i["child"]["heredocs"], i["child"]["args"]), (1, [], ["<<E", "/x"]))
		same(check("FROM scratch\nCOPY a <<E\nE\n")[1], "COPY cannot accept a heredoc as a destination")
	END
}

words()
{
	table <<-'END'
		flags = lambda line, h="": one(line, h)["flags"]
		same(flags('RUN --mount=type=bind,"source=a b" x'), ["--mount=type=bind,source=a b"])
		same((flags("RUN --a --b=c  d --e"), args("RUN --a --b=c  d --e")), (["--a", "--b=c"], ["d --e"]))
		same((flags("RUN --a -- --b"), args("RUN --a -- --b")), (["--a"], ["--b"]))
		same(flags("RUN --a='x y' --b=x\\ y --c=\"x\\\"y\" z"), ["--a=x y", "--b=x y", '--c=x"y'])
		same(flags("RUN --a=\"x y"), ["--a=x y"])
		same(flags("COPY --chown=ä a b"), ["--chown=ä"])
		same((flags("FROM --platform=x a"), args("FROM --platform=x a AS b")), (["--platform=x"], ["a", "AS", "b"]))
		# JSON form, or not.
		form = lambda line: (one(line)["json"], args(line))
		for line, want in (('CMD ["a", "b\\u0063\\n"]', (True, ["a", "bc\n"])), ("CMD []", (True, [])),
		                   ("CMD ['a']", (False, ["['a']"])), ('CMD ["a"] b', (False, ['["a"] b'])),
		                   ('CMD ["a",]', (False, ['["a",]'])), ('CMD ["c:\\windows"]', (False, ['["c:\\windows"]'])),
		                   ("CMD [ -f x ] && y", (False, ["[ -f x ] && y"])), ('CMD   [ "a" ]  ', (True, ["a"])),
		                   ('CMD ["\\ud800"]', (True, ["\ufffd"])),
		                   ('COPY ["a b", "c"]', (True, ["a b", "c"])), ('VOLUME ["a"]', (True, ["a"])),
		                   ('SHELL ["a"]', (True, ["a"])), ("RUN  a  'b  c' ", (False, ["a  'b  c'"])),
		                   ("CMD", (False, [])), ("COPY a\tb  c", (False, ["a", "b", "c"])),
		                   ('COPY "a b" c', (False, ['"a', 'b"', "c"])), ("EXPOSE 1  2", (False, ["1", "2"])),
		                   ("WORKDIR /a b ", (False, ["/a b"])), ("MAINTAINER a  b", (False, ["a  b"])),
		                   ('HEALTHCHECK --interval=1s CMD ["a", "b"]', (True, ["CMD", "a", "b"])),
		                   ("HEALTHCHECK CMD a  b", (False, ["CMD", "a  b"])), ("HEALTHCHECK NONE", (False, ["NONE"])),
		                   ("UNKNOWN a b", (False, []))):
		    same(form(line), want)
		fails("arrays must be comprised of strings only", parse, 'CMD ["a", 1]\n')
		fails("arrays must be comprised of strings only", parse, "RUN [[]]\n")
		# ENV, LABEL, ARG.
		for line, want in (("ENV A b c  d", ["A", "b c  d", ""]), ("ENV A b=c", ["A", "b=c", ""]),
		                   ('ENV A=b C="d e" F=g\\ h I=', ["A", "b", "=", "C", '"d e"', "=", "F", "g\\ h", "=", "I", "", "="]),
		                   ("ENV ONE TWO= THREE=x", ["ONE", "TWO= THREE=x", ""]), ("ENV A='b c", ["A", "'b c", "="]),
		                   ("LABEL a=b=c", ["a", "b=c", "="]), ("ARG A B=c 'D=e f'", ["A", "B=c", "'D=e f'"]),
		                   ("ENV A=b\\", ["A", "b", "="])):
		    same(args(line), want)
		fails("ENV must have two arguments", parse, "ENV A\n")
		fails("can't find = in \"B\". Must be of the form: name=value", parse, "ENV A=b B\n")
	END
}

expansion()
{
	table <<-'END'
		V = ("v=val", "e=", "p=a/b/c", "x=a.tar.gz")
		for word, want in (("'$v \\'", "$v \\"), ('"$v \\$v \\" \\\\ \\n"', 'val $v " \\ \\n'), ("a\\tb\\$v\\", "atb$v"),
		                   ("$vx$v", "val"), ("${v}x", "valx"), ("$123", ""), ("$@$*$#$?$-$$$!$0", ""),
		                   ("$.$(ls)$", "$.$(ls)$"), ("`~*(<#", "`~*(<#"), ("$é", ""), ("  a  b ", "  a  b "),
		                   ("${n:-w}${e:-w}${v:-w}", "wwval"), ("${n-w}${e-w}${v-w}", "wval"),
		                   ("${n:+w}${e:+w}${v:+w}", "w"), ("${n+w}${e+w}${v+w}", "ww"), ("${v:?x}${v?x}${e?x}", "valval"),
		                   ("${n:-${e:-\"$v \"}}", "val "), ("${n:-a\\}b}", "a}b"), ("${n:-'a b'}", "a b"),
		                   ("${x#*.}|${x##*.}|${x%.*}|${x%%.*}", "tar.gz|gz|a.tar|a"), ("${p#*/}", "b/c"), ("${n#a}", ""),
		                   ("${p/\\//-}|${p//\\//-}", "a-b/c|a-b-c"), ("${x//[a.]/x}", "a.tar.gz"), ("${v/?/X}", "Xal"),
		                   ("${v/#v/X}", "val"), ("${v//a/$1}", "vl"), ("${v/\\*/x}", "val"), ("${v/l/\\/}", "va\\/")):
		    same(expand(word, *V), want)
		# Values are not expanded again; later ones win.
		same(expand("$a", "a=$b", "b=c"), "$b")
		same(expand("$a", "a=1", "a=2"), "2")
		same(expand("`$v \\$v", *V, escape="`"), "$v \\val")
		for word, text in (("${n:?}", "n: is not allowed to be unset"), ("${e:?}", "e: is not allowed to be"),
		                   ("${n?why not}", "n: why not"), ("'a", "unexpected end"), ('"a', "unexpected end"),
		                   ("${}", "bad substitution"), ("${:x}", ""), ("${{x}", ""), ("${v", "missing '}'"), ("${v/pat}", "missing '/'"),
		                   ("${v:#p}", "unsupported modifier"), ("${v:%p}", "unsupported modifier"), ("${v:=x}", "unsupported modifier"),
		                   ("${v=x}", "unsupported modifier"), ("${v^}", "unsupported modifier"), ("${v,}", "unsupported modifier"),
		                   ("${v@Q}", "unsupported modifier"), ("${#v}", ""), ("${!v}", ""), ("${v }", ""), ("${v#\\a}", "")):
		    fails(text, expand, word, *V)
		W = lambda word, *v: expand(word, *v, words=True)
		same(W("$P x", "P=80 90/udp"), ["80", "90/udp", "x"])
		same(W('"$P" \'\' ""', "P=a b"), ["a b"])
		same(W("a$P", "P= b c "), ["a", "b", "c"])
		same(W("80${X:-1}"), ["801"])
	END
}

ignore_files()
{
	table <<-'END'
		for patterns, paths, want in (
		        ("foo", ("foo", "foo/x", "a/foo", "Foo"), "iikk"), ("/foo\n", ("foo",), "i"), ("./a//b/../c/", ("a/c", "a/b"), "ik"),
		        ("# c\n #x\n", ("c", "#x"), "ki"), ("  a  \n\n", ("a",), "i"), ("\ufeffa", ("a",), "i"), ("a\r\nb\r\n", ("a", "b"), "ii"),
		        ("*.o", ("a.o", "d/a.o", ".o"), "iki"), ("**/*.o", ("a.o", "d/e/a.o", "a.oo"), "iik"), ("?", ("a", "ab", "é"), "iki"),
		        ("a?c", ("a/c",), "k"), ("[a-c]x", ("bx", "dx"), "ik"), ("[^a]x", ("bx", "ax"), "ik"), ("[!a]x", ("!x", "bx"), "ik"),
		        ("\\*", ("*", "a"), "ik"), ("a/**/b", ("a/b", "a/x/y/b", "ab"), "iik"), ("a/**", ("a", "a/b"), "ki"),
		        ("**", ("a", "a/b"), "ii"), ("**bar", ("bar", "foobar", "a/xbar", "barx"), "iiik"),
		        ("**b*r", ("bar", "a/bar", "abar"), "iik"), ("*\n!src", ("x", "src", "src/a"), "ikk"),
		        ("foo\n!foo/bar", ("foo", "foo/bar", "foo/b"), "iki"), ("!a\na", ("a",), "i"), ("a\n!  a", ("a",), "k"),
		        ("..", ("a",), "k"), ("a/*\n!a/b\na/b/c", ("a/x", "a/b", "a/b/c"), "iki")):
		    same(ignored(patterns, *paths), want)
		for patterns, text in (("!", 'illegal exclusion pattern: "!"'), ("[", ""), ("a\\", ""), ("ok\n[b-a]", "")):
		    fails(text, ignored, patterns, "a")
	END
}

mistakes()
{
	table <<-'END'
		error = lambda body, *o: check("FROM scratch\n" + body + "\n", *o)[1]
		N = "dockerfile parse error on line 2: "
		for body, want in (
		        ("FNTRYPOINT x", N + "unknown instruction: FNTRYPOINT (did you mean ENTRYPOINT?)"),
		        ("fntrypoint x", N + "unknown instruction: fntrypoint (did you mean entrypoint?)"),
		        ("XYZZY x", N + "unknown instruction: XYZZY"),
		        ("COPY --form=a b c", N + "unknown flag: --form (did you mean from?)"),
		        ("COPY --chown=a --chown=b b c", N + "duplicate flag specified: --chown"),
		        ("COPY --chown a b", N + "missing a value on flag: --chown"),
		        ("COPY --link=x a b", N + "expecting boolean value for flag --link, not: x"),
		        ("COPY --link= a b", N + "missing a value on flag: --link"),
		        ("COPY --link=TRUE a b", None), ("COPY --exclude=a --exclude=b a b", None), ("COPY --chown= a b", None),
		        ("ARG --whatever x", None), ("STOPSIGNAL --whatever 9", None), ("HEALTHCHECK --whatever NONE", None),
		        ("COPY a", N + "COPY requires at least two arguments, but only one was provided. Destination could not be determined"),
		        ("FROM a b", N + "FROM requires either one or three arguments"),
		        ("FROM scratch AS 1a", N + "invalid name for build stage: \"1a\", name can't start with a number or contain symbols"),
		        ("FROM $nosuch", "base name ($nosuch) should not be blank"),
		        ("FROM A:b", 'failed to parse stage name "A:b": invalid reference format: repository name (library/A) must be lowercase'),
		        ("FROM --platform=$X scratch", "empty platform value from expression $X"),
		        ("ONBUILD ONBUILD RUN x", N + "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
		        ("ONBUILD FROM x", N + "FROM isn't allowed as an ONBUILD trigger"),
		        ("ONBUILD MAINTAINER x", N + "MAINTAINER isn't allowed as an ONBUILD trigger"),
		        ("HEALTHCHECK FOO", N + 'Unknown type "FOO" in HEALTHCHECK (try CMD)'),
		        ("HEALTHCHECK CMD", N + "Missing command after HEALTHCHECK CMD"),
		        ("HEALTHCHECK NONE x", N + "HEALTHCHECK NONE takes no arguments"),
		        ("SHELL sh -c", N + "SHELL requires the arguments to be in JSON form"),
		        ("ENV =x", N + "ENV names can not be blank"), ("ARG =x", N + "ARG names can not be blank"),
		        ("EXPOSE x", "invalid containerPort: x"), ("EXPOSE 80/foo", 'invalid port: "80/foo": invalid proto: foo'),
		        ("VOLUME $nosuch", "VOLUME specified can not be an empty string"), ("STOPSIGNAL SIGFOO", "invalid signal: SIGFOO"),
		        ("STOPSIGNAL usr1", None), ("STOPSIGNAL 0", "invalid signal: 0"),
		        ("COPY --chmod=99 a b", "invalid chmod parameter: '99'. it should be octal string and between 0 and 07777"),
		        ("COPY --chmod=u=rwX,go=rX a b", None),
		        ("COPY --from=$x a b", "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround"),
		        ("COPY --from=7 a b", "invalid stage index 7"), ("COPY --from=0 a b", "circular dependency detected on stage: stage-0"),
		        ("COPY http://h/x /", "source can't be a URL for COPY"), ("COPY git@h:x /", "source can't be a git ref for COPY"),
		        ("ADD --checksum=sha256:x a /", "checksum requires HTTP(S) or Git sources"),
		        ("RUN --network=x y", 'invalid network mode "x"'), ("RUN --security=x y", 'security "x" is not valid'),
		        ("RUN --mount=type=x y", 'unsupported mount type "x"'), ("RUN --mount=type=cahce,target=/x y", 'unsupported mount type "cahce" (did you mean cache?)'),
		        ("RUN --mount=trget=/x y", "unexpected key 'trget' in 'trget=/x' (did you mean target?)"),
		        ("RUN --mount=target=/x,size=1m y", "unexpected key 'size' for mount type 'bind'"),
		        ("RUN --mount=target=/x,sharing=shared y", "invalid cache sharing set for bind mount"),
		        ("RUN --mount=xyz y", "invalid field 'xyz' must be a key=value pair"),
		        ("RUN --mount=target=/ y", 'invalid mount target "/"'), ("RUN --mount=type=secret y", "invalid secret mount. one of source, target required"),
		        ("RUN --mount=type=secret,id=a,source=b y", "both source and id can't be set"),
		        ("RUN --mount=type=ssh,source=b y", "ssh does not support source"),
		        ("RUN --mount=target=/x,mode=0755 y", 'mode not allowed for "bind" type mounts'),
		        ("RUN --mount=from=$x,target=/y z", "'from' doesn't support variable expansion, define alias stage instead"),
		        ("USER ${x?none}", "x: none"), ("WORKDIR ${x^}", "failed to process \"${x^}\": unsupported modifier (^) in substitution"),
		        ("RUN", None), ("CMD", None), ("ENTRYPOINT", None), ("CMD []", None)):
		    got = error(body)
		    assert got == want or (want and got and want in got), f"\n  {body}\n  got  {got}\n  want {want}"
		for word in ("EXPOSE", "ENV", "LABEL", "VOLUME", "ONBUILD", "HEALTHCHECK", "ARG", "SHELL []"):
		    assert "requires at least one argument" in error(word), (word, error(word))
		for word in ("USER", "WORKDIR", "STOPSIGNAL", "MAINTAINER"):
		    assert "requires exactly one argument" in error(word), (word, error(word))
		# Files as a whole.
		same(check("")[1], "the Dockerfile cannot be empty")
		same(check("ARG x\n")[1], "dockerfile contains no stages to build")
		assert "no build stage in current context" in check("RUN x\nFROM scratch\n")[1]
		same(check("FROM scratch AS build\n", "--target", "biuld")[1], 'target stage "biuld" could not be found (did you mean build?)')
		two = "FROM scratch AS a\nCOPY --from=B x y\nFROM scratch AS b\n"
		same(check(two)[1], 'cannot copy from stage "B", it needs to be defined before current stage "a"')
		same(check("FROM scratch AS a\nRUN --mount=from=b,target=/x y\nFROM scratch AS b\n")[1],
		     'cannot mount from stage "b" to "/x", stage needs to be defined before current command')
	END
}

scopes()
{
	table <<-'END'
		# An image name that fails tells what a variable was.
		name = lambda text, *o: check(text + "\n", *o)[1].split('"')[1]
		same(name("ARG a=1\nARG b=$a\nFROM X:$b"), "X:1")
		same(name("ARG a=1\nFROM X:$a", "--build-arg", "a=2"), "X:2")
		same(name("ARG a=1\nFROM X:$a", "--build-arg", "a=$b"), "X:$b")
		same(name("ARG a=1 b=$a\nFROM X:$b"), "X:1")
		same(name("FROM X:$TARGETOS-$TARGETARCH$TARGETVARIANT-$BUILDARCH"), "X:linux-amd64-amd64")
		same(name("FROM X:$TARGETARCH", "--build-arg", "TARGETARCH=y"), "X:y")
		same(name("FROM scratch AS last\nFROM X:$TARGETSTAGE"), "X:default")
		same(name("FROM X:$TARGETSTAGE\nFROM scratch AS last"), "X:last")
		same(name("FROM X:$TARGETSTAGE AS a\nFROM scratch", "--target", "A"), "X:A")
		# What a stage sees.
		unset = lambda text: [w.split("'")[1] for w in check(text + "\n")[0] if "UndefinedVar" in w]
		S = "FROM scratch\n"
		same(unset("ARG a=1\n" + S + "WORKDIR /$a"), ["$a"])
		same(unset("ARG a=1\n" + S + "ARG a\nWORKDIR /$a"), [])
		same(unset(S + "ARG a\nWORKDIR /$a"), [])
		same(unset(S + "ENV a=1 b=$a"), ["$a"])
		same(unset(S + "ARG a=1 b=$a\nENV c=$b"), [])
		same(unset(S + "WORKDIR /$PATH/$TARGETARCH"), ["$TARGETARCH"])
		same(unset(S + "ARG TARGETARCH\nWORKDIR /$TARGETARCH"), [])
		same(unset("FROM scratch AS a\nARG x=1\nENV y=1\nFROM a\nWORKDIR /$x$y"), [])
		# Where nothing is expanded.
		same(unset(S + 'CMD ["$a"]\nENTRYPOINT ["$a"]\nHEALTHCHECK CMD $a\nSHELL ["$a"]\nRUN $a\nMAINTAINER $a\nCOPY --exclude=$a x y'), [])
		# And where it is; EXPOSE says nothing of what is not set.
		same(unset(S + "COPY --chown=$a $b $c\nLABEL x=$d\nUSER $e\nEXPOSE ${f:-80}\nSTOPSIGNAL ${g:-9}\nVOLUME /$h\nCOPY <<E /x\n$i\nE"),
		     ["$a", "$b", "$c", "$d", "$e", "$g", "$h", "$i"])
	END
}

checks()
{
	table <<-'END'
		def warns(body, *want, options=()):
		    got = check(body + "\n", "--check", "experimental=all", *options)[0]
		    for w in want:
		        assert w in got, f"\n  {body!r}\n  got  {got}\n  want {w}"
		    if not want:
		        same(got, [])
		S = "FROM scratch\n"
		warns("FROM scratch\nrun x\nRUN y", "2 ConsistentInstructionCasing: Command 'run' should match the case of the command majority (uppercase)")
		warns("from scratch\nrun x\nRUN y", "3 ConsistentInstructionCasing: Command 'RUN' should match the case of the command majority (lowercase)")
		warns("FROM scratch\nrun x", "2 ConsistentInstructionCasing: Command 'run' should match the case of the command majority (uppercase)")
		open("ignore", "w").write("x\ny/*\n")
		open("except", "w").write("x\n!y\n")
		open("all", "w").write("**\n")
		warns(S + "COPY x /\nADD x /", '2 CopyIgnoredFile: Attempting to Copy file "x" that is excluded by .dockerignore',
		      '3 CopyIgnoredFile: Attempting to Add file "x" that is excluded by .dockerignore', options=("--ignore-file", "ignore"))
		warns(S + "COPY x /", options=("--ignore-file", "except"))
		warns(S + "COPY . /", options=("--ignore-file", "ignore"))
		warns(S + "COPY . /", '2 CopyIgnoredFile: Attempting to Copy file "." that is excluded by .dockerignore', options=("--ignore-file", "all"))
		warns("FROM scratch AS a\nFROM scratch AS a", '2 DuplicateStageName: Duplicate stage name "a", stage names should be unique')
		warns(S + "EXPOSE 1.2.3.4:80:80", "2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '1.2.3.4:80:80'")
		warns(S + "EXPOSE 80/TCP", "2 ExposeProtoCasing: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase")
		warns("FROM scratch as a", "1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match")
		warns("from scratch as a")
		warns("FROM --platform=linux/arm64 a", '1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/arm64"')
		warns("FROM --platform=linux/arm64 a AS for-arm64")
		warns("FROM --platform=$BUILDPLATFORM a")
		warns("ARG a\nFROM $a", "2 InvalidDefaultArgInFrom: Default value for ARG $a results in empty or invalid base image name", options=("--build-arg", "a=b"))
		warns("# other\nFROM scratch AS a", "2 InvalidDefinitionDescription: Comment for FROM should follow the format: `# a <description>`")
		warns("# a is it\nFROM scratch AS a")
		warns("# x\nARG a b\nFROM scratch", "2 InvalidDefinitionDescription: Comment for ARG should follow the format: `# <arg_key> <description>`")
		warns(S + "CMD x\nENTRYPOINT y", "2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
		      "3 JSONArgsRecommended: JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals")
		warns(S + 'SHELL ["x"]\nCMD y')
		warns(S + "ENV k v\nLABEL k v", '2 LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format',
		      '3 LegacyKeyValueFormat: "LABEL key=value" should be used instead of legacy "LABEL key value" format')
		warns(S + "MAINTAINER x", "2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label")
		for word in ("CMD", "ENTRYPOINT", "HEALTHCHECK CMD"):
		    kind = word.split()[0]
		    warns(S + f'{word} ["a"]\n{word} ["b"]', f"2 MultipleInstructionsDisallowed: Multiple {kind} instructions should not be used in the same stage because only the last one will be used")
		warns(S + "RUN a \\\n\nb", "4 NoEmptyContinuation: Empty continuation line")
		warns("FROM --platform=$TARGETPLATFORM a", "1 RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior")
		warns("FROM scratch AS context", '1 ReservedStageName: Stage name should not use the same name as reserved stage "context"')
		warns(S + "ARG DB_PASSWORD\nENV Api_Key=x", '2 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "DB_PASSWORD")',
		      '3 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "Api_Key")')
		warns(S + "ARG PASSWORD_FILE\nENV PUBLIC_KEY=x KEYBOARD=y")
		warns("FROM scratch AS Ab", "1 StageNameCasing: Stage name 'Ab' should be lowercase")
		warns("ARG abc=x\nFROM $abd", "2 UndefinedArgInFrom: FROM argument 'abd' is not declared (did you mean abc?)")
		warns(S + "ENV abc=x\nWORKDIR /$abd", "3 UndefinedVar: Usage of undefined variable '$abd' (did you mean $abc?)")
		warns(S + "WORKDIR x\nWORKDIR y", '2 WorkdirRelativePath: Relative workdir "x" can have unexpected results if the base image changes')
		warns(S + "WORKDIR /x\nWORKDIR y")
		same(check("# x\nFROM scratch AS a\n")[0], [])
		# All stages, unless a target is given; what the parser sees always.
		two = "FROM scratch AS a\nWORKDIR x\nFROM scratch AS b\n"
		same((len(check(two)[0]), len(check(two, "--target", "b")[0])), (1, 0))
		same(len(check("FROM scratch AS a\nMAINTAINER x\nFROM scratch AS b\n", "--target", "b")[0]), 1)
	END
}

it "6: ARG, ENV, scopes" scopes
it "7, 8, 10, 12: what is wrong, and how it is said" mistakes
it "13: build checks" checks
it "1: physical lines become logical lines" lines
it "2: parser directives" directives
it "3: heredocs" heredocs
it "4: keyword, flags, arguments" words
it "5: expansion" expansion
it "9: .dockerignore" ignore_files
