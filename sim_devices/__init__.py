"""Simulated field devices: real servers, a whole city behind them, and faults on demand."""
