"""The verl engine: RL and SFT on a Ray cluster, with verl 0.9's own trainers. Nothing of verl is subclassed.

    plugin, estimator    MGPO and Long2Short as advantage estimators, registered through the entry point `verl.plugins`
    reward               our verifiers as verl's reward function
    export, dataset      problems and token rows as parquet files, and the data set that reads the rows
    settings             one config per stage, every value with its reason
    probe, launch        what the cluster has; a stage as a process, its log, its checkpoints
    engine               the adapter that `etalon run --set engine=verl` uses

Importing this package loads nothing: verl, ray and torch load where they are used.
"""
