# kiln: one Makefile, no recursion; everything it makes is under build/. `make help` lists the targets.
-include config.mak

B       := build$(if $(SAN),-san)
PREFIX  ?= /usr/local
ifeq ($(origin CC),default)
CC := gcc
endif
VERSION := 0.1.0
Q       := $(if $(V),,@)

MODULES := base oci rootfs snapshot dockerfile progress context builder
# Who may see whom. The include path is the rule: an include that is not listed here does not compile.
SEES_base       := base
SEES_oci        := oci base
SEES_rootfs     := rootfs base
SEES_snapshot   := snapshot base
SEES_dockerfile := dockerfile base
SEES_progress   := progress base
SEES_context    := context dockerfile oci rootfs snapshot base
SEES_builder    := builder context dockerfile oci rootfs snapshot progress base
SEES_tests      := builder context dockerfile oci rootfs snapshot progress base
SEES_agent      := agent

PKGS := ext2fs com_err jansson libzstd libisal libcrypto sqlite3
# Loaded when they are needed (base/library.h), so that only their headers count.
PKGS_LOADED := libarchive libcurl
# Sets PKG_CFLAGS and PKG_LIBS. Making it is what sees to the -dev packages first.
ifneq ($(filter-out help clean distclean deps%,$(or $(MAKECMDGOALS),all)),)
include build/pkg.mk
endif

WARN := -Wall -Wextra -Wshadow -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wundef -Wvla -Wno-missing-field-initializers $(if $(WERROR),-Werror)
STD  := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -g
HARD := -O2 -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fPIE
SANF := -O1 -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
OPT  := $(if $(SAN),$(SANF),$(HARD))
comma := ,
LINK := $(if $(SAN),-fsanitize=$(SAN),-pie -Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now)
DEFS := -DKILN_VERSION='"$(VERSION)"'
ALL_CFLAGS = $(STD) $(WARN) $(OPT) $(DEFS) $(PKG_CFLAGS) $(CFLAGS)
# The guest agent: static, libc only, never sanitized (it is PID 1 of a machine without anything else).
AGENT_CFLAGS := $(STD) $(WARN) -Os -static -fno-pie -no-pie -ffunction-sections -fdata-sections -Wl,--gc-sections

