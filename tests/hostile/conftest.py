"""The generator and its runner are no tests."""

collect_ignore_glob = ["hostile_*.py", "kinds.py", "tiffs.py", "runner.py"]
