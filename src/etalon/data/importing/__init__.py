"""`data import`: files as people have them, in any format of the field, become records.

sources     FILE, a directory, hf:NAME -> the files
reading     a row -> Read, Dropped or Unread
seen        exact copies and ids that name two problems, in little memory
columns     which column became what; which are read by nothing; which --map would do
importer    the loop over all of it, and its counts
"""

from etalon.data.importing.importer import Import, ImportSettings, Skipped
from etalon.data.importing.sources import Source, sources

__all__ = ["Import", "ImportSettings", "Skipped", "Source", "sources"]
