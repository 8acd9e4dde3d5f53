"""`python -m bench`: the figures of docs/reference/benchmarks.md."""

from bench.redact import main

main()
