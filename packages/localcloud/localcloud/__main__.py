"""AWS on this machine: one endpoint on one port, until a signal ends it or, with --exit-with-parent, its parent does."""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from localcloud.core.assumptions import Assumption
from localcloud.core.interruptions import Interruptions

os.environ.update(
    {
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
        "DISABLE_GLOBAL_CORS": "true",
    }
)
os.environ.pop("MOTO_ACCOUNT_ID", None)
LOG = "localcloud.log"
READS_LATE = "LOCALCLOUD_READS_LATE"  # seconds
ASSUME, QUOTAS = "LOCALCLOUD_ASSUME", "LOCALCLOUD_QUOTAS"  # assumptions, and quotas, with commas between them
INTERRUPT, LOSE_HOSTS = "LOCALCLOUD_INTERRUPT", "LOCALCLOUD_LOSE_HOSTS"  # TIMES/SECONDS/SEED
LOOK_EVERY = 0.5  # seconds; a signal that the system hands to another thread does not wake the one that waits for it


@dataclass(frozen=True)
class Network:
    """A network that a firm made."""

    account: str
    vpc: str
    subnets: list[str]
    groups: list[str]

    @classmethod
    def read(cls, text: str) -> Network:
        """`ACCOUNT/VPC/SUBNETS/GROUPS`."""
        account, vpc, subnets, groups = text.split("/")
        return cls(account, vpc, subnets.split(","), groups.split(","))

    def stand(self, region: str) -> None:
        """Make it."""
        from localcloud.ec2 import networks  # moto reads its environment when it is imported

        networks.stand(self.account, region, vpc=self.vpc, subnets=self.subnets, groups=self.groups)


def arguments() -> argparse.Namespace:
    """What is said on the command line."""
    parser = argparse.ArgumentParser(prog="localcloud", description=__doc__)
    parser.add_argument(
        "--root", type=Path, default=Path(".localcloud"), help="folder for logs, jobs and builds; emptied first (default: %(default)s)"
    )
    parser.add_argument("--port", type=int, default=0, help="0 asks the system for a free one")
    parser.add_argument(
        "--speed", type=float, default=60, help="seconds of a template's durations that pass in one second (default: %(default)g)"
    )
    parser.add_argument("--accounts", default="123456789012", help="comma-separated account numbers (default: %(default)s)")
    parser.add_argument("--region", default="us-east-1", help="default: %(default)s")
    parser.add_argument("--containers", action="store_true", help="build and run images by Docker, which must be there, and a registry")
    parser.add_argument(
        "--network",
        action="append",
        default=[],
        type=Network.read,
        metavar="ACCOUNT/VPC/SUBNETS/GROUPS",
        help="a network that stands in an account, by its ids, which commas join; may be repeated",
    )
    parser.add_argument(
        "--longest-session",
        type=float,
        default=12 * 3600,
        help="real seconds after which a role's session ends, however long it was asked for (default: %(default)g)",
    )
    parser.add_argument(
        "--reads-late",
        type=float,
        default=float(os.environ.get(READS_LATE, "0")),
        metavar="SECONDS",
        help="of AWS's time, after which a change is seen by all where AWS does not say that it is seen at once (default: what"
        f" {READS_LATE} says, else at once)",
    )
    parser.add_argument(
        "--assume",
        type=Assumption,
        action="append",
        default=[Assumption(name) for name in os.environ.get(ASSUME, "").split(",") if name],
        help=f"what AWS's documentation leaves open: {', '.join(Assumption)}; can be repeated (default: what {ASSUME} names)",
    )
    parser.add_argument(
        "--quota",
        action="append",
        default=[quota for quota in os.environ.get(QUOTAS, "").split(",") if quota],
        metavar="NAME=NUMBER",
        help="a quota of SageMaker's or CodeBuild's that is not the default, such as 'ml.m5.large for endpoint usage=4'; the name may be a"
        f" pattern (default: what {QUOTAS} names)",
    )
    parser.add_argument(
        "--interrupt",
        type=_interruptions,
        default=os.environ.get(INTERRUPT, ""),
        metavar="TIMES/SECONDS/SEED",
        help="take a host away from each managed spot training job, without warning, so many times, each time within so many real seconds"
        f" of its program's start, as the seed draws (default: what {INTERRUPT} says, else never)",
    )
    parser.add_argument(
        "--lose-hosts",
        type=_interruptions,
        default=os.environ.get(LOSE_HOSTS, ""),
        metavar="TIMES/SECONDS/SEED",
        help="take a host away from so many of the next transform jobs, without warning, within so many real seconds of its model's being"
        f" ready, as the seed draws; such a job fails with InternalServerError (default: what {LOSE_HOSTS} says, else never)",
    )
    parser.add_argument(
        "--exit-with-parent", action="store_true", help="end when standard input closes, as it does when the program that holds it ends"
    )
    return parser.parse_args()


def _interruptions(text: str) -> Interruptions | None:
    try:
        return Interruptions.parsed(text) if text else None
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


def _end_with_input(ending: threading.Event) -> None:
    sys.stdin.read()
    ending.set()


def _log(root: Path) -> TextIO | None:
    """The log, empty, held for as long as this process lives; None while another localcloud holds it."""
    log = (root / LOG).open("a", encoding="utf-8")
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.close()
        return None
    log.truncate(0)
    return log


def _complain(why: str) -> int:
    print(f"localcloud: {why}", file=sys.stderr)
    return 1


def program() -> int:
    """The command. Returns its exit status."""
    options = arguments()
    root: Path = options.root
    if root.exists() and not (root / LOG).exists() and any(root.iterdir()):
        return _complain(f"--root {root}: it is not empty and not a localcloud's, and would be emptied: name another folder")
    from localcloud.core import quotas
    from localcloud.ecr.engine import NoEngine  # moto reads its environment when it is imported
    from localcloud.server import CannotListen, Server
    from localcloud.servicequotas import api as service_quotas

    try:
        raised = dict(quotas.parsed(quota, service_quotas.names()) for quota in options.quota)
    except ValueError as problem:
        return _complain(f"--quota {problem}")
    root.mkdir(parents=True, exist_ok=True)
    log = _log(root)
    if log is None:
        return _complain(f"--root {root}: another localcloud runs there, and its folder would be emptied: end it, or name another folder")
    logging.basicConfig(stream=log, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    try:
        server = Server(
            root=root.resolve(),
            port=options.port,
            speed=options.speed,
            accounts=options.accounts.split(","),
            region=options.region,
            containers=options.containers,
            longest_session=options.longest_session,
            reads_late=options.reads_late,
            assumptions=options.assume,
            quotas=raised,
            interruptions=options.interrupt,
            host_losses=options.lose_hosts,
        )
    except CannotListen as problem:
        return _complain(f"{problem}: choose another or leave --port out")
    except NoEngine as problem:
        return _complain(str(problem))
    if options.exit_with_parent:
        threading.Thread(target=_end_with_input, args=(ending,), daemon=True).start()
    for network in options.network:
        network.stand(options.region)
    server.start()
    print(f"ready {server.url}", flush=True)
    while not ending.wait(LOOK_EVERY):
        pass
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(program())
