# SPDX-License-Identifier: MIT
"""Who may use FUSE on this host: on most everybody, elsewhere only root, whose tests these are then."""
import os
import stat

import pytest


def marks():
    """For tests that mount: left out for users who may not."""
    mode = os.stat("/dev/fuse").st_mode if os.path.exists("/dev/fuse") else 0
    everybody = stat.S_IROTH | stat.S_IWOTH
    return [] if mode & everybody == everybody else [pytest.mark.as_root]
