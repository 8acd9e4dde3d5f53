"""What a process that holds raw pixels is started with. App."""

import subprocess
import sys

from skyveil.app.process import child_environment


def test_libraries_that_compute_keep_to_one_thread() -> None:
    asked = "import cv2; print(cv2.getNumThreads())"
    told = subprocess.run([sys.executable, "-c", asked], env=child_environment(), capture_output=True, check=True)
    assert told.stdout.strip() == b"1"
