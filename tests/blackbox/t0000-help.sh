#!/bin/bash
# Help, options, and whether the documents tell the same as the program.
# takes: 5 s
. "$(dirname "$0")/../lib/lib.sh"

COMMANDS="build explain debug run flatten ls inspect rm prune logs doctor dockerfile"

# The man page that describes a command.
man_page()
{
	case $1 in
	build | explain | debug | run | flatten | dockerfile) echo "$TOP/docs/man/kiln-$1.1" ;;
	*) echo "$TOP/docs/man/kiln-templates.1" ;;
	esac
}

# The long options that `kiln CMD --help` shows.
options_of()
{
	"$KILN" "$1" --help | grep -oE -- '--[a-z][a-z-]+' | sort -u
}

each_command_has_help()
{
	ok kiln --help
	cp "$OUT" all
	for c in $COMMANDS; do
		grep -qw "$c" all || no "kiln --help lacks $c"
		ok kiln "$c" --help
		[ ! -s "$ERR" ] || no "help of $c is not on standard output"
		prints "--help"
	done
}

help_fits_a_terminal()
{
	for c in $COMMANDS; do
		ok kiln "$c" --help
		awk -v c="$c" 'length($0) > 100 { print c ": " $0; bad = 1 } END { exit bad }' "$OUT"
	done
}

version_is_one_line()
{
	fails 2 kiln version now
	ok kiln --version
	grep -qxE 'kiln [0-9]+\.[0-9]+\.[0-9]+.*' "$OUT" || no "no version"
	ok kiln version --json
	grep -qxE '\{"version":"[0-9.]+.*"\}' "$OUT" || no "no version"
	is "$(wc -l <"$OUT")" 1
}

manual_lists_each_option()
{
	local bad=0
	for c in $COMMANDS; do
		[ -n "$(options_of "$c")" ] || no "$c has no options"
		mandoc -T ascii -O width=400 "$(man_page "$c")" | sed "s/.\x08//g" >page
		for o in $(options_of "$c"); do
			grep -qE -- "(^|[^a-z-])$o([^a-z-]|\$)" page || {
				echo "$(man_page "$c") lacks $o"
				bad=1
			}
		done
	done
	return $bad
}

manual_is_sound()
{
	run mandoc -T lint -W warning "$TOP"/docs/man/*.1
	[ ! -s "$OUT" ] || no "mandoc complains"
	for c in $COMMANDS; do
		grep -q "kiln-\\?$c" "$TOP/docs/man/kiln.1" || grep -q "Cm $c" "$TOP/docs/man/kiln.1" ||
			no "kiln.1 lacks $c"
	done
}

packages_are_explained()
{
	local bad=0
	sed -n -e ':a' -e '/^PKGS_.*[^"]$/{N;ba' -e '}' -e '/^PKGS_/p' "$TOP/scripts/deps" | sed 's/^PKGS_[a-z]*=//' | tr -d '"' |
		tr -s ' \t' '\n' | grep . >packages
	[ "$(wc -l <packages)" -gt 20 ] || no "no packages found"
	while read -r p; do
		grep -qF "\`$p\`" "$TOP/docs/architecture.md" || {
			echo "docs/architecture.md lacks $p"
			bad=1
		}
	done <packages
	return $bad
}

misspelt_command_is_suggested()
{
	fails 2 kiln biuld .
	says_one_line "biuld" "build"
	fails 2 kiln nonsense
	says_one_line "nonsense"
}

misspelt_option_is_suggested()
{
	fails 2 kiln build --wait-for-prot 8000 .
	says_one_line "--wait-for-prot" "--wait-for-port"
	fails 2 kiln build --wait-for-port
	says_one_line "--wait-for-port"
	fails 2 kiln build --cpus many .
	says_one_line "--cpus" "many"
	fails 2 kiln build --memory -5 .
	says_one_line "--memory"
}

operands_are_counted()
{
	fails 2 kiln build
	says_one_line "CONTEXT"
	fails 2 kiln run
	says_one_line "NAME"
	fails 2 kiln flatten
	fails 2 kiln ls what
	fails 2 kiln
}

json_errors_are_chains()
{
	fails 3 kiln inspect --json nosuch
	python3 - "$ERR" <<-'END'
		import json, sys
		line = [l for l in open(sys.argv[1]) if l.startswith("{")][-1]
		j = json.loads(line)
		text = json.dumps(j)
		assert "nosuch" in text and "notfound" in text, text
	END
}

it "every command has its help, on standard output" each_command_has_help
it "help fits a terminal" help_fits_a_terminal
it "--version is one line" version_is_one_line
it "the man pages list every option of --help" manual_lists_each_option
it "the man pages are sound and name every command" manual_is_sound
it "docs/architecture.md says what each package is for" packages_are_explained
it "a misspelt command gets a suggestion" misspelt_command_is_suggested
it "a misspelt option gets a suggestion" misspelt_option_is_suggested
it "missing and superfluous operands are refused" operands_are_counted
it "with --json an error is a chain in JSON" json_errors_are_chains
