# SPDX-License-Identifier: GPL-2.0-only
# Each verb is one script; "make help" lists them.
.SUFFIXES:
MAKEFLAGS += --no-print-directory
.PHONY: help run test stress soak bench series baseline shell refresh clean

help:    ; @sed -n 's/^\#\# //p' Makefile
run:     ; @scripts/run $(DEMO)
test:    ; @scripts/test $(T)
stress:  ; @scripts/stress $(ROUNDS)
soak:    ; @scripts/soak
bench:   ; @scripts/bench $(if $(ICOUNT),--icount) $(if $(ROUNDS),--rounds $(ROUNDS))
series:  ; @scripts/series
baseline:; @scripts/baseline
shell:   ; @scripts/shell
refresh: ; @scripts/refresh
clean:   ; @rm -rf build

## make run              build all, boot a stock guest on the accelerated vIOMMU on
##                       the kernel on the model, report; DEMO=amd shows the
##                       calls one by one, DEMO=mock those of the mock driver
## make test             all suites; T="mock debug" for these only
## make stress           the stress test alone, ROUNDS=1000000 rounds of it
## make soak             hours on the kernels with all sanitizers: 10^6 ioctls of each
##                       adversary and more; PARTS="mock amd" for these only
## make bench            count what invalidations of a guest cost: bench/figures.md;
##                       ROUNDS=n reads each, ICOUNT=1 counts instructions, too
## make series           write the patch series to build/series and check it
## make baseline         run the stock selftests on the kernel without the series
## make shell            a shell in the test machine
## make refresh          bring edits of build/linux back to the overlay and patches
## make clean            remove build; the download and compiler caches stay
## Variables: JOBS=n, V=1 (show the QEMU command), QEMU=path, CC=gcc, KSRC=path
