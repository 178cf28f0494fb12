"""Charts of a report as inline SVG: complete without a script; charts.js says values on hover and by keyboard.

draw      scales, ticks, axes, text         svg       lines with bands, histograms, rows, bars of table cells
several   runs over one another, seeds      rows      shares per row, distributions per row
phases    what an RL phase does over steps  spectrum  what every stage did, domain by domain
styles    how checkpoints answer            potential learning potentials and what was kept of them
"""
