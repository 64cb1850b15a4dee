"""asv benchmarks: fastnn beside NumPy, workload by workload. How to run them: README.md."""
