"""Charts of a report as inline SVG, complete without a script; charts.js says the value of a mark on hover and by keyboard."""
