#!/bin/bash
# bazel run //test/planted:score [-- --only NUMBER,...]
# SPDX-License-Identifier: Apache-2.0
here=test/planted
exec python3 -B $here/score.py --suites $here/planted_suites --explore $here/planted_explore "$@"
