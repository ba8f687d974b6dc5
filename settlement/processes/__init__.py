"""
What the house does, stage by stage: declared here, and everything else derived from the code.

A stage names its doors, the kinds of proposals decided in it, the moves of states and the tables it
writes. Who may is derived from the table of rights (settlement/processes/chart.py), so it
cannot differ from what is enforced. A door, a kind of proposal or a move that is in no process
fails a test (PRC-1, docs/rules/processes.md).
"""

from __future__ import annotations

from settlement.processes import channel, house, merchant, money
from settlement.processes.stage import Process, Stage

PROCESSES: tuple[Process, ...] = (
    *merchant.PROCESSES,
    *channel.PROCESSES,
    *money.PROCESSES,
    *house.PROCESSES,
)

__all__ = ["PROCESSES", "Process", "Stage"]
