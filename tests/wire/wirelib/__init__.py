# SPDX-License-Identifier: MIT
"""What the replay of recorded traffic is made of: recordings, a vault, comparison."""
