"""The AWS that evidence is tried on: see tests/pipelines/evidence/world.py."""

from tests.pipelines.evidence.world import approved as approved
from tests.pipelines.evidence.world import evidence_server as evidence_server
from tests.pipelines.evidence.world import staged as staged
