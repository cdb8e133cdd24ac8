#!/bin/bash
# kiln dockerfile parse, expand, ignored, check: what they print and how they end.
# takes: 2 s
. "$(dirname "$0")/../lib/lib.sh"

quiet()
{
	[ ! -s "$OUT" ] || no "there is something on standard output"
}

parse_prints_one_json_object()
{
	printf '# escape=`\nFROM a AS b\nRUN --mount=x <<E `\n\n  cat\nhi\nE\nONBUILD CMD ["x"]\n' >Dockerfile
	ok kiln dockerfile parse Dockerfile
	cp "$OUT" from-file
	python3 - "$OUT" <<-'END'
		import json, sys
		d = json.load(open(sys.argv[1]))
		i = d["instructions"]
		assert d["escape"] == "`" and d["directives"][0]["name"] == "escape"
		assert [x["name"] for x in i] == ["FROM", "RUN", "ONBUILD"]
		assert (i[1]["line"], i[1]["endLine"]) == (3, 7)
		assert i[1]["heredocs"][0]["content"] == "hi\n" and i[1]["flags"] == ["--mount=x"]
		assert i[2]["child"]["args"] == ["x"] and i[2]["child"]["json"]
		assert d["warnings"] == [{"rule": "NoEmptyContinuation", "line": 5,
					  "message": "Empty continuation line"}]
	END
	kiln dockerfile parse - <Dockerfile >from-stdin
	cmp from-file from-stdin
}

syntax_errors_show_the_place()
{
	printf 'FROM a\nENV x\n' >Dockerfile
	fails 1 kiln dockerfile parse Dockerfile
	quiet
	says "Dockerfile:2" "   2 | >>> ENV x"
	says_one_line "Dockerfile:2: ENV must have two arguments"
	printf 'FROM a\nRUN <<E\n' >Dockerfile
	fails 1 kiln dockerfile parse Dockerfile
	quiet
	says_one_line "Dockerfile:2: unterminated heredoc"
	: >empty
	fails 1 kiln dockerfile parse empty
	quiet
	says_one_line "empty"
}

expand_uses_what_it_is_given()
{
	export V=environment
	ok kiln dockerfile expand -- 'v${V%%.*}' V=1.2.3
	is "$(cat "$OUT")" v1
	ok kiln dockerfile expand '$V-' W=x
	is "$(cat "$OUT")" -
	ok kiln dockerfile expand --words -- '$P x' 'P=80 90/udp'
	is "$(cat "$OUT")" '["80","90/udp","x"]'
	ok kiln dockerfile expand --escape '`' -- '`$A $A' A=1 A=2
	is "$(cat "$OUT")" '$A 2'
	fails 1 kiln dockerfile expand -- '${A:?no A}'
	quiet
	says_one_line "A: no A"
	fails 1 kiln dockerfile expand --words -- '"x'
	quiet
}

ignored_tells_path_by_path()
{
	printf '# c\n*\n!src\nsrc/**/*.o\n' >ignorefile
	ok kiln dockerfile ignored ignorefile -- a src ./src/x.c src/y/z.o -a
	printf 'ignored\ta\nkept\tsrc\nkept\t./src/x.c\nignored\tsrc/y/z.o\nignored\t-a\n' | cmp - "$OUT"
	printf 'a\n!\n' >ignorefile
	fails 1 kiln dockerfile ignored ignorefile -- a
	quiet
	says_one_line 'line 2: illegal exclusion pattern: "!"'
	printf '[' >ignorefile
	fails 1 kiln dockerfile ignored ignorefile -- a
	quiet
}

check_tells_what_is_doubtful()
{
	printf 'ARG V\nFROM a:$V as Build\nCOPY $X x /\nCMD y\n' >Dockerfile
	printf 'x\n' >ignorefile
	fails 1 kiln dockerfile check Dockerfile
	is "$(cat "$OUT")" "StageNameCasing: Stage name 'Build' should be lowercase (line 2)
FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 2)
InvalidDefaultArgInFrom: Default value for ARG a:\$V results in empty or invalid base image name (line 2)"
	says "   2 | >>> FROM a:\$V as Build"
	says_one_line 'Dockerfile:2: failed to parse stage name "a:": invalid reference format'
	kiln dockerfile check --format json --build-arg V=1 --ignore-file ignorefile \
		--check skip=StageNameCasing,FromAsCasing - <Dockerfile >json
	is "$(json json '[(w["rule"], w["line"]) for w in j["warnings"]]')" \
		"[('InvalidDefaultArgInFrom', 2), ('UndefinedVar', 3), ('CopyIgnoredFile', 3), ('JSONArgsRecommended', 4)]"
	is "$(json json 'j["error"]')" None
	V=1 kiln dockerfile check --build-arg V --check 'skip=all;error=true' Dockerfile >out
	is "$(cat out)" ""
	fails 1 kiln dockerfile check --format json --build-arg V=1 --build-arg BUILDKIT_DOCKERFILE_CHECK=error=true Dockerfile
	json "$OUT" 'j["error"]["message"]' >message
	is "$(cat message)" "lint violation found for rules: FromAsCasing, InvalidDefaultArgInFrom, JSONArgsRecommended, StageNameCasing, UndefinedVar"
	fails 1 kiln dockerfile check --target Biuld --build-arg V=1 Dockerfile
	says_one_line 'target stage "Biuld" could not be found'
	ok kiln dockerfile check --target build --build-arg V=1 Dockerfile
	printf 'FROM a\nFNTRYPOINT x\n' >Dockerfile
	fails 1 kiln dockerfile check --format json Dockerfile
	is "$(json "$OUT" 'j["error"]')" "{'line': 2, 'message': 'dockerfile parse error on line 2: unknown instruction: FNTRYPOINT (did you mean ENTRYPOINT?)'}"
	: >empty
	fails 1 kiln dockerfile check --format json empty
	is "$(json "$OUT" 'j["error"]["message"]')" "the Dockerfile cannot be empty"
	fails 1 kiln dockerfile check --check nosuch Dockerfile
	says_one_line 'invalid check option "nosuch"'
	fails 2 kiln dockerfile check --format xml Dockerfile
	fails 2 kiln dockerfile check nosuch
}

wrong_use_is_told()
{
	fails 2 kiln dockerfile
	fails 2 kiln dockerfile lint
	says_one_line "lint" "parse, expand, ignored, check"
	fails 2 kiln dockerfile parse
	fails 2 kiln dockerfile parse a b
	fails 2 kiln dockerfile parse nosuch
	says_one_line "nosuch"
	fails 2 kiln dockerfile parse .
	fails 2 kiln dockerfile expand
	fails 2 kiln dockerfile expand a b
	says_one_line "KEY=VALUE"
	fails 2 kiln dockerfile expand --escape x a
	fails 2 kiln dockerfile ignored
	fails 2 kiln dockerfile ignored nosuch -- a
}

it "parse prints one JSON object, from a file or standard input" parse_prints_one_json_object
it "a syntax error shows its lines and prints no result" syntax_errors_show_the_place
it "expand uses the values given and nothing else" expand_uses_what_it_is_given
it "ignored tells which paths are left out" ignored_tells_path_by_path
it "check tells what is doubtful, and what is wrong" check_tells_what_is_doubtful
it "wrong use ends with 2, wrong text with 1" wrong_use_is_told
