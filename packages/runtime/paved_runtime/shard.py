"""Which rows are whose, where hosts share them: a property of a row's content, so that no order of a file and no restart changes it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paved_runtime.digests import Digests, combined
from paved_runtime.hosts import Hosts
from paved_runtime.table import Matrix


def of_matrix(matrix: Matrix) -> Digests:
    """A digest of each row of a matrix, float32 [rows, columns], at least one column: uint64 [rows]."""
    return combined(np.ascontiguousarray(column).view(np.uint32).astype(np.uint64) for column in matrix.T)


def mine(digests: Digests, hosts: Hosts) -> NDArray[np.bool_]:
    """Which of the rows with these digests, uint64 [rows], are this host's: each row is one host's, and equal rows are the same one's."""
    own: NDArray[np.bool_] = digests % np.uint64(len(hosts)) == hosts.rank
    return own
