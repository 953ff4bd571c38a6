"""What the light install costs: disk, and the time until the first word.

python -m benchmarks.footprint
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

HEAVY = ("tensorflow", "keras", "cv2", "numba")


def size_mb(folder: Path) -> float:
    """Return the size of all files below ``folder`` in MB (2**20 bytes)."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def seconds(*command: str, rounds: int = 7) -> float:
    """Return the median time of a command as a whole process."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    packages = Path(sysconfig.get_path("purelib"))
    light = not any((packages / name).exists() for name in HEAVY)
    kind = (
        "light" if light else "with developers' extras; see the light one after `make demo` on a fresh clone"
    )
    print(f"environment ({kind}): {size_mb(Path(sys.prefix)):.0f} MB")
    print(f"roadlift --help: {seconds(str(Path(sys.executable).with_name('roadlift')), '--help'):.2f} s")
    bare = seconds(sys.executable, "-c", "pass")
    print(
        f"import roadlift: {seconds(sys.executable, '-c', 'import roadlift') - bare:.3f} s over a bare interpreter"
    )


if __name__ == "__main__":
    main()
