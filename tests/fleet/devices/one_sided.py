"""A program for `Ranks`: the second process fails while the others wait for it; of three the last never comes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import torch
import torch.distributed as together

from garage_nb.command.rank import follow_launcher, meet
from garage_nb.fleet.devices.job import Job, put_failure


def main(folder: Path, rank: int) -> None:
    follow_launcher()
    if rank == 2:
        time.sleep(60)
    meet(Job.read(folder), folder, rank)
    try:
        if rank == 1:
            raise ValueError("only here")
        together.all_reduce(torch.ones(1))
    except BaseException as error:
        put_failure(folder, rank, error)
        os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
