"""Stands in for `docker` where there is none: builds Python images as folders, and pushes their manifests to ECR.

An image is a snapshot of the files its Dockerfile copies, and a virtual environment of its own in which the RUN
commands ran, so that a dependency missing from its lock is missing here too. `docker build`, `push` and `login`
are understood as buildspecs use them; anything else is an error that names it. Images live under $LOCALCLOUD_IMAGES:

    layers/KEY/{rootfs,venv}    what the instructions up to the last RUN made, but for compiling; shared by images with the same lock
    images/ID/{rootfs,config.json}    tags/TAG and digests/DIGEST hold the ID of an image
"""

from pathlib import Path

BIN = Path(__file__).parents[1] / "bin"  # where builds find this docker


class Refused(Exception):
    """What cannot be done, in one line."""
