"""What a run would cost, as pure arithmetic: GPU types, model shapes, FLOPs, seconds, bytes. No torch.

config.json -> ModelShape -> training_flops, generation_seconds -> GPU-seconds
                          -> training_memory, sampling_memory   -> bytes per GPU, and what would fit
"""
