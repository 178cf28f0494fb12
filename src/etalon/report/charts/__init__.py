"""Charts of a report as inline SVG: complete without a script; charts.js says values on hover and by keyboard.

draw      scales, ticks, axes, text         svg       lines with bands, histograms, rows, bars of table cells
curves    over steps, runs, seeds           rows      shares per row, distributions per row
phases    what an RL phase does over steps  spectrum  lengths and styles from stage to stage
styles    how checkpoints answer
"""
