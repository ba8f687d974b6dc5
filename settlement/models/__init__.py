from settlement.models.batch import Batch
from settlement.models.due import Due
from settlement.models.exposure import Exposure
from settlement.models.item import Item
from settlement.models.line import Line
from settlement.models.position import Position
from settlement.models.run import Run
from settlement.models.schedule import Schedule

__all__ = [
    "Batch",
    "Due",
    "Exposure",
    "Item",
    "Line",
    "Position",
    "Run",
    "Schedule",
]
