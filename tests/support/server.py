"""moto as a program, with four parts of localcloud: KMS over digests, S3's conditional writes, model packages and cards that keep what they
are told.

Says its address in its one line, and goes on until its standard input ends.
"""

import logging
import sys
import tempfile
from pathlib import Path

from moto.server import ThreadedMotoServer

from localcloud.core.cloud import Cloud, install
from localcloud.kms import signing
from localcloud.s3 import writes
from localcloud.sagemaker import model_cards, model_packages
from tests.reference import CONFIG

if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request would drown what tests say
    signing.install()
    writes.install()
    model_packages.install()
    model_cards.install()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = f"http://localhost:{server.get_host_and_port()[1]}"
    with tempfile.TemporaryDirectory() as root:
        install(Cloud(root=Path(root), url=url, region=CONFIG.toolchain.region, speed=1))
        print(url, flush=True)
        sys.stdin.read()
    server.stop()
