"""The machines of one training job, as SageMaker tells each of them about all.

`resourceconfig.json` is described in SageMaker's guide, "How Amazon SageMaker AI Provides Training Information". The names resolve to
addresses on every one of the machines; the first of them is where the others meet.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

PORTS = range(20_000, 30_000)  # below those that systems give out by themselves
FILE = "input/config/resourceconfig.json"


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """`names` are in the one order that all hosts see; `own` is one of them.

    They meet on the network `interface`, at a `port` of the first.
    """

    names: tuple[str, ...] = ("localhost",)
    own: str = "localhost"
    interface: str = "lo"
    port: int = PORTS[0]

    @classmethod
    def read(cls, root: Path, *, job: str = "") -> Hosts:
        """The hosts of the training job `job` whose file system begins at `root`; one where no file speaks of them.

        The port follows from the job's name: jobs whose hosts are one machine, as on a laptop, take different ones.

        Raises:
            ValueError: the file is not what SageMaker writes.
        """
        file = root / FILE
        if not file.is_file():
            return cls()
        try:
            content = json.loads(file.read_bytes())
            names, own = tuple(sorted(content["hosts"])), content["current_host"]
            interface = content.get("network_interface_name") or cls.interface
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file.name}: expected hosts and current_host as SageMaker writes them: {error!r}") from error
        if own not in names:
            raise ValueError(f"{file.name}: current_host {own!r} is none of hosts {', '.join(names)}")
        port = PORTS[int.from_bytes(hashlib.sha256(job.encode()).digest()[:4], "big") % len(PORTS)]
        return cls(names=names, own=own, interface=interface, port=port)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def rank(self) -> int:
        """This host's number, from 0."""
        return self.names.index(self.own)

    @property
    def first(self) -> bool:
        """Whether this is the host that evaluates and leaves the model."""
        return self.rank == 0
