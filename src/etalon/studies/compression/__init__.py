"""A test of the Parametric Compression-Coverage Hypothesis (1, 4): does reasoning fit into few parameters, facts not?

plan      sizes x seeds x {reasoning, N facts}: the cells, and what each costs
world     traces, problems and tokenizer that all cells share, made once
cell      one cell in a process of its own: train, measure, write cells/NAME.json (the only part with torch)
cells     all that was measured of them, as one file that another directory goes on from
run       cells as processes, several at a time, resumed; timing, forecast, progress
curves    fits over model size, with intervals over seeds and problems
verdict   what the curves say about the hypothesis, by criteria that were fixed before the first run
result    result.json               table     on the terminal and as Markdown        page      report.html
"""
