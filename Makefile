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
