#!/bin/sh
# Runs a Python program of the runfiles with the machine's Python.
exec python3 -B "$@"
