"""The two platforms played on this machine, against products written with other people's code."""
