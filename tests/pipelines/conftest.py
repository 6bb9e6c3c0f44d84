"""The AWS that steps and evidence are tried on: see tests/support/world.py and tests/support/moto_server.py."""

from tests.support.moto_server import client as client
from tests.support.moto_server import moto as moto
from tests.support.moto_server import server as server
from tests.support.programs import programs as programs
from tests.support.scene import scene as scene
from tests.support.scene import worlds as worlds
from tests.support.world import approved as approved
from tests.support.world import evidence_server as evidence_server
from tests.support.world import staged as staged
