"""CSV: one line a box.

edgectl writes ``filename,width,height,class,xmin,ymin,xmax,ymax`` and, optionally, ``split``: the table of
TensorFlow's object detection tutorials and of Roboflow. Tables of competitions are read too, their columns
guessed by name and shown. An image without objects has a line with an empty class. Images lie beside the
file or in ``images/``. A ``classes.txt`` in the directory gives classes an order.
"""

from __future__ import annotations

from edgectl.data.formats.table.read import read_csv, tables_of
from edgectl.data.formats.table.write import write_csv

__all__ = ["read_csv", "tables_of", "write_csv"]
