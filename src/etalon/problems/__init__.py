"""Problems: readers of the field's data formats, and the synthetic nano world."""
