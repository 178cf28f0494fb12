"""The verl engine: RL and SFT on a Ray cluster, with verl 0.9's own trainers. Nothing of verl is subclassed.

    plugin, estimator    MGPO and Long2Short as advantage estimators, registered through the entry point `verl.plugins`
    reward               our verifiers as verl's reward function
    export, dataset      problems and token rows as parquet files, and the data set that reads the rows
    settings, plan       one config per stage, every value with its reason; the processes of a stage, before they run
    refusals, cluster    what verl cannot do as the recipe says it; what the installation and the cluster lack
    launch, checkpoints  a stage as a process and its log; what verl saves of it, and where a killed one continues
    steps                rows of our logs from what verl logs
    engine               the adapter that `etalon run --set engine=verl` uses

Importing this package loads nothing: verl, ray and torch load where they are used.
"""
