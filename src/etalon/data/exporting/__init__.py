"""Records as rows of trainers, and back without a loss: what stands where (`exchange`), how it is written (`rows`)."""
