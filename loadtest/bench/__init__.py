"""The load test: `loadtest/run` is its command, `loadtest/README.md` says what it shows."""
