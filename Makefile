# kiln: one Makefile, no recursion; everything it makes is under build/. `make help` lists the targets.
-include config.mak

B       := build$(if $(SAN),-san)
PREFIX  ?= /usr/local
CC      ?= gcc
VERSION := 0.1.0
Q       := $(if $(V),,@)

MODULES := base oci rootfs snapshot builder
# Who may see whom. The include path is the rule: an include that is not listed here does not compile.
SEES_base     := base
SEES_oci      := oci base
SEES_rootfs   := rootfs base
SEES_snapshot := snapshot base
SEES_builder  := builder oci rootfs snapshot base
SEES_tests    := builder oci rootfs snapshot base
SEES_agent    := agent

PKGS := libarchive ext2fs com_err libcurl jansson libzstd libisal libcrypto sqlite3
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   = $(shell pkg-config --libs $(PKGS))

WARN := -Wall -Wextra -Wshadow -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wundef -Wvla -Wno-missing-field-initializers $(if $(WERROR),-Werror)
STD  := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -g
HARD := -O2 -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fPIE
SANF := -O1 -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
OPT  := $(if $(SAN),$(SANF),$(HARD))
LINK := $(if $(SAN),-fsanitize=$(SAN),-pie -Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now)
comma := ,
DEFS := -DKILN_VERSION='"$(VERSION)"' -DKILN_PREFIX='"$(PREFIX)"'
ALL_CFLAGS = $(STD) $(WARN) $(OPT) $(DEFS) $(PKG_CFLAGS) $(CFLAGS)
# The guest agent: static, libc only, never sanitized (it is PID 1 of a machine without anything else).
AGENT_CFLAGS := $(STD) $(WARN) -Os -static -fno-pie -no-pie -ffunction-sections -fdata-sections -Wl,--gc-sections

SRCS  := $(foreach m,$(MODULES),$(wildcard $(m)/*.c))
# What host and guest share of the agent protocol.
SRCS  += rootfs/agent/proto.c
OBJS  := $(SRCS:%.c=$(B)/%.o)
MAIN  := $(B)/builder/main.o
LIB   := $(B)/libkiln.a
AGENT := build/kiln-agent
AGENT_SRCS := $(wildcard rootfs/agent/*.c)
UNIT  := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))

all: $(B)/kiln                    ## build/kiln (SAN=address,undefined: build-san/kiln)

$(B)/see/%:
	@mkdir -p $@
	@for m in $(SEES_$*); do ln -sfn $(CURDIR)/$$m $@/$$m; done

$(B)/%.o: %.c | $(MODULES:%=$(B)/see/%) $(B)/see/tests
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(ALL_CFLAGS) -I$(B)/see/$(firstword $(subst /, ,$<)) -MMD -MP -c $< -o $@

# The agent travels inside the program: agent_image.S takes it in with .incbin.
$(AGENT): $(AGENT_SRCS) $(wildcard rootfs/agent/*.h)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  AGENT $@")
	$(Q)gcc $(AGENT_CFLAGS) $(AGENT_SRCS) -o $@
	$(Q)strip $@

$(B)/agent_image.o: builder/agent_image.S $(AGENT)
	@mkdir -p $(@D)
	$(Q)$(CC) -c -DAGENT='"$(AGENT)"' $< -o $@

$(LIB): $(filter-out $(MAIN),$(OBJS)) $(B)/agent_image.o
	@rm -f $@
	$(Q)ar rcs $@ $^

$(B)/kiln: $(MAIN) $(LIB)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LINK) $^ $(PKG_LIBS) -lpthread -o $@

$(B)/unit/%: $(B)/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(LINK) $^ $(PKG_LIBS) -lcmocka -lpthread -o $@

unit: $(UNIT)                     ## unit tests (cmocka)
	@for t in $(UNIT); do $$t || exit 1; done

help:                             ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

clean:                            ## remove what was built (not the downloaded kernel and images)
	rm -rf build build-san

.PHONY: all unit help clean
.SECONDARY:
.DEFAULT_GOAL := all

-include $(OBJS:.o=.d) $(wildcard $(B)/tests/unit/*.d)
