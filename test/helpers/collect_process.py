"""A process that collects some images, says so, and waits to be ended while its workers are at the next ones.

Arguments: MODULES MODEL FOLDER CLASSES STORE WORKERS IMAGES
"""

import os
import sys
import time
from pathlib import Path

from trust_seg_ros.datasets.folders import paired_folder
from trust_seg_ros.fitting.collect import collect
from trust_seg_ros.segmentation.settings import NetworkSettings


def main():
    modules, model, folder, classes, store, workers, images = sys.argv[1:]
    sys.path[:0] = modules.split(os.pathsep)

    def progress(done, total):
        if done == int(images):
            print("ready", flush=True)
            time.sleep(600)

    collect(
        NetworkSettings(model, device="cpu"),
        paired_folder(Path(folder), int(classes), (9, 255) if int(classes) == 3 else (11, 255)),
        store,
        "val",
        workers=int(workers),
        progress=progress,
        part_images=4,
    )