SRCS  := $(foreach m,$(MODULES),$(wildcard $(m)/*.c))
# What host and guest share: the agent protocol, patterns.
SHARED := rootfs/agent/proto.c rootfs/agent/glob.c
SRCS  += $(SHARED)
OBJS  := $(SRCS:%.c=$(B)/%.o)
MAIN  := $(B)/builder/main.o
LIB   := $(B)/libkiln.a
AGENT := build/kiln-agent
AGENT_SRCS := $(wildcard rootfs/agent/*.c)
UNIT  := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))

all: $(B)/kiln guest              ## build/kiln and its guest kernel (SAN=address,undefined: build-san/kiln)

# Remade only when it would differ: make starts over after reading a new one.
build/pkg.mk: FORCE
	@scripts/deps build
	@mkdir -p build
	@printf 'PKG_CFLAGS := %s\nPKG_LIBS := %s\n' "$$(pkg-config --cflags $(PKGS) $(PKGS_LOADED))" \
		"$$(pkg-config --libs $(PKGS))" >$@.tmp.$$$$ && \
	if cmp -s $@.tmp.$$$$ $@; then rm $@.tmp.$$$$; else mv $@.tmp.$$$$ $@; fi

# Debian packages, by group (scripts/deps).
deps-%:
	@scripts/deps $(subst +, ,$*)

# The guest kernel is unpacked, never installed. Old package lists are the usual reason for a failure.
guest: | deps-run                 ## fetch the guest kernel into build/guest
	@scripts/fetch-kernel build/guest || \
		{ [ "$$(id -u)" = 0 ] && apt-get -q update >&2 && scripts/fetch-kernel build/guest; }

# The larger ones are for the tests that only SLOW=1 runs.
IMAGES ?= debian busybox node $(if $(SLOW),services tools chromium)
images: | deps-run+images         ## make the base images of demo and tests in build/images
	@scripts/make-images build/images $(IMAGES)

$(patsubst %,$(B)/see/%,$(MODULES) tests agent): $(B)/see/%: Makefile
	@mkdir -p $@
	@for m in $(SEES_$*); do ln -sfn $(CURDIR)/$$m $@/$$m; done
	@touch $@

$(B)/%.o: %.c build/pkg.mk | $(MODULES:%=$(B)/see/%) $(B)/see/tests
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(ALL_CFLAGS) -I$(B)/see/$(firstword $(subst /, ,$<)) -MMD -MP -c $< -o $@

# The agent travels inside the program: agent_image.S takes it in with .incbin.
$(AGENT): $(AGENT_SRCS) build/pkg.mk $(wildcard rootfs/agent/*.h)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  AGENT $@")
	$(Q)gcc $(AGENT_CFLAGS) $(AGENT_SRCS) -o $@
	$(Q)strip $@

$(B)/agent_image.o: builder/agent_image.S $(AGENT)
	@mkdir -p $(@D)
	$(Q)$(CC) -c -DAGENT='"$(AGENT)"' $< -o $@

$(LIB): $(filter-out $(MAIN),$(OBJS)) $(B)/agent_image.o
	@rm -f $@
	$(Q)ar rcsP $@ $^

$(B)/kiln: $(MAIN) $(LIB)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LINK) $^ $(PKG_LIBS) -lpthread -o $@

# Tests write argument vectors as literals; those are char *const[], as execve(2) has it.
$(B)/tests/%.o: WARN := $(filter-out -Wwrite-strings,$(WARN))

$(B)/unit/%: $(B)/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LINK) $^ $(PKG_LIBS) -lcmocka -lpthread -o $@

# Tests of the guest program's parts link these too, all but its main().
AGENT_PARTS := $(patsubst %.c,$(B)/%.o,$(filter-out rootfs/agent/main.c $(SHARED),$(AGENT_SRCS)))
$(filter $(B)/unit/test_agent%,$(UNIT)): $(B)/unit/%: $(B)/tests/unit/%.o $(AGENT_PARTS) $(LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LINK) $^ $(PKG_LIBS) -lcmocka -lpthread -o $@

unit: $(UNIT)                     ## unit tests (cmocka)
	@tests/run unit

# Fuzzing. $(F) holds everything once more, for libFuzzer; replay_X runs the corpus of X with the
# ordinary compiler.
F := build-fuzz
FUZZ_CFLAGS = $(STD) $(WARN) $(DEFS) $(PKG_CFLAGS) -O1 -fno-omit-frame-pointer
FUZZ_SAN   := -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZERS    := $(FUZZ_NAMES:%=$(F)/fuzz_%)
REPLAYS    := $(FUZZ_NAMES:%=$(B)/fuzz/replay_%)

$(F)/%.o: %.c build/pkg.mk | $(MODULES:%=$(B)/see/%) $(B)/see/tests
	@mkdir -p $(@D)
	$(if $(V),,@echo "  FUZZ  $<")
	$(Q)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link $(FUZZ_SAN) \
		-I$(B)/see/$(firstword $(subst /, ,$<)) -MMD -MP -c $< -o $@

$(F)/libkiln.a: $(filter-out $(F)/builder/main.o,$(SRCS:%.c=$(F)/%.o)) $(B)/agent_image.o
	@rm -f $@
	$(Q)ar rcsP $@ $^

$(F)/fuzz_%: $(F)/tests/fuzz/fuzz_%.o $(F)/libkiln.a
	$(Q)clang -fsanitize=fuzzer $(FUZZ_SAN) $^ $(PKG_LIBS) -lpthread -o $@

$(B)/fuzz/replay_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) $^ $(PKG_LIBS) -lpthread -o $@

FUZZ_SECONDS ?= 60
fuzz: $(FUZZERS)       ## run each fuzz target FUZZ_SECONDS long (60)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run fuzz

replay: $(REPLAYS)                ## run the fuzz corpus once
	@tests/run replay

blackbox: all images tests-built  ## black-box tests; ONLY="t0100 t0200" picks some
	@tests/run blackbox $(ONLY)

# What the black-box tests use beside the program.
tests-built: deps-images+check build/hello $(B)/play

check: all images tests-built $(UNIT) $(REPLAYS) $(FUZZERS)  ## all tests; WERROR=1, SAN=address,undefined, SLOW=1
	@FUZZ_SECONDS=5 tests/run

# What needs clang or cmocka waits until they are there.
$(patsubst %.c,$(B)/%.o,$(wildcard tests/unit/*.c)) $(SRCS:%.c=$(F)/%.o): | deps-check
$(patsubst %.c,$(F)/%.o,$(wildcard tests/fuzz/*.c)): | deps-check

# The program of examples/hello: static, for an image without anything else.
build/hello: examples/hello/hello.c build/pkg.mk
	$(if $(V),,@echo "  CC    $<")
	$(Q)gcc $(STD) $(WARN) -Os -static $< -o $@

# Plays a build's progress from a script.
$(B)/play: $(B)/tests/lib/play.o $(LIB)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LINK) $^ $(PKG_LIBS) -lpthread -o $@

demo: all deps-images+demo            ## build examples/web and resume it twice
	@scripts/make-images build/images debian
	@scripts/demo

demo-agents: all deps-images+demo     ## build the three agents of examples/ and ask each its version
	@scripts/make-images build/images node
	@scripts/demo-agents

bench: all deps-images+check+bench build/hello  ## measure; ratios against other programs
	@scripts/make-images build/images debian busybox node agents agents-zstd small
	@scripts/bench

HEADERS := $(foreach m,$(MODULES) rootfs/agent,$(wildcard $(m)/*.h))
headers: build/pkg.mk | $(MODULES:%=$(B)/see/%)  ## compile each header alone
	@for h in $(HEADERS); do \
		$(CC) $(ALL_CFLAGS) -I$(B)/see/$${h%%/*} -fsyntax-only \
			-x c $$h || exit 1; \
	done

format: | deps-lint               ## show where clang-format would differ
	@git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror

lint: | deps-lint                 ## cppcheck, shellcheck, mandoc
	@cppcheck --quiet --error-exitcode=1 --inline-suppr --enable=warning,portability \
		--suppress=comparePointers -j2 $(MODULES:%=-I$(B)/see/%) $(MODULES)
	@git ls-files scripts tests examples .ci ':!*/Dockerfile' | \
		xargs grep -lE '^#(!/(bin/|usr/bin/env )(sh|bash)| shellcheck shell=)' | \
		xargs shellcheck -x -S warning
	@mandoc -T lint -W warning docs/man/*.1

complexity: | deps-lint           ## the ten functions with the most branches
	@git ls-files '*.c' | grep -v ^tests/ | xargs pmccabe | sort -rn | head -n 10

MANDIR := $(PREFIX)/share/man/man1
install: all                      ## install into $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/kiln/guest/modules \
		$(DESTDIR)$(MANDIR)
	install -m 755 $(B)/kiln $(DESTDIR)$(PREFIX)/bin/kiln
	install -m 644 build/guest/vmlinuz build/guest/release $(DESTDIR)$(PREFIX)/lib/kiln/guest
	install -m 644 build/guest/modules/* $(DESTDIR)$(PREFIX)/lib/kiln/guest/modules
	install -m 644 docs/man/*.1 $(DESTDIR)$(MANDIR)

help:                             ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

clean:                            ## remove what was built (not the guest kernel and the images)
	rm -rf build-san build-fuzz
	@[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name guest ! -name images \
		-exec rm -rf {} +

distclean: clean                  ## remove everything that is not in the repository
	rm -rf build

.PHONY: all guest images unit fuzz replay blackbox tests-built check demo demo-agents bench headers format lint \
	complexity install help clean distclean FORCE
.SECONDARY:
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

-include $(OBJS:.o=.d) $(wildcard $(B)/tests/*/*.d $(F)/*/*.d $(F)/*/*/*.d)
