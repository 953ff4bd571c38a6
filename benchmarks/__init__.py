"""Runnable comparisons; each module prints one table. ``python -m benchmarks`` runs all of them."""
