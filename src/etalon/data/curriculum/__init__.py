"""From records to a curriculum (2.1.1 step 5, 2.1.2): `stratify` measures, `build` merges, splits and writes."""
