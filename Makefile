# The commands of a working day. Everything else is CMake's.
JOBS ?= $(shell nproc)
RELEASE := build/release
ASAN := build/asan

.PHONY: build run cluster test unit journeys sanitized torture bench differential fuzz setup clean

build: setup
	@cmake --preset release > build-configure.log 2>&1 || (cat build-configure.log; exit 1)
	@rm -f build-configure.log
	@cmake --build $(RELEASE) -j $(JOBS)

setup:
	@tools/setup build

# A broker in the foreground, AMQP on 5672 and management on 15672; Ctrl-C stops it.
run: build
	@tools/run

# Three nodes, mirrored queues, HAProxy on 5670; Ctrl-C stops all.
cluster: build
	@tools/cluster

# Everything that is tested, ending on a line that counts.
test:
	@tools/setup test
	@tools/test

# Warren and RabbitMQ in alternation; writes docs/benchmarks.md. BENCH="--quick fanout 'persistent-*'"
# chooses; see tests/bench/run.py --help.
bench: build
	@tools/setup bench
	@/usr/bin/python3 tests/bench/run.py $(BENCH)

# Log and segments cut, flipped and torn, and clusters with every fault, from new seeds: a quarter of
# an hour of one core, or as long as TORTURE_TIMES says.
torture: build
	@tests/torture/run $(RELEASE)/bin

sanitized:
	@cmake --preset asan > /dev/null
	@cmake --build $(ASAN) -j $(JOBS) --target warren

# Records RabbitMQ's answers anew, then shows every difference between Warren and it.
differential: build
	@tools/setup differential
	@/usr/bin/python3 tests/differential/run.py --broker rabbitmq --record
	@/usr/bin/python3 tests/differential/run.py --all

# Looks for inputs that break a decoder; FUZZ_S seconds for each.
FUZZ_S ?= 60
fuzz:
	@tools/setup fuzz
	@tools/fuzz $(FUZZ_S)

clean:
	rm -rf build
